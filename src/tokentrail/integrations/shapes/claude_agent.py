"""The messages of Claude's command line (stream-json): reads what a result states of each model.

`modelUsage` has the totals of each model since the process began, or since its conversation was reset (`conversation_reset`), so a result adds the
difference to the result before. `usage` has the turn's main conversation alone, without subagents and smaller models, and counts where an older
command line states no `modelUsage`. As in Anthropic's Messages, what was read from the cache and written to it stands beside the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.anthropic_messages import read_message
from tokentrail.integrations.shapes.json_objects import fields_of, sum_of, whole

__all__ = ["ModelMessages", "Totals", "no_texts", "read_message_of_model"]

COUNTS: Final = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
PROVIDERS: Final = {
    "bedrock": "aws.bedrock",
    "mantle": "aws.bedrock",
    "vertex": "gcp.vertex_ai",
    "anthropicGoogleCloud": "gcp.vertex_ai",
    "foundry": "azure.ai.inference",
}
"""`provider` of a model's usage; every other one is Anthropic."""


class Totals:
    """The totals of one process of the command line, by model, as its last result stated them."""

    __slots__ = ("_before", "_model")

    def __init__(self) -> None:
        self._before: dict[str, tuple[int, ...]] = {}
        self._model = ""

    def readings(self, message: Mapping[str, Any]) -> Iterator[tuple[str, Reading]]:
        """Yields the provider and the answer of each model of which a message states more than the message before."""
        kind = message.get("type")
        if kind == "conversation_reset":
            self._before.clear()
        elif kind == "assistant":
            named = fields_of(message.get("message")).get("model")
            self._model = named if named and isinstance(named, str) else self._model
        elif kind == "result":
            ended = _how_ended(message)
            stated = fields_of(message.get("modelUsage"))
            for model, usage in stated.items():
                fields = fields_of(usage)
                added = self._added(model, fields)
                if any(added):
                    yield PROVIDERS.get(str(fields.get("provider")), "anthropic"), (_answer(model, *added), ended)
            if not stated and message.get("usage"):
                yield "anthropic", (read_message({"model": self._model, "usage": message["usage"]})[0], ended)

    def _added(self, model: str, usage: Mapping[str, Any]) -> list[int | None]:
        """Returns the counts since the result before; all of them where a total is smaller than before, and so began anew."""
        now = tuple(whole(usage.get(name)) for name in COUNTS)
        before = self._before.get(model, (0,) * len(COUNTS))
        self._before[model] = tuple(earlier if count is None else count for count, earlier in zip(now, before, strict=True))
        added = [None if count is None else count - earlier for count, earlier in zip(now, before, strict=True)]
        return list(now) if any(count is not None and count < 0 for count in added) else added


class ModelMessages:
    """Collects messages at hand: what the results state of one model, or without a model of all, under the name of the only one.

    Messages of one process, from its start: each result adds the difference to the result before.
    """

    __slots__ = ("_ended", "_found", "_model", "_totals")

    def __init__(self, model: str, _request: Mapping[str, Any], _asked: bool) -> None:
        self._model = model
        self._totals = Totals()
        self._found: list[Answer] = []
        self._ended = ""

    def absorb(self, message: Any) -> bool:
        """Takes a message."""
        for _, (answer, ended) in self._totals.readings(fields_of(message)):
            self._ended = ended
            if self._model in ("", answer.model):
                self._found.append(answer)
        return False

    def reading(self, *, exhausted: bool) -> Reading | None:  # noqa: ARG002 - a result is whole
        """Returns the sum; None without a result."""
        if not self._ended:
            return None
        models = {each.model for each in self._found}
        answer = Answer(model=models.pop() if len(models) == 1 else "")
        for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"):
            setattr(answer, name, sum_of(*(getattr(each, name) for each in self._found)))
        return answer, self._ended


def read_message_of_model(model: str, message: Any) -> Reading | None:
    """Reads one message: a result; any other one states nothing that is not in the result."""
    messages = ModelMessages(model, {}, False)
    messages.absorb(message)
    return messages.reading(exhausted=True)


def no_texts(_request: Mapping[str, Any]) -> Sequence[str]:
    """Returns no text: the prompt goes to the command line, which asks the models by itself."""
    return ()


def _answer(model: str, given: int | None, made: int | None, read: int | None, written: int | None) -> Answer:
    answer = Answer(model=model, output_tokens=made, cache_read_tokens=read, cache_write_tokens=written)
    if given is not None:
        answer.input_tokens = sum_of(given, read, written)
    return answer


def _how_ended(message: Mapping[str, Any]) -> str:
    if str(message.get("terminal_reason") or "").startswith("aborted"):
        return "partial"
    return "error" if message.get("is_error") else "complete"
