"""Batches that were recorded elsewhere count as the recordings say, where the corpus of recordings lies beside the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from mistralai.client import Mistral

from tests.support.job_server import JobServer
from tokentrail.testing import Usages

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "open"
FOUND = [
    exchange
    for kind in ("batches", "batch_results")
    for path in sorted(CORPUS.glob(f"*/*-{kind}-*.json"))
    if (exchange := json.loads(path.read_text("utf-8")))["status"] == 200
    and exchange["provider"] in ("openai", "anthropic", "google_genai", "mistral", "xai")
]
STATED = {
    "google_genai-batches-0a1696c073bf": (2, 26, 98),
    "mistral-batches-2506b62a23d5": (2, 54, 5),
    "xai-batches-ef91cb0d1a7b": (2, 408, 147),
    "mistral-batches-75c4784bf85e": (2, 54, 5),
}
"""What the recordings with results inside the batch state; the corpus has no sums of these."""

pytestmark = pytest.mark.skipif(not FOUND, reason="the corpus of recordings is not there")


def ask_xai(url: str, path: str, _creates: bool) -> None:
    openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0).get(path.removeprefix("/v1"), cast_to=object)


def ask_openai(url: str, path: str, creates: bool) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    if creates:
        client.batches.create(input_file_id="f", endpoint="/v1/responses", completion_window="24h")
    elif path.endswith("/content"):
        client.files.content(path.split("/")[-2])
    else:
        client.batches.retrieve(path.rsplit("/", maxsplit=1)[-1])


def ask_anthropic(url: str, path: str, creates: bool) -> None:
    batches = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0).messages.batches
    if creates:
        batches.create(requests=[])
    elif path.endswith("/results"):
        list(batches.results(path.split("/")[-2]))
    else:
        batches.retrieve(path.rsplit("/", maxsplit=1)[-1])


def ask_mistral(url: str, path: str, creates: bool) -> None:
    client = Mistral(api_key="none", server_url=url)
    if creates:
        client.batch.jobs.create(endpoint="/v1/chat/completions", model="m", input_files=["f"])
    else:
        client.batch.jobs.get(job_id=path.rsplit("/", maxsplit=1)[-1], inline=True)


def ask_google(url: str, path: str, creates: bool) -> None:
    client = genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url, api_version="v1beta"))
    if creates:
        client.batches.create(model="gemini-2.5-flash", src="files/f")
    else:
        client.batches.get(name="/".join(path.split("/")[-2:]))


ASK = {"openai": ask_openai, "anthropic": ask_anthropic, "mistral": ask_mistral, "google_genai": ask_google, "xai": ask_xai}


@pytest.mark.parametrize("exchange", FOUND, ids=lambda exchange: exchange["id"])
def test_as_recorded(exchange: dict[str, Any], usages: Usages) -> None:
    body = exchange["response_body"]
    is_lines = exchange["endpoint"] == "batch_results"
    path = exchange["path"].partition("?")[0]
    name = f"{exchange['method']} {path}"
    batch = {"id": path.split("/")[-2], "type": "message_batch", "processing_status": "ended", "results_url": "{server}" + path}
    served = {f"GET {path.removesuffix('/results')}": batch, name: body.encode() if is_lines else json.loads(body)}
    with JobServer(served) as server:
        for _ in range(3):
            ASK[exchange["provider"]](server.url, path, exchange["method"] == "POST")
        assert name in server.asked
    totals = exchange["expected_totals"] or {}
    expected = totals.get("input_total"), totals.get("output_total")
    if exchange["id"] in STATED:
        assert (len(usages), usages.input_tokens, usages.output_tokens) == STATED[exchange["id"]]
    elif any(expected):
        assert (usages.input_tokens, usages.output_tokens or 0) == (expected[0], expected[1] or 0)
        assert len(usages) == (body.strip().count("\n") + 1 if is_lines else 1)
    else:
        assert not usages
    assert len(usages.recorded) == len(usages)
