"""A prediction of Replicate is a job: it counts once, when an answer shows its end and its tokens, however often it is asked for."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.scripted import ScriptedServer
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.integrations.replicate import INTEGRATION
from tokentrail.testing import ReplayServer, Usages, read_recordings

replicate = pytest.importorskip("replicate", reason="make test-apart installs it")

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "open"
MODEL = "meta/meta-llama-3-70b-instruct"
METRICS = {"input_token_count": 18, "output_token_count": 7, "predict_time": 0.5, "tokens_per_second": 14.0}


def prediction(status: str, **more: Any) -> dict[str, Any]:
    ended = {"output": ["lorem ", "ipsum"], "metrics": METRICS} if status in {"succeeded", "failed", "canceled"} else {}
    names = {"id": "p-1", "model": MODEL, "version": "hidden", "created_at": "2026-01-15T10:00:00.730471035Z"}
    return {**names, "input": {"prompt": "abc"}, "status": status, "urls": {}, "logs": "", "error": None, **ended, **more}


def client_at(url: str) -> Any:
    client = replicate.Client(api_token="none", base_url=url)
    client.poll_interval = 0.001
    return client


def test_the_providers_own_address_is_known() -> None:
    """A client without a base URL."""
    opens = INTEGRATION.hooks[0].opens
    exchange = opens(replicate.Client(api_token="none"), ("GET", "/v1/predictions/p-1"), {}) if opens else None
    assert exchange is not None
    assert (exchange.request.provider, exchange.request.server_address) == ("replicate", "api.replicate.com")


def facts(usages: Usages) -> list[tuple[Any, ...]]:
    return [(each.key, each.input_tokens, each.output_tokens, each.ended) for each in usages.recorded]


WHOLE = ("replicate:p-1", 18, 7, "complete")


def test_a_prediction_is_polled_to_its_end(usages: Usages) -> None:
    with ScriptedServer(prediction("starting"), prediction("processing"), prediction("succeeded")) as server:
        client = client_at(server.url)
        made = client.models.predictions.create(MODEL, input={"prompt": "abc"})
        made.wait()
        made.reload()
        client.predictions.get("p-1")
    assert set(facts(usages)) == {WHOLE}  # each answer tells the same, under one key
    only = usages.recorded[0]
    assert (only.provider, only.endpoint, only.gen_ai_operation, only.operation) == ("replicate", "predictions", "text_completion", "generation")
    assert (only.response_model, only.response_id, only.key_kind) == (MODEL, "p-1", "object")
    assert {(each.key, each.key_time) for each in usages.recorded} == {(only.key, 1768471200 * 10**9)}


async def test_a_run_async(usages: Usages) -> None:
    with ScriptedServer(prediction("succeeded")) as server:
        client = client_at(server.url)
        made = await client.models.predictions.async_create(MODEL, input={"prompt": "abc"})
        await made.async_reload()
    assert facts(usages) == [WHOLE] * 2
    assert usages.recorded[0].request_model == MODEL
    assert usages.recorded[0].input_chars == 3


@pytest.mark.parametrize(("status", "ended"), [("failed", "error"), ("canceled", "partial"), ("succeeded", "complete")])
def test_how_a_prediction_ends(status: str, ended: str, usages: Usages) -> None:
    with ScriptedServer(prediction(status)) as server:
        client_at(server.url).predictions.cancel("p-1")
    assert facts(usages) == [("replicate:p-1", 18, 7, ended)]


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ({"metrics": {"predict_time": 3.0}}, None),  # an image
        ({"metrics": None}, None),
        ({"metrics": [1]}, None),
        ({"metrics": {"input_token_count": "18", "output_token_count": -1}}, (18, None)),
        ({"metrics": {"input_token_count": 2**63, "output_token_count": 7.0}}, (None, 7)),
        ({"created_at": None}, (18, 7)),
        ({"created_at": "lorem"}, (18, 7)),
        ({"output": {"a": [None]}}, (18, 7)),
        ({"model": None}, (18, 7)),
    ],
)
def test_what_a_prediction_may_state(more: dict[str, Any], counts: Any, usages: Usages) -> None:
    with ScriptedServer({**prediction("succeeded"), **more}) as server, suppress(ValueError):  # the SDK's own models refuse some of these
        client_at(server.url).predictions.get("p-1")
    assert [(each.input_tokens, each.output_tokens) for each in usages.recorded] == ([] if counts is None else [counts])


@pytest.mark.parametrize("body", [b"<html>lorem</html>", b"", b"[]", b"\xff"])
def test_a_page_instead_of_an_answer(body: bytes, usages: Usages) -> None:
    with ScriptedServer([body]) as server, pytest.raises((ValueError, TypeError)):
        client_at(server.url).predictions.get("p-1")
    assert facts(usages) == []


def test_lists_and_other_paths_are_no_predictions(usages: Usages) -> None:
    with ScriptedServer({"results": [prediction("succeeded")], "next": None, "previous": None}, (404, {"detail": "lorem"})) as server:
        client = client_at(server.url)
        assert len(client.predictions.list().results) == 1
        with pytest.raises(replicate.exceptions.ReplicateError):
            client.predictions.get("p-1")
    assert facts(usages) == []


def test_the_caller_sees_the_same(usages: Usages) -> None:
    with ScriptedServer(prediction("succeeded")) as server:
        client = client_at(server.url)
        seen = client.predictions.get("p-1")
        uninstrument()
        plain = client.predictions.get("p-1")
        instrument()
        assert seen.dict() == plain.dict()
    assert facts(usages) == [WHOLE]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the whole corpus of recordings is not beside the repository")
def test_the_corpus_shows_predictions_that_begin(usages: Usages) -> None:
    recordings = [each for each in read_recordings(CORPUS) if each.provider == "replicate"]
    assert len(recordings) >= 2
    with ReplayServer(CORPUS, providers=["replicate"]) as server:
        for recording in recordings:
            client, asked = client_at(server.url("replicate", recording=recording.id)), recording.request
            if "/models/" in recording.path:
                client.models.predictions.create(recording.path.split("/models/")[1].removesuffix("/predictions"), input=asked["input"])
            else:
                client.predictions.create(version=asked["version"], input=asked["input"])
    assert facts(usages) == []
