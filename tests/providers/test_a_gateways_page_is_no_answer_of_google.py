"""A page in place of Google's answer is recorded as what the caller gets, and is no error of ours (asserted after each test, `conftest.hooks`)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google import genai

from tests.support.scripted import ScriptedServer
from tokentrail.telemetry.instruments import error_type
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "gemini-2.5-flash", "contents": "lorem"}
PAGES = pytest.mark.parametrize("page", [b"<html>gateway</html>", b"", b'{"candidates": [', b"[" * 5000])


def ask(client: Any, way: str) -> Any:
    if way == "stream":
        return list(client.models.generate_content_stream(**ASK))
    if way == "async":
        return asyncio.run(client.aio.models.generate_content(**ASK))
    return client.models.generate_content(**ASK)


@PAGES
@pytest.mark.parametrize("way", ["whole", "async", "stream"])
def test_a_page(page: bytes, way: str, usages: Usages) -> None:
    with ScriptedServer([page]) as server:
        client = genai.Client(api_key="none", vertexai=False, http_options={"base_url": server.url})
        try:
            ask(client, way)
            expected = "complete", ""
        except Exception as error:
            expected = "error", error_type(error)
    usages.settle()
    assert [(usage.ended, usage.error_type) for usage in usages.recorded] == [expected]
    assert expected[0] == "error" or page == b""
