"""OpenRouter's activity, from its API and from the exported CSV: each day or generation once, in credits."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.support.report_server import KEY, ReportServer
from tokentrail.bills.errors import BillError
from tokentrail.bills.registry import read_file, read_live

ENVIRONMENT = {"OPENROUTER_MANAGEMENT_KEY": KEY}
HEAD = (
    "generation_id,created_at,cost_total,cost_web_search,cost_cache,cost_file_processing,byok_usage_inference,tokens_prompt,tokens_completion,"
    "tokens_reasoning,tokens_cached,model_permaslug,provider_name,variant,cancelled,streamed,user,finish_reason_raw,finish_reason_normalized,"
    "generation_time_ms,time_to_first_token_ms,api_key_disabled,api_key_name,app_name"
)
ROW = "gen-1,2025-11-27 10:11:12.131,0.00012,0,-0.00001,0,0,100,20,5,30,openai/gpt-4.1-2025-04-14,OpenAI,standard,false,true,,stop,stop,900,300,false,prod,app"


def test_days_are_read_from_the_api(recorded, tmp_path, utc):
    path = tmp_path / "activity.json"
    path.write_text(json.dumps(recorded("openrouter.json")))
    first, own, second = read_file("openrouter", path)
    assert first.counts == {"input_tokens": 50, "output_tokens": 125, "cache_read_tokens": 10, "reasoning_tokens": 25}
    assert (first.cost, first.currency, first.requests, first.model, first.project) == (Decimal("0.015"), "USD", 5, "openai/gpt-4.1", "ws-1")
    assert first.details["model_permaslug"] == "openai/gpt-4.1-2025-04-14"
    assert (own.cost, own.counts, own.requests, own.item) == (Decimal("0.012"), {}, None, "billed by the provider for one's own key")
    assert (second.starts, second.ends, second.provider) == (utc(2025, 11, 27), utc(2025, 11, 28), "openrouter")
    assert "cache_read_tokens" not in second.counts


def test_generations_are_read_from_the_export_once(tmp_path):
    path = tmp_path / "openrouter_activity.csv"
    path.write_text(f"{HEAD}\n{ROW}\n{ROW}\n")
    report = read_file("openrouter", path)
    (line,) = report
    assert line.counts == {"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 30, "reasoning_tokens": 5}
    assert (line.cost, line.api_key, line.model, line.requests) == (Decimal("0.00012"), "prod", "openai/gpt-4.1-2025-04-14", 1)
    assert report.notes == {"a generation that is there twice was read once": 1}


def test_exports_that_overlap_count_each_generation_once(recorded, tmp_path):
    paths = [tmp_path / name for name in ("october.csv", "november.csv", "days.json")]
    paths[0].write_text(f"{HEAD}\n{ROW}\n")
    paths[1].write_text(f"{HEAD}\n{ROW}\n{ROW.replace('gen-1', 'gen-2')}\n")
    paths[2].write_text(json.dumps(recorded("openrouter.json")))
    lines = list(read_file("openrouter", *paths))
    assert [line.requests for line in lines] == [5, None, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Date,Model,Spend\n2025-11-27,x,1\n", "no column 'created_at'"),
        (f"{HEAD}\n{ROW.replace(',100,', ',hundred,')}\n", "line 2: tokens_prompt is no number"),
        (f"{HEAD}\n{ROW.replace('2025-11-27 10', 'Thursday 10')}\n", "line 2: created_at is no time"),
        ('{"data": [{"date": "2025-11-27T05:00:00", "model": "m", "usage": 1}]}', "line 1: date is no day"),
        ('{"data": [{"date": "2025-11-27", "tokens": 1}]}', "no row of OpenRouter's activity"),
        ('{"data": {"total_credits": 1}}', "no list of objects"),
        ('{"error": {"message": "no"}}', "the answer of an error"),
    ],
)
def test_what_is_no_activity_is_one_sentence(tmp_path, text, reason):
    path = tmp_path / "activity"
    path.write_text(text)
    with pytest.raises(BillError, match=reason):
        list(read_file("openrouter", path))


def test_a_live_read_asks_day_by_day_and_knows_which_are_over(recorded, quick, utc):
    with ReportServer({"/activity": [recorded("openrouter.json")]}) as server:
        more = {"url": server.url, "environment": ENVIRONMENT, "patience": quick, "now": utc(2025, 11, 29, 6)}
        report = read_live("openrouter", utc(2025, 11, 27), utc(2025, 11, 28), **more)
        assert len(list(report)) == 3
        assert report.complete_until == utc(2025, 11, 28)
        assert [each.query["date"] for each in server.asked] == [["2025-11-27"]]
        report = read_live("openrouter", utc(2025, 11, 26, 5), utc(2025, 11, 30), **more)
        assert len(list(report)) == 3
        assert report.complete_until == utc(2025, 11, 29)
        assert [each.query["date"] for each in server.asked[1:]] == [[f"2025-11-{day}"] for day in (26, 27, 28, 29)]
        assert server.asked[0].query["group_by"] == ["workspace"]
        list(read_live("openrouter", utc(2025, 1, 1), utc(2025, 12, 1), **more))
        assert "date" not in server.asked[-1].query
