"""How far a journal is acknowledged is only believed where its checksum says so; without it records are sent again, and count once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.journal import abandon, adopt, append, shipper, writer
from tests.support.otlp_receiver import Otlp
from tokentrail.journal.folder import Cursor, load_cursor, segments, store_cursor


def other_digit(path: Path) -> None:
    data = path.read_bytes()
    at = data.index(b'"offset":') + len(b'"offset":')
    path.write_bytes(data[:at] + b"9" + data[at + 1 :])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"\0" * 100),
    "another digit": other_digit,
    "torn": lambda path: path.write_bytes(path.read_bytes().rstrip(b"\0")[:-3]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_repeats_and_loses_nothing(root: Path, otlp: Otlp, damage: Callable[[Path], object]) -> None:
    service = writer(root)
    append(service, 20)
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    numbers = set(range(1, 21)) | set(append(service, 5))
    damage(service.folder / "cursor")
    abandon(service)
    assert adopt(root, otlp).done
    assert set(otlp.numbers(service.writer_id)) == numbers
    assert otlp.numbers(service.writer_id).count(1) == 2


def test_a_file_shorter_than_its_cursor_is_read_from_its_beginning(root: Path, otlp: Otlp) -> None:
    service = writer(root)
    append(service, 20)
    ships = shipper(root, otlp)
    assert ships.ship_folder(service.folder, live=True).done
    [path] = segments(service.folder)
    with path.open("r+b") as file:
        file.truncate(200)
    append(service, 3)
    assert ships.ship_folder(service.folder, live=True).done
    assert {21, 22, 23} <= set(otlp.numbers(service.writer_id))


def test_what_is_stored_is_what_is_loaded(tmp_path: Path) -> None:
    cursor = Cursor("00000003.journal", 4711, 99, 98)
    store_cursor(tmp_path, cursor)
    assert load_cursor(tmp_path) == cursor
    assert load_cursor(tmp_path / "nowhere") == Cursor()
