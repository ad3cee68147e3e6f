"""The checks of a service's own interpreter: what `tokentrail doctor` does itself, and what the application's interpreter does for it.

Needs the core of tokentrail only: a service has no command line installed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from tokentrail import __version__
from tokentrail.doctor.collector import check_collector
from tokentrail.doctor.finding import Finding
from tokentrail.doctor.hooks import check_hooks
from tokentrail.doctor.journal import check_journal
from tokentrail.doctor.sdks import check_sdks
from tokentrail.doctor.spans import check_spans
from tokentrail.settings import from_environment

__all__ = ["findings_as_json", "service_checks"]


def service_checks(errors: Sequence[str] = (), *, application: bool = False) -> Iterator[Finding]:
    """All checks but ClickHouse's, in the order of a usage's way. `errors` are what OpenTelemetry's set-up logged before."""
    wrong: list[str] = []
    settings = from_environment(os.environ, wrong.append)
    yield from [Finding("settings", "wrong", sentence) for sentence in wrong] or [Finding("settings", "ok", "the environment can be read")]
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: check_hooks(errors, application=application),  # before the SDKs' check, which arms hooks itself
        check_sdks,
        lambda: check_spans(settings),
        lambda: check_journal(settings),
        lambda: check_collector(settings),
    )
    for check in checks:
        yield from check()


def findings_as_json(errors: Sequence[str]) -> str:
    """The findings of this interpreter, which is the application's, as the doctor's own process reads them."""
    version = ".".join(map(str, sys.version_info[:3]))
    asked = Finding(
        "application", "ok", f"{sys.executable} (Python {version}) with tokentrail {__version__} was asked; no line of the program was run"
    )
    return json.dumps([asdict(finding) for finding in (asked, *service_checks(errors, application=True))])
