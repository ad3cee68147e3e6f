"""`make audit`: what is installed has licences that fit, and a package whose licence does not is named."""

from __future__ import annotations

from email.message import Message
from importlib import metadata

import pytest

from tests.support.scripts import load_script

audit = load_script("audit")


def described(name: str, *, expression: str = "", classifiers: tuple[str, ...] = (), field: str = "") -> Message:
    message = Message()
    message["Name"], message["Version"] = name, "1"
    for key, value in (("License-Expression", expression), ("License", field), *(("Classifier", each) for each in classifiers)):
        if value:
            message[key] = value
    return message


def test_everything_that_is_installed() -> None:
    installed = [each.metadata for each in metadata.distributions() if each.metadata["Name"] != "tokentrail"]
    assert len(installed) > 50
    assert audit.findings(installed) == []


@pytest.mark.parametrize(
    "package",
    [
        described("a", expression="MIT"),
        described("a", expression="GPL-3.0-only OR Apache-2.0"),
        described("a", expression="BSD-3-Clause AND ISC"),
        described("a", classifiers=("License :: OSI Approved :: MIT License", "Topic :: Internet")),
        described("a", field="Apache License 2.0\n\nThe whole text"),
        described("psycopg", expression="LGPL-3.0-only"),
    ],
)
def test_what_fits_is_not_named(package: Message) -> None:
    assert audit.findings([package]) == []


@pytest.mark.parametrize(
    "package",
    [
        described("a", expression="GPL-3.0-only"),
        described("a", expression="MIT AND AGPL-3.0-only"),
        described("a", classifiers=("License :: OSI Approved :: GNU Affero General Public License v3",)),
        described("a", field="Proprietary"),
        described("a"),
        described("a", expression="Business Source License"),
    ],
)
def test_what_does_not_fit_is_named(package: Message) -> None:
    (line,) = audit.findings([package])
    assert line.startswith("a 1: ")


UNKNOWN = '{"dependencies": [{"name": "a", "skip_reason": "not found"}, {"name": "b", "skip_reason": "not found"}], "fixes": []}'
KNOWN = (
    '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}, '
    '{"name": "b", "version": "3", "vulns": []}, {"name": "c", "skip_reason": "not found"}], "fixes": []}'
)


@pytest.mark.parametrize(
    ("out", "errors", "says"),
    [
        (UNKNOWN, "", "not known: pip-audit's database, as it can be reached from here, knows none of 2 packages"),
        ("", "Traceback\nConnectionError: no route", "not known: pip-audit could not ask its database (ConnectionError: no route)"),
        ('{"dependencies": []}', "", "knows none of 0 packages"),
    ],
)
def test_vulnerabilities_that_nobody_could_ask_for_are_not_called_none(out: str, errors: str, says: str) -> None:
    found, sentence = audit.told(out, errors)
    assert found == []
    assert says in sentence
    assert "\n" not in sentence


def test_vulnerabilities_are_named() -> None:
    assert audit.told(KNOWN, "") == (["a 1: PYSEC-1, mended in 2"], "2 packages, 1 holes; 1 could not be asked for")
