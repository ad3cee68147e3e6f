"""any-llm over the SDKs of OpenAI and Anthropic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from any_llm import acompletion, completion

from tests.frameworks.driver import wait

ASK = [{"role": "user", "content": "hello"}]


def cases(url: str) -> Iterator[tuple[str, Any]]:
    for name, base in (("openai", f"{url}/v1"), ("anthropic", url)):
        given: dict[str, Any] = {"model": "m", "provider": name, "messages": ASK, "api_key": "none", "api_base": base}
        yield name, lambda given=given: completion(**given).choices[0].message.content
        yield f"{name} stream", lambda given=given: [each.choices and each.choices[0].delta.content for each in completion(**given, stream=True)]
        yield f"{name} async", wait(lambda given=given: _ask(given))


async def _ask(given: Any) -> Any:
    return (await acompletion(**given)).choices[0].message.content
