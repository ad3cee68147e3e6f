"""OpenAI's usage and costs, live and saved: every count once, in the ledger's sense of it."""

from __future__ import annotations

import copy
import gzip
import json
from decimal import Decimal

import pytest

from tests.support.report_server import KEY, ReportServer
from tokentrail.bills.errors import BillError
from tokentrail.bills.registry import read_file, read_live

COMPLETIONS = "/organization/usage/completions"
ENVIRONMENT = {"OPENAI_ADMIN_KEY": KEY}


def saved(tmp_path, *documents, name="report.json", separator="\n", indent=None):
    path = tmp_path / name
    path.write_text(separator.join(json.dumps(each, indent=indent) for each in documents))
    return path


def read(tmp_path, *documents, reader="openai-usage", **more):
    return list(read_file(reader, saved(tmp_path, *documents, **more)))


def test_counts_are_those_of_the_ledger(recorded, tmp_path, utc):
    first, second = read(tmp_path, recorded("openai-usage.json"))
    assert first.counts == {
        "input_tokens": 141201,
        "output_tokens": 9756,
        "cache_read_tokens": 6144,
        "cache_write_tokens": 0,
        "audio_input_tokens": 5800,
        "audio_output_tokens": 3166,
    }
    assert (first.starts, first.ends) == (utc(2025, 11, 27), utc(2025, 11, 28))
    assert (first.provider, first.model, first.project, first.api_key) == ("openai", "gpt-4o-2024-08-06", "proj_alpha", "key_one")
    assert (first.requests, first.batch, first.service_tier, first.item) == (470, False, "default", "completions")
    assert (second.batch, second.api_key, second.service_tier, second.cost) == (True, "", "", None)


def test_costs_are_exact_and_credits_negative(recorded, tmp_path):
    paid, credit = read(tmp_path, recorded("openai-cost.json"), reader="openai-cost")
    assert paid.cost == Decimal("0.06")
    assert (paid.currency, paid.model, paid.item, paid.quantity, paid.unit) == (
        "USD",
        "gpt-4o-2024-08-06",
        "gpt-4o-2024-08-06, input",
        24000,
        "tokens",
    )
    assert (credit.cost, credit.model, credit.counts) == (Decimal("-1.25"), "", {})


def test_a_costs_digits_are_those_of_the_file(recorded, tmp_path):
    path = tmp_path / "costs.json"
    path.write_text(json.dumps(recorded("openai-cost.json")).replace("0.06", "0.1234567890123456789012345"))
    assert next(iter(read_file("openai-cost", path))).cost == Decimal("0.1234567890123456789012345")


@pytest.mark.parametrize(("separator", "indent"), [("\n", None), ("\n", 2), ("", 1)])
def test_pages_stand_in_a_file_in_any_way(recorded, tmp_path, separator, indent):
    page = recorded("openai-usage.json")
    other = copy.deepcopy(page)
    other["data"][0]["start_time"] += 172800
    other["data"][0]["end_time"] += 172800
    page["has_more"] = True
    assert len(read(tmp_path, page, other, separator=separator, indent=indent)) == 4
    assert len(read(tmp_path, [page, other], indent=indent)) == 4
    assert len(read(tmp_path, page["data"], indent=indent)) == 2
    packed = tmp_path / "report.jsonl.gz"
    packed.write_bytes(gzip.compress(saved(tmp_path, page, other).read_bytes()))
    assert len(list(read_file("openai-usage", packed))) == 4


def test_what_was_saved_twice_is_read_once(recorded, tmp_path):
    page = recorded("openai-usage.json")
    report = read_file("openai-usage", saved(tmp_path, page, page))
    assert len(list(report)) == 2
    assert report.notes == {"a page that was saved twice was read once": 1}
    later = copy.deepcopy(page)
    later["data"].pop()
    report = read_file("openai-usage", saved(tmp_path, page, later))
    assert len(list(report)) == 2
    assert report.notes == {"a row that is there twice was read once": 2}
    later["data"][0]["results"][0]["output_tokens"] += 1
    with pytest.raises(BillError, match="line 2: a row is there twice with different numbers"):
        read(tmp_path, page, later)


