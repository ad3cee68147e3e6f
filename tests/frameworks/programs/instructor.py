"""instructor over the SDKs of OpenAI and Anthropic; its own repetitions of a request whose answer does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import instructor
import openai
from pydantic import BaseModel
from tenacity import Retrying, stop_after_attempt

from tests.frameworks.driver import wait

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


class Known(BaseModel):
    name: str


def cases(url: str) -> Iterator[tuple[str, Any]]:
    given: dict[str, Any] = {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0}
    plain = instructor.from_openai(openai.OpenAI(**given), mode=instructor.Mode.JSON)
    later = instructor.from_openai(openai.AsyncOpenAI(**given), mode=instructor.Mode.JSON)
    claude = instructor.from_anthropic(
        anthropic.Anthropic(base_url=url, api_key="none", max_retries=0), mode=getattr(instructor.Mode, "ANTHROPIC_JSON", instructor.Mode.JSON)
    )
    yield "text", lambda: plain.chat.completions.create(**ASK, response_model=None).choices[0].message.content
    yield "async text", wait(lambda: _ask(later))
    yield "asks again", lambda: _fails(plain, max_retries=Retrying(stop=stop_after_attempt(3)))
    yield "asks Anthropic again", lambda: _fails(claude, max_retries=Retrying(stop=stop_after_attempt(2)), max_tokens=9)
    yield "abandoned parts", lambda: _parts(plain)  # the text is no JSON, so instructor leaves the stream


async def _ask(client: Any) -> Any:
    return (await client.chat.completions.create(**ASK, response_model=None)).choices[0].message.content


def _fails(client: Any, **more: Any) -> str:
    try:
        return repr(client.chat.completions.create(**ASK, response_model=Known, **more))
    except Exception as error:
        return type(error).__name__


def _parts(client: Any) -> str:
    try:
        return repr(list(client.chat.completions.create_partial(**ASK, response_model=Known)))
    except Exception as error:
        return type(error).__name__
