"""xAI's SDK over gRPC (xai-sdk): sample, stream, parse, their batches of choices, defer, compaction, images and videos; sync and async.

A stored completion was counted when it was made, and tokenizing spends nothing. Not yet: batches, and videos whose
job the application polls itself. The channel tries again below every function of Python, so a row has one attempt.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.shapes.xai import XaiChunks, read_answer, texts_of_messages, texts_of_prompt
from tokentrail.integrations.shapes.xai_json import JsonChunks, read_json_answer, texts_of_json_messages
from tokentrail.integrations.transports.xai import hooks_of

__all__ = ["INTEGRATION"]

CHAT: Final = Endpoint(name="chat", gen_ai_operation="chat", operation="chat", texts=texts_of_messages, read=read_answer, chunks=XaiChunks)
COMPACTION: Final = replace(CHAT, name="compact", chunks=None)
IMAGES: Final = replace(CHAT, name="images", gen_ai_operation="generate_content", operation="generation", texts=texts_of_prompt, chunks=None)
AS_JSON: Final = replace(CHAT, texts=texts_of_json_messages, read=read_json_answer, chunks=JsonChunks)

INTEGRATION: Final = Integration(
    name="xai-sdk",
    package="xai-sdk",
    supports=">=1.0,<2",
    hooks=hooks_of("xai_sdk", "x_ai", CHAT, COMPACTION, IMAGES, replace(IMAGES, name="videos")),
    clashes=("openlit", "langfuse"),
    answers={"x_ai": (AS_JSON, replace(AS_JSON, name="compact", chunks=None))},
)
