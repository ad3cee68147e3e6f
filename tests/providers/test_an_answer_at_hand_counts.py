"""`track_response`: an answer that no SDK has read counts as if one had, in every form in which it may be at hand; and wrong arguments are one sentence."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from tests.support.scripted import chunks, completion, sse
from tests.support.scripts import load_script
from tests.support.watsonx import CHAT, EMBEDDED, GENERATED, RANKED, generation_events
from tests.support.watsonx import events as generated_events
from tokentrail import Ended, Operation, configure, track_response, track_tokens
from tokentrail.idempotency import parse_key
from tokentrail.process.current import current
from tokentrail.recording.runtime import Runtime
from tokentrail.testing import Recording, Usages, collect_usages, read_recordings
from tokentrail.testing.exactness import main, place_of, reason_not_read, rows_of, table, usages_by_body
from tokentrail.tracking.endpoints import endpoints_of, known_providers

SHIPPED = {recording.id: recording for recording in read_recordings()}
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "open"
AT = 1_790_000_000 * 10**9


def one(provider: str, endpoint: str, *, stream: bool, shape: str = "") -> Recording:
    """A shipped recording that states usage."""
    return next(
        each
        for each in SHIPPED.values()
        if each.provider == provider
        and each.endpoint == endpoint
        and each.stream is stream
        and each.expected_totals
        and each.shape == (shape or each.shape)
    )


def counts_of(usages: Usages) -> list[tuple[Any, ...]]:
    return [(u.input_tokens, u.output_tokens, u.cache_read_tokens, u.reasoning_tokens, u.response_model, u.ended) for u in usages.recorded]


@pytest.mark.parametrize("recording", SHIPPED.values(), ids=SHIPPED)
def test_every_recorded_body_is_read_exactly(recording: Recording) -> None:
    (row,) = rows_of([recording])
    assert row.wrong == {}


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the whole corpus of recordings is not beside the repository")
@pytest.mark.slow
def test_every_body_of_the_corpus_is_read_exactly() -> None:
    rows = rows_of(read_recordings(CORPUS))
    assert {name: found for row in rows for name, found in row.wrong.items()} == {}
    assert sum(row.by_body for row in rows) > 1100
    assert sum(row.exchanges for row in rows) == sum(row.by_body + sum(row.not_read.values()) for row in rows)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the whole corpus of recordings is not beside the repository")
@pytest.mark.slow
def test_every_body_of_the_corpus_is_read_as_the_independent_reader_reads_it() -> None:
    usages_of = load_script("recording_usages").usages_of
    exchanges = {path.stem: json.loads(path.read_text("utf-8")) for path in CORPUS.rglob("*.json")}
    providers = ["anthropic", "bedrock", "cohere", "openai", "groq", "ollama", "mistral", "google_genai", "vertex"]
    rows = rows_of(
        read_recordings(CORPUS, providers=providers),
        lambda recording: None if recording.shape == "jsonarray" else usages_of(exchanges[recording.id]),  # a list of answers it does not read
    )
    assert {name: found for row in rows for name, found in row.wrong.items()} == {}


def test_every_endpoint_that_an_integration_declares_is_read_from_a_recording() -> None:
    read = {place_of(recording) for recording in SHIPPED.values() if not reason_not_read(recording) and usages_by_body(recording)}
    own = {(provider, name) for provider in known_providers() for name, shapes in endpoints_of(provider).items() if shapes[0].name == name}
    common = set(endpoints_of("deepseek"))
    missing = {(provider, name) for provider, name in own - read if name not in common}
    assert missing <= {("aws.bedrock", "embeddings"), ("ibm.watsonx.ai", "generate"), ("mistral_ai", "speech")}, "declared, and tried with nothing"


def lines_of(recording: Recording) -> list[dict[str, Any]]:
    data = [line.removeprefix(b"data:").strip() for line in recording.body.splitlines() if line.startswith(b"data:")]
    return [json.loads(each) for each in data if each != b"[DONE]"]


FORMS: dict[str, Callable[[Recording], Any]] = {
    "bytes": lambda recording: recording.body,
    "bytearray": lambda recording: bytearray(recording.body),
    "text": lambda recording: recording.body.decode(),
    "a byte order mark": lambda recording: b"\xef\xbb\xbf" + recording.body,
    "other ends of lines": lambda recording: recording.body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "events": lines_of,
    "a JSON array": lambda recording: json.dumps(lines_of(recording)),
    "lines of JSON": lambda recording: "\n".join(map(json.dumps, lines_of(recording))),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    ("provider", "endpoint"),
    [("openai", "chat"), ("openai", "responses"), ("anthropic", "messages"), ("google_genai", "generate_content"), ("mistral", "chat")],
)
def test_a_stream_in_any_form(provider: str, endpoint: str, form: Callable[[Recording], Any], usages: Usages) -> None:
    recording = one(provider, endpoint, stream=True)
    track_response(*place_of(recording), form(recording))
    (expected,) = recording.expected_usages or ()
    (usage,) = usages.recorded
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "response_model", "response_id", "ended", "stream")
    assert {name: getattr(usage, name) for name in names} == {name: expected[name] for name in names}


def test_a_whole_answer_as_a_dictionary_text_and_bytes(usages: Usages) -> None:
    for body in (completion(), json.dumps(completion()), json.dumps(completion(), indent=2).encode()):
        track_response("deepseek", "chat", body)
    assert counts_of(usages) == [(40, 11, 32, 4, "gpt-4o-mini-2024-07-18", "complete")] * 3
    assert {(usage.provider, usage.endpoint, usage.stream) for usage in usages.recorded} == {("deepseek", "chat", False)}


def test_lines_of_ollama(usages: Usages) -> None:
    recording = one("ollama", "ollama_chat", stream=True)
    assert recording.shape == "ndjson"
    track_response("ollama", "chat", recording.body)
    track_response("ollama", "chat", [json.loads(line) for line in recording.body.splitlines()])
    assert len(set(counts_of(usages))) == 1
    assert (usages[0].input_tokens, usages[0].ended, usages[0].stream) == ((recording.expected_totals or {})["input_total"], "complete", True)


def test_bedrocks_streams_as_frames_as_boto3s_events_and_as_chunks(usages: Usages) -> None:
    metadata = {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}, "metrics": {"latencyMs": 1}}}
    delta = {"contentBlockDelta": {"delta": {"text": "lorem"}, "contentBlockIndex": 0}}
    track_response("aws.bedrock", "converse", [delta, {"messageStop": {"stopReason": "end_turn"}}, metadata], model="lorem")
    track_response("aws.bedrock", "converse", [delta, {"throttlingException": {"message": "lorem"}}], model="lorem")
    assert [(u.input_tokens, u.output_tokens, u.ended) for u in usages.recorded] == [(5, 2, "complete"), (None, None, "error")]
    chunk = {"outputText": "lorem", "inputTextTokenCount": 4, "totalOutputTextTokenCount": 3, "completionReason": "FINISH"}
    encoded = json.dumps(chunk).encode()
    for event in (chunk, {"chunk": {"bytes": encoded}}, {"chunk": {"bytes": base64.b64encode(encoded).decode()}}):
        track_response("aws.bedrock", "invoke_model", [event], model="amazon.titan-text-express-v1", request={"inputText": "a"})
    found = [(u.input_tokens, u.output_tokens, u.ended, u.gen_ai_operation) for u in usages.recorded[2:]]
    assert found == [(4, 3, "complete", "text_completion")] * 3


def test_counts_of_headers(usages: Usages) -> None:
    headers = {"X-Amzn-Bedrock-Input-Token-Count": "12", "x-amzn-bedrock-output-token-count": "7", "x-amzn-requestid": "r-1"}
    track_response("aws.bedrock", "invoke_model", {"generations": [{"text": "lorem"}]}, headers=headers, model="cohere.command-text-v14")
    assert [(u.input_tokens, u.output_tokens, u.response_id, u.request_model) for u in usages.recorded] == [(12, 7, "r-1", "cohere.command-text-v14")]


@pytest.mark.parametrize(
    ("provider", "endpoint"), [("ollama", "chat"), ("cohere", "chat"), ("gcp.gemini", "chat"), ("mistral_ai", "chat"), ("aws.bedrock", "chat")]
)
def test_whoever_speaks_openais_api_too(provider: str, endpoint: str, usages: Usages) -> None:
    track_response(provider, endpoint, completion())
    track_response(provider, endpoint, b"".join(sse(chunks("lorem", usage=True))))
    assert [(u.provider, u.input_tokens, u.output_tokens, u.ended) for u in usages.recorded] == [(provider, 40, 11, "complete")] * 2


def test_openais_embeddings_of_others_and_their_own(usages: Usages) -> None:
    track_response("gcp.gemini", "embeddings", {"object": "list", "data": [], "model": "m", "usage": {"prompt_tokens": 4, "total_tokens": 4}})
    track_response("voyage", "rerank", {"object": "list", "data": [], "model": "m", "usage": {"total_tokens": 57}}, request={"query": "lorem"})
    assert [(u.input_tokens, u.token_type, u.gen_ai_operation, u.texts) for u in usages.recorded] == [
        (4, "embedding", "embeddings", None),
        (57, "embedding", "rerank", 1),
    ]


def test_watsonx(usages: Usages) -> None:
    track_response("ibm.watsonx.ai", "generate", GENERATED, request={"input": "abc"})
    track_response("ibm.watsonx.ai", "generate", b"".join(generated_events(generation_events())))
    track_response("ibm.watsonx.ai", "embeddings", EMBEDDED, request={"inputs": ["lorem", "ipsum"]})
    track_response("ibm.watsonx.ai", "rerank", RANKED)
    track_response("ibm.watsonx.ai", "chat", CHAT)
    assert [(u.input_tokens, u.output_tokens, u.response_model, u.ended) for u in usages.recorded] == [
        (7, 12, "ibm/granite-3-8b-instruct", "complete"),
        (7, 3, "ibm/granite-3-8b-instruct", "complete"),
        (11, None, "ibm/slate-125m", "complete"),
        (31, None, "cross-encoder/ms", "complete"),
        (24, 9, "ibm/granite-3-8b-instruct", "complete"),
    ]


def test_a_provider_of_ones_own(usages: Usages) -> None:
    with pytest.raises(ValueError, match="no provider 'mine'"):
        track_response("mine", "chat", completion())
    configure(provider_hosts={"llm.internal": "mine"})
    track_response("mine", "chat", completion())
    assert [usage.provider for usage in usages.recorded] == ["mine"]


def test_arguments_say_who_spent_it(usages: Usages) -> None:
    key = track_response(
        "openai",
        "chat",
        completion(),
        operation=Operation.QUERY,
        tenant_id="acme",
        operation_id="op-1",
        metadata={"queue": "nightly"},
        model="gpt-4o",
        timestamp=datetime.fromtimestamp(AT / 10**9, tz=timezone.utc),
        duration=1.5,
        ended=Ended.PARTIAL,
    )
    (usage,) = usages.recorded
    assert (usage.operation, usage.tenant_id, usage.operation_id, usage.metadata) == ("query", "acme", "op-1", '{"queue": "nightly"}')
    assert (usage.request_model, usage.ts, usage.duration_ns, usage.ended, usage.key) == ("gpt-4o", AT, 1_500_000_000, "partial", key)
    parsed = parse_key(key)
    assert parsed is not None
    assert (parsed.operation, parsed.tenant_id, parsed.timestamp) == (Operation.QUERY, "acme", AT)


def test_metadata_that_do_not_fit_are_cut_and_flagged(usages: Usages) -> None:
    body = {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    track_response("openai", "chat", body, metadata={"small": 1, "large": "m" * 20_000})
    track_response("openai", "chat", body, metadata={"small": 1})
    assert [(usage.metadata, usage.metadata_cut) for usage in usages.recorded] == [('{"small": 1}', True), ('{"small": 1}', False)]


def test_a_block_says_who_spent_it(usages: Usages) -> None:
    with track_tokens("summarize", tenant_id="acme") as spent:
        track_response("anthropic", "messages", {"type": "message", "id": "msg_1", "usage": {"input_tokens": 3, "output_tokens": 2}})
    assert [(u.operation, u.tenant_id, u.response_id) for u in usages.recorded] == [("summarize", "acme", "msg_1")]
    assert (spent.calls, spent.input_tokens, spent.output_tokens) == (1, 3, 2)


def test_the_span_that_is_current_is_the_calls(usages: Usages) -> None:
    with TracerProvider().get_tracer("worker").start_as_current_span("answer") as span:
        track_response("openai", "chat", {"usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    track_response("openai", "chat", {"usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    context = span.get_span_context()
    spans = [(usage.trace_id, usage.span_id) for usage in usages.recorded]
    assert spans == [(f"{context.trace_id:032x}", f"{context.span_id:016x}"), ("", "")]


def test_a_message_that_is_read_twice_counts_once(usages: Usages) -> None:
    keys = {track_response("openai", "chat", completion(), idempotency_key="message-7", tenant_id=tenant) for tenant in ("acme", "other")}
    assert keys == {usages[0].key}
    assert (len(usages), len(usages.recorded), usages[0].key_kind) == (1, 2, "opaque")
    track_response("openai", "chat", completion())
    track_response("openai", "chat", completion())
    assert len(usages) == 3


def response_with(status: str, **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 9, "output_tokens": 4} if status == "completed" else None
    return {"object": "response", "id": "resp_1", "created_at": AT // 10**9, "model": "m", "status": status, "output": [], "usage": usage, **more}


def test_a_job_counts_once_at_its_end(usages: Usages) -> None:
    assert track_response("openai", "responses", response_with("in_progress", background=True)) == ""
    assert usages.recorded == []
    polled = {track_response("openai", "responses", response_with("completed", background=True)) for _ in range(2)}
    event = {"type": "response.completed", "response": response_with("completed", background=True)}
    polled.add(track_response("openai", "responses", [event], request={"background": True, "stream": True}))
    assert len(polled) == 1
    assert [(u.key_kind, u.input_tokens, u.response_id) for u in usages] == [("object", 9, "resp_1")]
    track_response("openai", "responses", response_with("completed"))
    assert [usage.key_kind for usage in usages] == ["object", "automatic"]


@pytest.mark.parametrize("streams", [False, True])
def test_a_prompt_that_gemini_refuses_has_no_output(streams: bool, usages: Usages) -> None:
    """The usage states the prompt alone: the output is 0 where the prompt was refused, and not stated where an answer may have come."""
    stated = {"usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}, "modelVersion": "gemini-x", "responseId": "r"}
    for body in (stated | {"promptFeedback": {"blockReason": "SAFETY"}}, stated, {"promptFeedback": {"blockReason": "SAFETY"}}):
        track_response("gcp.gemini", "generate", [body] if streams else body)
    counts = [(usage.input_tokens, usage.output_tokens, usage.output_source) for usage in usages.recorded]
    assert counts == [(9, 0, "reported"), (9, None, "unknown"), (None, None, "unknown")]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("status", "ended"), [("completed", "complete"), ("incomplete", "complete"), ("failed", "error"), ("cancelled", "partial"), ("queued", "partial")]
)
def test_a_response_ends_as_its_status_says(status: str, ended: str, streams: bool, usages: Usages) -> None:
    """An answer that has met its limit was answered: `incomplete` is no error."""
    response = {"id": "resp_1", "object": "response", "model": "m", "status": status, "output": [], "usage": {"input_tokens": 4, "output_tokens": 3}}
    body: Any = [{"type": f"response.{status}", "response": response}] if streams else response
    track_response("openai", "responses", body)
    assert [(usage.ended, usage.input_tokens, usage.output_tokens) for usage in usages.recorded] == [(ended, 4, 3)]


def test_what_only_loads_a_model_spends_nothing(usages: Usages) -> None:
    assert track_response("ollama", "chat", {"model": "m", "done": True, "done_reason": "load"}, request={"model": "m", "messages": []}) == ""
    assert usages.recorded == []


@pytest.fixture
def estimating() -> Iterator[Usages]:
    with Runtime(current.settings.with_(estimate=True)).in_place(), collect_usages() as usages:
        yield usages


def test_what_is_not_stated_is_estimated_from_the_texts(estimating: Usages) -> None:
    request = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Count to three, please."}]}
    said = sse(chunks("one, two, three"))
    track_response("openai", "chat", b"".join(said), request=request)
    track_response("openai", "chat", b"".join(said))
    first, second = estimating.settle()
    assert (first.request_model, first.input_source, first.output_source, first.texts, first.input_chars) == (
        "gpt-4o-mini",
        "estimated",
        "estimated",
        1,
        23,
    )
    assert (first.input_tokens or 0) > 3
    assert (second.input_tokens, second.input_source, second.texts, second.input_chars) == (None, "unknown", None, None)
    assert (second.output_source, second.output_chars) == ("estimated", 15)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (("opena", "chat", {}), ValueError, "there is no provider 'opena': did you mean 'openai'?"),
        (("openai", "chatt", {}), ValueError, "openai has no endpoint 'chatt': known are batch, chat, completions, embeddings, images, messages"),
        (("openai", "converse", {}), ValueError, "openai has no endpoint 'converse'"),
        ((None, "chat", {}), TypeError, "provider is a text, not NoneType"),
        (("openai", 5, {}), TypeError, "endpoint is a text, not int"),
        (("openai", "chat", None), TypeError, "body is JSON as a dictionary, a list of dictionaries, text or bytes, not NoneType"),
        (("openai", "chat", 5), TypeError, "not int"),
        (("openai", "chat", ["a"]), TypeError, "body is a list of something else than dictionaries"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments: tuple[Any, ...], error: type[Exception], sentence: str, usages: Usages) -> None:
    with pytest.raises(error) as raised:
        track_response(*arguments)
    assert str(raised.value).startswith(sentence) or sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert usages.recorded == []


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"request": []}, TypeError),
        ({"headers": "a"}, TypeError),
        ({"operation": "nothing"}, ValueError),
        ({"ended": "nothing"}, ValueError),
        ({"idempotency_key": ""}, ValueError),
        ({"tenant_id": 5}, TypeError),
        ({"model": 5}, TypeError),
        ({"duration": -1}, ValueError),
        ({"duration": "1"}, TypeError),
        ({"timestamp": datetime(2026, 1, 1)}, ValueError),  # noqa: DTZ001 - it says no zone
    ],
)
def test_wrong_options_are_refused(more: dict[str, Any], error: type[Exception], usages: Usages) -> None:
    with pytest.raises(error):
        track_response("openai", "chat", completion(), **more)
    assert usages.recorded == []


BAD: dict[str, Any] = {
    "nothing": "",
    "a page": "<html><body>502 Bad Gateway</body></html>",
    "half an object": json.dumps(completion())[:200],
    "bytes of no text": b"\xff\xfe\x80",
    "a number": "5",
    "a text": '"lorem"',
    "null": "null",
    "a list of numbers": "[1, 2]",
    "no events": [],
    "half a frame": b"\x00\x00\x01\x00\x00\x00",
    "a deep list": "[" * 100_000,
    "an error": {"error": {"message": "lorem"}},
    "an error in a text": '{"error": "lorem"}',
    "an error in a stream": 'data: {"error": {"message": "lorem"}}\n\n',
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
@pytest.mark.parametrize(
    "place", [("openai", "chat"), ("anthropic", "messages"), ("aws.bedrock", "converse"), ("ollama", "chat"), ("cohere", "embeddings")]
)
def test_what_cannot_be_read_was_an_answer_too(place: tuple[str, str], body: Any, usages: Usages) -> None:
    key = track_response(*place, body)
    (usage,) = usages.recorded
    assert (usage.key, usage.input_tokens, usage.output_tokens, usage.input_source, usage.ended) == (key, None, None, "unknown", "error")


def test_counts_that_are_none_are_not_stated(usages: Usages) -> None:
    for wrong in (-1, "12 tokens", 2**63, [], {}, None, True):
        track_response("openai", "chat", completion() | {"usage": {"prompt_tokens": wrong, "completion_tokens": 3}})
    assert [(u.input_tokens, u.output_tokens) for u in usages.recorded] == [(None, 3)] * 7
    track_response("openai", "chat", completion() | {"usage": {"prompt_tokens": "12", "completion_tokens": 3.0}})
    assert (usages[7].input_tokens, usages[7].output_tokens) == (12, 3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["usage", "choices", "message", "delta", "type", "error", "id"]), inner)
    ),
    max_leaves=12,
)
PLACES = st.sampled_from([(provider, name) for provider in known_providers() for name in endpoints_of(provider)])


@given(place=PLACES, body=st.text() | st.binary() | JSON.map(json.dumps) | st.dictionaries(st.text(max_size=5), JSON), request=JSON)
def test_whatever_comes_is_recorded_or_is_no_spend(place: tuple[str, str], body: Any, request: Any) -> None:
    with collect_usages() as usages:
        if place[1] == "batch":
            key = track_response(*place, body, job="lorem")
            assert bool(usages.recorded) == bool(key)
            return
        key = track_response(*place, body, request=request if isinstance(request, dict) else None)
        assert len(usages.recorded) == (1 if key else 0)


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert printed == table(rows_of(SHIPPED.values())) + "\n"
    assert f"| all |  | {len(SHIPPED)} |" in printed


def test_the_command_names_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = next((Path(__file__).parents[2] / "src/tokentrail/testing/recordings").glob("openai-embeddings-*.json"))
    recording = json.loads(source.read_text("utf-8"))
    recording["expected_usages"][0]["input_tokens"] += 1
    (tmp_path / "one.json").write_text(json.dumps(recording), "utf-8")
    assert main(["--folder", str(tmp_path)]) == 1
    assert f"{recording['id']}: input_tokens is" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["--folder", str(tmp_path / "none")])
    assert left.value.code == 2
