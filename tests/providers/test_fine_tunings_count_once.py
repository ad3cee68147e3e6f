"""A fine-tuning is a job: its trained tokens count once, when its end is first seen, as tokens of fine-tuning, for its creator."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.support.job_server import JobServer
from tokentrail import track_tokens
from tokentrail.testing import Usages

CREATED = 1790000000


def job(status: str, trained: Any = None) -> dict[str, Any]:
    return {
        "id": "ftjob-1",
        "object": "fine_tuning.job",
        "created_at": CREATED,
        "finished_at": None,
        "error": None,
        "fine_tuned_model": None,
        "hyperparameters": {"n_epochs": 3},
        "model": "gpt-4o-mini-2024-07-18",
        "organization_id": "org",
        "result_files": [],
        "seed": 1,
        "status": status,
        "trained_tokens": trained,
        "training_file": "file-1",
        "validation_file": None,
    }


@pytest.mark.parametrize(("status", "trained", "found"), [("succeeded", 5768, "complete"), ("cancelled", 100, "partial"), ("failed", None, "")])
def test_trained_tokens_count_once(status: str, trained: int | None, found: str, usages: Usages) -> None:
    path = "/fine_tuning/jobs"
    answers = {f"POST {path}": job("validating_files"), f"GET {path}/ftjob-1": [job("running"), job(status, trained)], f"GET {path}": {"data": []}}
    with JobServer(answers) as server:
        client = openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)
        with track_tokens(tenant_id="acme"):
            client.fine_tuning.jobs.create(model="gpt-4o-mini-2024-07-18", training_file="file-1")
        with track_tokens(tenant_id="poller", operation="chat"):
            for _ in range(10):
                client.fine_tuning.jobs.retrieve("ftjob-1")
            client.fine_tuning.jobs.list()
    assert [
        (each.token_type, each.input_tokens, each.output_tokens, each.source, each.ended, each.tenant_id, each.operation, each.response_model)
        for each in usages
    ] == ([("fine_tuning", trained, None, "reported", found, "acme", "internal", "gpt-4o-mini-2024-07-18")] if found else [])
    assert len(usages.recorded) == len(usages)
    if found:
        assert (usages[0].key_kind, usages[0].key_time, usages[0].endpoint, usages[0].gen_ai_operation) == (
            "object",
            CREATED * 10**9,
            "fine_tuning",
            "",
        )


async def test_async(usages: Usages) -> None:
    with JobServer({"POST /fine_tuning/jobs/ftjob-1/cancel": job("cancelled", 7)}) as server:
        await openai.AsyncOpenAI(base_url=server.url, api_key="none").fine_tuning.jobs.cancel("ftjob-1")
    assert [(each.input_tokens, each.ended) for each in usages] == [(7, "partial")]
