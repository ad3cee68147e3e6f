"""OpenAI's chat completions as the models of other providers' SDKs, which declare fewer fields than OpenAI's and keep the rest beside them.

Together states cached tokens in the usage itself, Writer in `prompt_token_details` and `completion_token_details`.
"""

from __future__ import annotations

from typing import Any

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import fields_of
from tokentrail.integrations.shapes.openai_chat import read_any_chat

__all__ = ["read_chat_model"]


def read_chat_model(completion: Any) -> Reading:
    """Reads a chat completion. The usual one, with one choice that is a text, costs few calls; any other is read by `read_any_chat`."""
    try:
        (choice,) = completion.choices
        message, usage, model, name = choice.__dict__["message"], completion.usage, completion.model, completion.id
        said, reason, more = message.__dict__, choice.__dict__["finish_reason"], message.__pydantic_extra__
        text = said["content"]
        is_usual = (
            type(text) is str
            and text
            and usage is not None
            and not (more and not _MORE.isdisjoint(name for name, value in more.items() if value))
            and not (
                ("tool_calls" in said and said["tool_calls"])
                or ("reasoning" in said and said["reasoning"])
                or ("reasoning_content" in said and said["reasoning_content"])
                or ("refusal" in said and said["refusal"])
            )
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        is_usual = False
    if not is_usual:
        return read_any_chat(completion)
    answer = Answer(model=model or "", response_id=name or "", finish_reasons=[reason] if reason else [], output_texts=[text])
    _add_counts(answer, usage)
    return answer, "complete"


_MORE = frozenset({"reasoning", "reasoning_content", "refusal", "tool_calls"})
"""Fields of a message that are output, beside its content."""


def _add_counts(answer: Answer, usage: Any) -> None:
    """Adds the counts of a usage object, to the same effect as `add_any_counts`."""
    fields = fields_of(usage)
    answer.input_tokens = fields["prompt_tokens"] if "prompt_tokens" in fields else None
    answer.output_tokens = fields["completion_tokens"] if "completion_tokens" in fields else None
    given, made = None, None
    for place in _INPUTS:
        given = given or (fields[place] if place in fields else None)
    for place in _OUTPUTS:
        made = made or (fields[place] if place in fields else None)
    if given:
        read = fields_of(given)
        answer.cache_read_tokens = read["cached_tokens"] if "cached_tokens" in read else None
        answer.cache_write_tokens = read["cache_write_tokens"] if "cache_write_tokens" in read else None
        answer.audio_input_tokens = read["audio_tokens"] if "audio_tokens" in read else None
        answer.image_input_tokens = read["image_tokens"] if "image_tokens" in read else None
    else:
        answer.cache_read_tokens = fields["cached_tokens"] if "cached_tokens" in fields else None
    if made:
        written = fields_of(made)
        answer.reasoning_tokens = written["reasoning_tokens"] if "reasoning_tokens" in written else None
        answer.audio_output_tokens = written["audio_tokens"] if "audio_tokens" in written else None
        answer.image_output_tokens = written["image_tokens"] if "image_tokens" in written else None


_INPUTS = ("prompt_tokens_details", "prompt_token_details")
_OUTPUTS = ("completion_tokens_details", "completion_token_details")
