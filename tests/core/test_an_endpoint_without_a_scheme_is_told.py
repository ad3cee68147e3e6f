"""`localhost:4318` is no address: `configure` says so at once, a service keeps its records, and so does a command say it."""

from __future__ import annotations

import pytest

from tests.support.programs import run
from tokentrail.journal.endpoint import endpoint_problem
from tokentrail.settings import Settings, from_environment

CONFIGURE = """
import json, tokentrail
from tokentrail.process.current import current
import tokentrail
said = []
for changes in {changes!r}:
    try:
        tokentrail.configure(**changes)
        said.append("")
    except ValueError as error:
        said.append(str(error))
print(json.dumps([said, current.settings.endpoint, current.settings.tenant_id]))
"""


def configured(*changes: dict[str, str]) -> tuple[list[str], str, str]:
    said, endpoint, tenant = run(CONFIGURE.format(changes=changes))
    return said, endpoint, tenant


def test_configure_says_what_is_meant_and_changes_nothing() -> None:
    said, endpoint, tenant = configured(
        {"endpoint": "localhost:4318", "tenant_id": "acme"},
        {"endpoint": "collector"},
        {"endpoint": "http://"},
        {"endpoint": "http://host:many/v1/logs"},
        {"endpoint": "ftp://host/v1/logs"},
    )
    assert said[0] == "endpoint='localhost:4318': an http(s) address with scheme, host and path is needed; is http://localhost:4318/v1/logs meant?"
    assert said[1].endswith("is http://collector/v1/logs meant?")
    assert all("an http(s) address with scheme, host and path is needed" in sentence for sentence in said)
    assert (endpoint, tenant) == ("", "")


def test_addresses_that_may_work_are_taken_as_they_are() -> None:
    good = ["http://localhost:4318/v1/logs", "https://collector/v1/logs", "http://[::1]:4318/custom", "http://localhost:4318", ""]
    said, endpoint, _ = configured(*({"endpoint": address} for address in good), {"tenant_id": "x"})
    assert (said, endpoint) == ([""] * 6, "")


def test_another_protocol_may_have_other_addresses_in_either_order() -> None:
    assert configured({"protocol": "grpc", "endpoint": "localhost:4317"})[0] == [""]
    assert configured({"endpoint": "localhost:4317", "protocol": "grpc"})[0] == [""]
    assert configured({"protocol": "grpc"}, {"endpoint": "localhost:4317"})[0] == ["", ""]


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "TOKENTRAIL_ENDPOINT"])
def test_of_a_variable(variable: str) -> None:
    settings = from_environment({variable: "localhost:4318"}, pytest.fail)
    assert "is not an http(s) address: use http://host:4318/v1/logs" in str(endpoint_problem(settings))
    assert endpoint_problem(Settings()) is None
