"""google-genai keeps every promise, on the Gemini API and on Vertex."""

from __future__ import annotations

from typing import Any

from google import genai
from google.oauth2.credentials import Credentials

from tests.support.planted import KEY
from tests.support.recordings import GOOGLE, google_method_of
from tokentrail.testing import read_recordings
from tokentrail.testing.conformance import Case, Conformance

RECORDINGS = [each for each in read_recordings(providers=GOOGLE) if each.endpoint != "live"]
"""Without the messages of a websocket: `test_live_sessions_of_google_count_each_response`."""


class TestGoogleGenai(Conformance):
    integration = "google-genai"
    key = KEY
    calls_per_call = 220  # an embedding of several texts
    recordings = RECORDINGS

    def client(self, url: str, case: Case) -> Any:
        retries = {"attempts": case.retries + 1, "initial_delay": 0.001, "max_delay": 0.01, "jitter": 0.0}  # interactions retry by default, for 13 s
        options: dict[str, Any] = {"base_url": url, "timeout": 20_000, "retry_options": retries}
        if case.recording.provider == "vertex":
            client = genai.Client(vertexai=True, credentials=Credentials(token=self.key), project="lorem", location="ipsum", http_options=options)
        else:
            client = genai.Client(vertexai=False, api_key=self.key, http_options=options)
        return client.aio if case.asynchronous else client

    def ask(self, client: Any, case: Case) -> Any:
        method, arguments = google_method_of(client, case.recording)
        return method(**arguments)