def test_a_report_without_its_last_page_is_refused(recorded, tmp_path):
    page = recorded("openai-usage.json") | {"has_more": True, "next_page": "AAAA"}
    with pytest.raises(BillError, match="ends with a page after which there are more"):
        read(tmp_path, page)


@pytest.mark.parametrize("place", [40, 300, 700])
@pytest.mark.parametrize("indent", [None, 1])
def test_a_file_that_ends_in_the_middle_says_so(recorded, tmp_path, place, indent):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(recorded("openai-usage.json"), indent=indent)[:place])
    with pytest.raises(BillError, match=r"report\.json.*(ends in the middle|is broken)"):
        list(read_file("openai-usage", path))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"input_tokens": -1}, "input_tokens is negative"),
        ({"input_tokens": 1.5}, "input_tokens is no whole number"),
        ({"input_tokens": "many"}, "input_tokens is no number"),
        ({"input_tokens": True}, "input_tokens is no number"),
        ({"input_tokens": 10**30}, "beyond"),
        ({"num_model_requests": []}, "num_model_requests is no number"),
        ({"object": "organization.costs.result"}, "openai-cost reads"),
        ({"object": 7}, "none of OpenAI's usage API"),
    ],
)
def test_what_is_no_number_is_no_line(recorded, tmp_path, change, reason):
    page = recorded("openai-usage.json")
    page["data"][0]["results"][1] |= change
    with pytest.raises(BillError, match=f"line 1: .*{reason}"):
        read(tmp_path, page)


def test_fields_that_are_not_known_are_told(recorded, tmp_path):
    page = recorded("openai-usage.json")
    page["data"][0]["results"][0] |= {"input_thought_tokens": 12, "mood": "good", "nothing_new": 0, "of\nevil": 3}
    page["data"][0]["labels"] = {"a": 1}
    report = read_file("openai-usage", saved(tmp_path, page))
    assert len(list(report)) == 2
    assert report.notes == {
        "the field input_thought_tokens, which is not known, was not read": 1,
        "the field of a strange name, which is not known, was not read": 1,
    }


def test_every_kind_of_usage_is_a_line(tmp_path):
    def bucket(kind, **numbers):
        return {"start_time": 1764201600, "end_time": 1764288000, "results": [{"object": f"organization.usage.{kind}.result", **numbers}]}

    page = {
        "data": [
            bucket("embeddings", input_tokens=16, num_model_requests=2, model="text-embedding-3-small"),
            bucket("moderations", input_tokens=9, num_model_requests=1, model="omni-moderation"),
            bucket("images", images=3, num_model_requests=2, size="1024x1024", source="image.generation", model="gpt-image-1"),
            bucket("audio_speeches", characters=45, num_model_requests=1, model="tts-1"),
            bucket("audio_transcriptions", seconds=20, num_model_requests=1, model="whisper-1"),
            bucket("vector_stores", usage_bytes=1024, project_id="p"),
            bucket("code_interpreter_sessions", num_sessions=1, project_id="p"),
            bucket("web_searches", num_requests=4, num_model_requests=3, model="gpt-4o"),
            bucket("dreams", input_tokens=5, output_tokens=6, num_model_requests=1),
        ]
    }
    report = read_file("openai-usage", saved(tmp_path, page))
    lines = {line.item: line for line in report}
    assert report.notes == {"usage of moderations, which are free of charge, was left out": 1}
    assert lines["embeddings"].counts == {"input_tokens": 16}
    assert (lines["images"].quantity, lines["images"].unit, lines["images"].requests) == (3, "images", 2)
    assert lines["images"].details == {"size": "1024x1024", "source": "image.generation"}
    assert (lines["audio_speeches"].quantity, lines["audio_speeches"].unit) == (45, "characters")
    assert (lines["audio_transcriptions"].quantity, lines["audio_transcriptions"].unit) == (20, "seconds")
    assert (lines["vector_stores"].quantity, lines["vector_stores"].unit, lines["vector_stores"].project) == (1024, "bytes", "p")
    assert (lines["code_interpreter_sessions"].quantity, lines["code_interpreter_sessions"].unit) == (1, "sessions")
    assert (lines["web_searches"].quantity, lines["web_searches"].unit, lines["web_searches"].requests) == (4, "calls", None)
    assert lines["dreams"].counts == {"input_tokens": 5, "output_tokens": 6}


