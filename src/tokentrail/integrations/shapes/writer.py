"""Writer's streams. A chat's chunks have `"usage": null` whether the usage was requested or not, and a last chunk with the usage if it was.

A text completion's chunks are pieces of the text and nothing else, `{"value": " joke"}`; they state no usage, and no chunk is marked as the last one.
"""

from __future__ import annotations

from typing import Any

from tokentrail.instrumentation.contract import Reading
from tokentrail.integrations.shapes.openai_chat import ChatChunks
from tokentrail.integrations.shapes.openai_completions import CompletionChunks

__all__ = ["WriterChatChunks", "WriterChunks"]


class WriterChatChunks(ChatChunks):
    """Collects a stream of a chat. Only the chunk with the usage is hidden; no chunk is changed."""

    __slots__ = ()
    removes_null = False


class WriterChunks(CompletionChunks):
    """Collects a stream of a text completion."""

    __slots__ = ()

    def absorb(self, chunk: Any) -> bool:
        """Takes a piece of the text."""
        try:
            text = chunk["value"] if type(chunk) is dict else chunk.value
        except (AttributeError, KeyError):
            text = None
        if text and type(text) is str:
            self.texts += (text,)
            return False
        return self.absorb_any(chunk)

    def reading(self, *, exhausted: bool) -> Reading:
        """Returns the answer so far; no chunk marks the last one."""
        answer, ended = super().reading(exhausted=exhausted)
        return answer, "complete" if exhausted and not self.failed else ended
