"""The conformance kit: what the author of an integration runs, so that every promise of the project is held against his SDK.

    class TestAcme(Conformance):
        integration = "acme_tokentrail:INTEGRATION"
        recordings = Path(__file__).parent / "recordings"

        def client(self, url, case):
            return (acme.AsyncClient if case.asynchronous else acme.Client)(url, retries=case.retries)

        def ask(self, client, case):
            return client.ask(**case.request)

pytest collects the class. Each recording is asked for by each kind of client, with the integration's hooks and without.

| file | holds |
|---|---|
| `kit.py` | what an author fills in; cases; hooks on and off; one look at one call |
| `promises_of_calls.py` | exact counts, one row, the same for the caller, bad answers, nothing kept |
| `promises_of_streams.py` | items when they arrive; streams that are closed, dropped, left, cancelled |
| `promises_of_failures.py` | errors, retries, exceptions of the integration |
| `promises_of_privacy.py` | no prompt, no answer, no key in files, spans, metrics, logs |
| `promises_of_packages.py` | versions, imports, `help()`, hooks on and off, forks, function calls |
| `case.py`, `stage.py` | one call, step by step; what is known of a server that plays recordings, cut and held |
| `http_stage.py`, `grpc_stage.py`, `wire.py` | the servers; gRPC's is asked for by name, and its connection can end |
| `seen.py`, `requests.py`, `records.py`, `bodies.py`, `forking.py` | what is compared; bad bodies; forks |
| `marks.py`, `kept.py`, `left.py` | texts that are planted; what is in memory after a call, and what a runtime leaves behind |
"""

from __future__ import annotations

from tokentrail.testing.conformance.case import Case
from tokentrail.testing.conformance.promises_of_calls import PromisesOfCalls
from tokentrail.testing.conformance.promises_of_failures import PromisesOfFailures
from tokentrail.testing.conformance.promises_of_packages import PromisesOfPackages
from tokentrail.testing.conformance.promises_of_privacy import PromisesOfPrivacy
from tokentrail.testing.conformance.promises_of_streams import PromisesOfStreams

__all__ = ["Case", "Conformance"]


class Conformance(PromisesOfCalls, PromisesOfStreams, PromisesOfFailures, PromisesOfPrivacy, PromisesOfPackages):
    """The class to fill in: `integration`, `recordings`, `client` and `ask`; see `Kit` for what else can be said of an SDK."""
