"""tokentrail's integration of the SDK `acme_grpc`, whose answers are messages of protobuf. Its package has the entry point

[project.entry-points."tokentrail.integrations"]
acme-grpc = "acme_grpc_tokentrail:INTEGRATION"
"""

from __future__ import annotations

from functools import partial
from typing import Any

from tokentrail.instrumentation.contract import Answer, Exchange, Hook, Integration, Reading, Request
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async, watch_close


def open_ask(is_async: bool, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    """Before the call: what is asked, of whom."""
    host, _, port = client.target.rpartition(":")
    request = Request(
        provider="acme",
        endpoint="chat",
        gen_ai_operation="chat",
        model=kwargs["model"],
        stream=bool(kwargs.get("stream")),
        server_address=host,
        server_port=int(port),
        texts=[kwargs["question"]],
        sends=True,
    )
    exchange = Exchange(request=request, args=args, kwargs=kwargs, read=read_answer)
    if request.stream:
        exchange.deliver = partial(follow_parts, is_async)
    return exchange


def count_retry(exchange: Exchange) -> None:
    """Runs before each further try, of which the SDK's call has several."""
    exchange.attempts += 1


def read_answer(answer: Any) -> Reading:
    """After the call: the counts as the provider states them."""
    read = Parts()
    read.absorb(answer)
    return read.reading(exhausted=True)


class Parts:
    """Collects a stream, part by part, while the caller reads it."""

    def __init__(self) -> None:
        self.answer, self.texts, self.ended = Answer(), [], False

    def absorb(self, part: Any) -> bool:
        """Takes the text of a part, without a function call, and the names and counts of the last part, which has an id.

        A channel gives None for bytes that are no message.
        """
        if part is None:
            return False
        if part.id:
            self._end(part)
        self.texts += (part.text,)
        return False

    def _end(self, part: Any) -> None:
        tokens = part.tokens
        self.answer.model, self.answer.response_id = part.model, part.id
        self.answer.input_tokens = tokens.input if tokens.HasField("input") else None
        self.answer.output_tokens = tokens.output if tokens.HasField("output") else None
        self.ended = True

    def reading(self, *, exhausted: bool) -> Reading:
        """Returns the answer so far: complete if the last part came."""
        self.answer.output_texts = self.texts
        return self.answer, "complete" if exhausted and self.ended else "partial"


def follow_parts(is_async: bool, exchange: Exchange, stream: Any) -> Any:
    """Follows a stream: the caller keeps the SDK's own object, of which the iterator is wrapped and `close` watched."""
    followed = FollowedStream(exchange, Parts())
    stream._parts = follow_async(stream._parts, followed) if is_async else follow(stream._parts, followed)
    watch_close(stream, followed, is_async=is_async)
    return stream


INTEGRATION = Integration(
    name="acme-grpc",
    package="acme-grpc-sdk",
    supports=">=1.2,<3",
    hooks=(
        Hook("acme_grpc", "Client.ask", opens=partial(open_ask, False)),
        Hook("acme_grpc", "AsyncClient.ask", opens=partial(open_ask, True), is_async=True),
        Hook("acme_grpc", "Client._try_again", observes=count_retry),
        Hook("acme_grpc", "AsyncClient._try_again", observes=count_retry, is_async=True),
    ),
)
