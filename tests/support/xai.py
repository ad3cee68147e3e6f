"""xAI's service, played on a real port by grpcio and the SDK's own protobufs: it answers what a test tells it to."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from xai_sdk.proto import chat_pb2, chat_pb2_grpc, deferred_pb2, sample_pb2, usage_pb2

REASON_STOP = sample_pb2.FinishReason.Value("REASON_STOP")
ASSISTANT = chat_pb2.MessageRole.Value("ROLE_ASSISTANT")
OUTPUT, OUTPUT_CHUNK, OUTPUTS = (
    (chat_pb2.CompletionOutput, chat_pb2.CompletionOutputChunk, "outputs")
    if hasattr(chat_pb2, "CompletionOutput")
    else (chat_pb2.Choice, chat_pb2.ChoiceChunk, "choices")  # before version 1.3
)
USAGE = {
    "prompt_tokens": 32,
    "completion_tokens": 9,
    "reasoning_tokens": 94,
    "total_tokens": 135,
    "prompt_text_tokens": 28,
    "cached_prompt_text_tokens": 6,
    "prompt_image_tokens": 4,
}


def answer(*texts: str, usage: dict[str, int] | None = USAGE, **more: Any) -> Any:
    """A completion, with one output for each text."""
    outputs = [
        OUTPUT(index=index, finish_reason=REASON_STOP, message={"content": text, "role": ASSISTANT, **more})
        for index, text in enumerate(texts or ("lorem ipsum",))
    ]
    stated = {} if usage is None else {"usage": usage_pb2.SamplingUsage(**usage)}
    return chat_pb2.GetChatCompletionResponse(id="r-1", model="grok-4-0709", **{OUTPUTS: outputs}, **stated)


def chunk(text: str, *, reason: int = 0, usage: dict[str, int] | None = None, index: int = 0, reasoning: str = "") -> Any:
    """A chunk of a stream."""
    delta = {"content": text, "role": ASSISTANT, "reasoning_content": reasoning}
    output = OUTPUT_CHUNK(index=index, finish_reason=reason, delta=delta)
    stated = {} if usage is None else {"usage": usage_pb2.SamplingUsage(**usage)}
    return chat_pb2.GetChatCompletionChunk(id="r-1", model="grok-4-0709", **{OUTPUTS: [output]}, **stated)


@dataclass
class Script:
    """The answers to come, each once, and what was asked. An answer that is a gRPC status refuses the request."""

    answers: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    pending: int = 2  # polls of a deferred completion that find the completion unfinished
    port: int = 0

    def next(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.asked.append(request)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, grpc.StatusCode):
            context.abort(found, "lorem")
        return found


def _service(script: Script) -> Any:
    class Chat(chat_pb2_grpc.ChatServicer):
        def GetCompletion(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - protobuf's name
            return script.next(request, context)

        def GetCompletionChunk(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
            for each in script.next(request, context):
                if isinstance(each, grpc.StatusCode):
                    context.abort(each, "lorem")
                yield each

        def StartDeferredCompletion(self, request: Any, _context: grpc.ServicerContext) -> Any:  # noqa: N802
            script.asked.append(request)
            return deferred_pb2.StartDeferredResponse(request_id="d-1")

        def GetDeferredCompletion(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
            script.pending -= 1
            status = deferred_pb2.DeferredStatus.Value("PENDING" if script.pending >= 0 else "DONE")
            found = {} if script.pending >= 0 else {"response": script.next(request, context)}
            return chat_pb2.GetDeferredCompletionResponse(status=status, **found)

        def GetStoredCompletion(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
            return script.next(request, context)

        def CompactContext(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
            return script.next(request, context)

    return Chat()


@contextmanager
def xai_server(*answers: Any) -> Iterator[Script]:
    """The service, listening on loopback; the last answer stays."""
    script = Script(list(answers))
    server = grpc.server(ThreadPoolExecutor(4))
    chat_pb2_grpc.add_ChatServicer_to_server(_service(script), server)
    script.port = server.add_secure_port("localhost:0", grpc.local_server_credentials())
    server.start()
    try:
        yield script
    finally:
        server.stop(0).wait()
