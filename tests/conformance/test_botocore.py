"""botocore keeps every promise, for Amazon Bedrock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.support.bedrock import client_of, method_of, read_body
from tests.support.planted import KEY
from tokentrail.testing import read_recordings
from tokentrail.testing.conformance import Case, Conformance


class TestBotocore(Conformance):
    integration = "botocore"
    key = KEY
    recordings = read_recordings(providers=["bedrock"])
    calls_per_call = 250  # a client of botocore signs, sends and parses by handlers
    kinds = ("sync",)

    def client(self, url: str, case: Case) -> Any:
        return client_of(url, retries={"total_max_attempts": case.retries + 1})

    def ask(self, client: Any, case: Case) -> Any:
        method, arguments = method_of(client, case.recording)
        return method(**arguments)

    def items(self, answer: Any, case: Case) -> Iterable[Any]:
        return answer.get("stream") or answer["body"]

    def whole(self, answer: Any, case: Case) -> Any:
        return read_body(answer)
