"""The checks of a service's interpreter, run by `tokentrail doctor` itself, or by the application's interpreter.

Imports only the core of tokentrail: a service has no command line installed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from typing import Final

from tokentrail import __version__
from tokentrail.doctor.bridge import check_bridge
from tokentrail.doctor.collector import check_collector
from tokentrail.doctor.finding import Finding
from tokentrail.doctor.hooks import check_hooks
from tokentrail.doctor.journal import check_journal
from tokentrail.doctor.log_delivery import check_log_delivery
from tokentrail.doctor.sdks import check_sdks
from tokentrail.doctor.spans import check_spans
from tokentrail.settings import OTEL, from_environment

__all__ = ["SDKS", "findings_as_json", "service_checks"]

SDKS: Final = "TOKENTRAIL_DOCTOR_SDKS"
"""Tells an application's interpreter whose SDKs to call."""


def service_checks(errors: Sequence[str] = (), *, application: bool = False, sdks: Collection[str] = ()) -> Iterator[Finding]:
    """Runs all checks but ClickHouse's, in the order of a usage's path.

    `errors` are the errors that OpenTelemetry logged during its set-up, `sdks` the integrations whose SDKs are called (all of none).
    """
    wrong: list[str] = []
    settings = from_environment(os.environ, wrong.append)
    yield from [Finding("settings", "wrong", sentence) for sentence in wrong] or [Finding("settings", "ok", "the environment can be read")]
    delivery: tuple[Callable[[], Iterator[Finding]], ...] = (lambda: check_journal(settings), lambda: check_collector(settings))
    if settings.delivery == OTEL:
        delivery = (lambda: check_log_delivery(settings),)
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: check_hooks(errors, application=application),  # before the check of the SDKs, which switches hooks on itself
        lambda: check_sdks(only=sdks),
        lambda: check_spans(settings),
        check_bridge,
        *delivery,
    )
    for check in checks:
        yield from check()


def findings_as_json(errors: Sequence[str]) -> str:
    """Returns the findings of this interpreter, the application's, as JSON for the doctor's process."""
    version = ".".join(map(str, sys.version_info[:3]))
    asked = Finding(
        "application", "ok", f"{sys.executable} (Python {version}) with tokentrail {__version__} was asked; no line of the program was run"
    )
    return json.dumps([asdict(finding) for finding in (asked, *service_checks(errors, application=True, sdks=_wanted()))])


def _wanted() -> tuple[str, ...]:
    """Returns the integrations that the doctor's process asks for."""
    return tuple(filter(None, os.environ.get(SDKS, "").split(",")))