def test_a_live_read_takes_every_page_of_every_kind(recorded, quick, utc):
    page = recorded("openai-usage.json")
    first, second = {"data": page["data"][:1]}, {"data": page["data"][1:]}
    with ReportServer({COMPLETIONS: [first, second, first]}) as server:
        report = read_live("openai-usage", utc(2025, 11, 27), utc(2025, 11, 30), url=server.url, environment=ENVIRONMENT, patience=quick)
        assert len(list(report)) == 2
    assert report.notes == {"a row that is there twice was read once": 2}
    asked = [each for each in server.asked if each.path == COMPLETIONS]
    assert [each.query.get("page") for each in asked] == [None, ["page-2"], ["page-3"]]
    assert asked[0].query["group_by[]"] == ["project_id", "api_key_id", "model", "batch", "service_tier"]
    assert (asked[0].query["start_time"], asked[0].query["end_time"]) == (["1764201600"], ["1764460800"])
    assert (asked[0].query["bucket_width"], asked[0].query["limit"]) == (["1d"], ["31"])
    assert {each.path.rpartition("/")[2] for each in server.asked} >= {"embeddings", "images", "audio_speeches", "vector_stores"}
    assert not any("moderations" in each.path for each in server.asked)


def test_hours_are_asked_for_as_hours(quick, utc):
    with ReportServer() as server:
        list(read_live("openai-usage", utc(2025, 11, 27), utc(2025, 11, 28), bucket="1h", url=server.url, environment=ENVIRONMENT, patience=quick))
    assert (server.asked[0].query["bucket_width"], server.asked[0].query["limit"]) == (["1h"], ["168"])


def test_a_bucket_across_midnight_stays_whole(recorded, tmp_path, utc):
    page = recorded("openai-usage.json")
    page["data"][0] |= {"start_time": 1764199800, "end_time": 1764203400}
    line = read(tmp_path, page)[0]
    assert (line.starts, line.ends) == (utc(2025, 11, 26, 23, 30), utc(2025, 11, 27, 0, 30))
    path = saved(tmp_path, page)
    assert len(list(read_file("openai-usage", path, since=utc(2025, 11, 27), until=utc(2025, 11, 28)))) == 2
    assert not list(read_file("openai-usage", path, since=utc(2025, 11, 27, 0, 30)))


def test_a_grouping_that_is_refused_gives_way_to_a_coarser_one(recorded, quick, utc):
    with ReportServer({COMPLETIONS: [recorded("openai-usage.json")]}) as server:
        server.refused_groups = {"service_tier"}
        server.missing = {"/organization/usage/decisions"}
        report = read_live("openai-usage", utc(2025, 11, 27), utc(2025, 11, 29), url=server.url, environment=ENVIRONMENT, patience=quick)
        assert len(list(report)) == 2
    assert set(report.notes) == {
        "the API does not group completions by project_id, api_key_id, model, batch, service_tier; asked for by project_id, api_key_id, model, batch",
        "the API answers with status 404 for decisions, which were not read",
    }


def test_what_must_be_there_is_missed(quick, utc):
    for reader, path in (("openai-usage", COMPLETIONS), ("openai-cost", "/organization/costs")):
        with ReportServer() as server:
            server.missing = {path}
            with pytest.raises(BillError, match=f"{path} answers with status 404"):
                list(read_live(reader, utc(2025, 11, 27), utc(2025, 11, 29), url=server.url, environment=ENVIRONMENT, patience=quick))
