"""The whole test of an integration: the kit holds every promise against it. `python -m pytest examples/integration`, from the checkout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tokentrail.testing.conformance import Case, Conformance

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # in a package of its own, the SDK and the integration are installed


class TestAcme(Conformance):
    integration = "acme_tokentrail:INTEGRATION"
    recordings = HERE / "recordings"

    def client(self, url: str, case: Case) -> Any:
        import acme

        return (acme.AsyncClient if case.asynchronous else acme.Client)(url, retries=case.retries)

    def ask(self, client: Any, case: Case) -> Any:
        return client.ask(**case.request)
