"""A volume that is copied while its service runs, and shipped from two places: the same identities twice, and later events of a closed writer."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.journal import adopt, append, shipper, writer
from tests.support.otlp_receiver import Otlp
from tokentrail import semconv


def test_shipped_from_two_places(root: Path, otlp: Otlp) -> None:
    service = writer(root)
    append(service, 5)
    copy = root.with_name("copy")
    shutil.copytree(root, copy)
    append(service, 3)
    assert adopt(copy, otlp).done, "its lock was not copied: there the writer is dead"
    assert otlp.closings(service.writer_id)[0]["last_seq"] == 5
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    assert otlp.numbers(service.writer_id) == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 8]
    said = {}
    for record in otlp.events(service.writer_id, semconv.EVENT_USAGE):
        identity = record.seq
        values = record.attributes | record.fields | {"ts": record.time_unix_nano}
        assert said.setdefault(identity, values) == values, "the same number says something else"
    service.close()
    assert adopt(root, otlp).done
    assert [closing["last_seq"] for closing in otlp.closings(service.writer_id)] == [5, 8]


def test_a_restored_backup_repeats_what_was_shipped(root: Path, otlp: Otlp) -> None:
    service = writer(root)
    append(service, 5)
    backup = root.with_name("backup")
    shutil.copytree(root, backup)
    service.close()
    assert adopt(root, otlp).done
    shutil.rmtree(root)
    backup.rename(root)
    assert adopt(root, otlp).done
    assert otlp.numbers(service.writer_id) == [1, 2, 3, 4, 5] * 2
