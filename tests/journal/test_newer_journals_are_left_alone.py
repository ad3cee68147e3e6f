"""A journal of a newer tokentrail may say things that this one does not know: it is named, and left to the newer one."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.journal import abandon, adopt, append, shipper, writer
from tests.support.otlp_receiver import Otlp
from tokentrail import semconv
from tokentrail.cli.journal import command
from tokentrail.journal import files as files_module
from tokentrail.journal import frames
from tokentrail.journal import writer as writer_module
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.folder import segments
from tokentrail.journal.records import Header


def in_newer_format(number: int, payload: bytes) -> bytes:
    """A frame as a later version writes it: in a format of its own, so that not even the header can be read."""
    form = frames.FORMAT + 1
    checksum = zlib.crc32(payload, (number ^ (form - 1 << 24)) & 0xFFFFFFFF)
    return struct.pack("<3sBIIQ", frames.MARK, form, len(payload), checksum, number) + payload


@pytest.fixture(params=["schema", "format"])
def newer(root: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> writer_module.Writer:
    with monkeypatch.context() as patch:
        if request.param == "schema":
            patch.setattr(files_module, "Header", lambda **fields: Header(**fields, schema=semconv.SCHEMA_VERSION + 1))
        else:
            for module in (files_module, writer_module):
                patch.setattr(module, "frame", in_newer_format)
        service = writer(root)
        append(service, 3)
    return service


def test_of_the_dead_and_of_the_living(root: Path, otlp: Otlp, newer: writer_module.Writer) -> None:
    said: list[str] = []
    adopter = Adopter(shipper(root, otlp, complain=said.append))
    assert not adopter.ship_living().done
    abandon(newer)
    before = segments(newer.folder)[0].read_bytes()
    for _ in range(3):
        progress = adopter.adopt_dead()
        assert not progress.done
    assert otlp.requests == []
    assert segments(newer.folder)[0].read_bytes() == before
    assert len(said) == 1
    assert "newer tokentrail" in said[0]


def test_others_are_shipped_all_the_same(root: Path, otlp: Otlp, newer: writer_module.Writer) -> None:
    abandon(newer)
    other = writer(root)
    numbers = append(other, 3)
    abandon(other)
    progress = adopt(root, otlp)
    assert not progress.done
    assert otlp.numbers(other.writer_id) == numbers
    assert [path.name for path in root.iterdir()] == [newer.writer_id]


def test_the_commands_say_so(root: Path, otlp: Otlp, newer: writer_module.Writer) -> None:
    abandon(newer)
    shown = CliRunner().invoke(command, ["status", "--dir", str(root)], env={"COLUMNS": "200"})
    assert "newer" in shown.output
    sent = CliRunner().invoke(command, ["ship", "--dir", str(root), "--endpoint", otlp.url])
    assert sent.exit_code == 1
    assert "newer tokentrail" in sent.stderr


def test_status_names_the_newer_one_and_no_damage(root: Path, newer: writer_module.Writer) -> None:
    abandon(newer)
    shown = CliRunner().invoke(command, ["status", "--dir", str(root), "--json"])
    assert shown.exit_code == 0, shown.stderr
    [seen] = json.loads(shown.stdout)["writers"]
    assert (seen["state"], seen["damaged_bytes"], seen["missing"]) == ("newer", 0, [])
