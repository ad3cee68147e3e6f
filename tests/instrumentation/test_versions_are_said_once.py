"""The versions of an SDK that were tried stand in its integration, and everybody else reads or repeats them: the log, the doctor, extras, pins, docs."""

from __future__ import annotations

import logging
import re
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.installed import ALL, Point
from tokentrail.doctor.sdks import check_sdks
from tokentrail.instrumentation import registry, versions
from tokentrail.instrumentation.contract import Hook, Integration
from tokentrail.instrumentation.registry import instrument, integrations

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("version", "supports", "inside"),
    [
        ("1.50", ">=1.50,<4", True),
        ("1.49.9", ">=1.50,<4", False),
        ("3.99.1", ">=1.50,<4", True),
        ("4", ">=1.50,<4", False),
        ("4.0.0b1", ">=1.50,<4", False),
        ("1.9", ">=1.10", False),
        ("1.10.0.dev3", ">=1.10", True),
        ("17", "", True),
        ("not a version", ">=1", False),
    ],
)
def test_ranges(version: str, supports: str, inside: bool) -> None:
    assert versions.is_supported(version, supports) is inside


@pytest.mark.parametrize("name", ALL)
def test_extras_pins_and_docs_say_the_same(name: str) -> None:
    integration = integrations()[name]
    lower = integration.supports.partition(",")[0]
    assert re.fullmatch(r">=\d+\.\d+(\.\d+b\d+)?(,<\d+)", integration.supports)
    assert f'{name} = ["{integration.package}{lower}"]' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert f"| {name} | `{integration.supports}` |" in (ROOT / "docs" / "services.md").read_text("utf-8")
    constraints = "\n".join(path.read_text("utf-8") for path in ROOT.glob("constraints*.txt"))
    pinned = re.findall(rf"^{integration.package}==([^\s;]+)", constraints, re.MULTILINE)
    assert pinned
    assert all(versions.is_supported(version, integration.supports) for version in pinned)
    assert name in (ROOT / "README.md").read_text("utf-8")


def acme(supports: str, monkeypatch: pytest.MonkeyPatch) -> Integration:
    """An SDK of version 7, imported."""
    module: Any = types.ModuleType("acme_client")
    module.ask = types.FunctionType((lambda: 1).__code__, vars(module), "ask")
    monkeypatch.setitem(sys.modules, "acme_client", module)
    monkeypatch.setattr(versions, "version", lambda _package: "7.1")
    integration = Integration("acme", "acme-sdk", (Hook("acme_client", "ask", opens=lambda *_: None),), supports=supports)
    point = Point(integration)
    monkeypatch.setattr(registry, "points", lambda: {"acme": point})
    return integration


@pytest.mark.parametrize(("supports", "said"), [(">=1,<7", 1), (">=1,<8", 0), ("", 0)])
def test_the_log_names_a_version_that_was_not_tried_once(
    supports: str, said: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    integration = acme(supports, monkeypatch)
    with caplog.at_level(logging.WARNING, "tokentrail"):
        instrument()
        instrument()
    told = [record.getMessage() for record in caplog.records if "acme" in record.getMessage()]
    assert len(told) == said
    assert all("acme-sdk 7.1 is outside of >=1,<7" in sentence for sentence in told)
    assert (versions.outside(replace(integration, package="acme")) is not None) == bool(said)


def test_the_doctor_names_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    acme(">=1,<7", monkeypatch)
    monkeypatch.setattr("tokentrail.doctor.sdks.version_of", lambda _package: "7.1")
    notes = [finding.sentence for finding in check_sdks() if finding.what == "acme" and finding.state == "note"]
    assert any(sentence.startswith("acme-sdk 7.1 is outside of >=1,<7") for sentence in notes)
