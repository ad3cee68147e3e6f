"""The whole test of an integration over gRPC: `server` is the stage that plays gRPC. `python -m pytest examples/integration_grpc`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tokentrail.testing.conformance import Case, Conformance
from tokentrail.testing.conformance.grpc_stage import GrpcStage

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # in a package of its own, the SDK and the integration are installed

import acme_grpc  # noqa: E402 - the stage finds the SDK's messages once the SDK is imported


class TestAcmeGrpc(Conformance):
    integration = "acme_grpc_tokentrail:INTEGRATION"
    server = GrpcStage
    recordings = HERE / "recordings"
    retries_streams = False

    def client(self, url: str, case: Case) -> Any:
        return (acme_grpc.AsyncClient if case.asynchronous else acme_grpc.Client)(url, retries=case.retries)

    def ask(self, client: Any, case: Case) -> Any:
        return client.ask(**case.request)
