"""A journal of an older tokentrail, whose frames hold msgpack, is shipped as a new one is: no record is lost by an upgrade."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import msgspec
import pytest

from tests.support.journal import abandon, adopt, append, usage, writer
from tests.support.otlp_receiver import Otlp
from tokentrail import semconv
from tokentrail.journal import files as files_module
from tokentrail.journal import frames, records
from tokentrail.journal import writer as writer_module
from tokentrail.journal.folder import segments


def in_msgpack(number: int, payload: bytes) -> bytes:
    """A frame as the first version wrote it: the checksum starts from the number alone, and the payload is msgpack."""
    packed = msgspec.msgpack.encode(msgspec.json.decode(payload))
    return struct.pack("<4sIIQ", b"\xf7TT\x01", len(packed), zlib.crc32(packed, number & 0xFFFFFFFF), number) + packed


@pytest.fixture
def older(root: Path, monkeypatch: pytest.MonkeyPatch) -> writer_module.Writer:
    with monkeypatch.context() as patch:
        for module in (files_module, writer_module):
            patch.setattr(module, "frame", in_msgpack)
        service = writer(root)
        append(service, 3)
        service.append(records.encode(usage(4, tenant_id="ü", metadata='{"a": 1}', input_tokens=12)))
        service.close()
    return service


def test_every_record_arrives_as_it_was(root: Path, otlp: Otlp, older: writer_module.Writer) -> None:
    assert adopt(root, otlp).done
    assert otlp.numbers(older.writer_id) == [1, 2, 3, 4]
    assert [closing["last_seq"] for closing in otlp.closings(older.writer_id)] == [4]
    last = otlp.events(older.writer_id, semconv.EVENT_USAGE)[-1]
    assert (last.fields["tenant_id"], last.fields["metadata"], last.fields["input_tokens"]) == ("ü", '{"a": 1}', 12)
    assert last.attributes[semconv.SCHEMA] == semconv.SCHEMA_VERSION


def test_a_changed_format_is_damage(root: Path, otlp: Otlp, older: writer_module.Writer) -> None:
    path = segments(older.folder)[0]
    data = path.read_bytes()
    second = data.index(frames.MARK, data.index(frames.MARK) + 1)
    path.write_bytes(data[: second + 3] + b"\x02" + data[second + 4 :])
    abandon(older)
    assert adopt(root, otlp).done
    assert otlp.numbers(older.writer_id) == [2, 3, 4]
    assert otlp.damaged(older.writer_id) == {1}
