"""anthropic's SDK keeps every promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anthropic

from tests.support.planted import KEY
from tests.support.recordings import method_of
from tests.support.stainless import ask_in_style, styles_of_stainless
from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.conformance import Case, Conformance

RECORDINGS = [recording for recording in read_recordings(providers=["anthropic"]) if recording.endpoint == "messages"]


class TestAnthropic(Conformance):
    integration = "anthropic"
    key = KEY
    recordings = RECORDINGS

    def client(self, url: str, case: Case) -> Any:
        kind = anthropic.AsyncAnthropic if case.asynchronous else anthropic.Anthropic
        return kind(base_url=url, api_key=self.key, max_retries=case.retries, timeout=20)

    def ask(self, client: Any, case: Case) -> Any:
        return ask_in_style(method_of, client, case)

    def styles_of(self, recording: Recording) -> Sequence[str]:
        return styles_of_stainless(recording)
