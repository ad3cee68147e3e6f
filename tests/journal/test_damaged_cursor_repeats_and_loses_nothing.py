"""How far a journal is acknowledged is only believed where its checksum says so; without it records are sent again, and count once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.journal import abandon, adopt, append, shipper, writer
from tests.support.otlp_receiver import Otlp
from tokentrail.cli.journal import command
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


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_numbers_of_files_that_are_shipped_and_removed_are_not_called_damaged(root: Path, otlp: Otlp, damage: Callable[[Path], object]) -> None:
    service = writer(root, segment_bytes=4096)
    append(service, 40)
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    assert segments(service.folder)[0].name > "00000001.journal"
    append(service, 5)
    damage(service.folder / "cursor")
    abandon(service)
    assert adopt(root, otlp).done
    assert set(otlp.numbers(service.writer_id)) == set(range(1, 46))
    [closing] = otlp.closings(service.writer_id)
    assert (closing["last_seq"], closing.get("damaged", [])) == (45, [])


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


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def full_folder_instead(path: Path) -> None:
    folder_instead(path)
    (path / "kept").write_text("somebody's")


def of_another_writer(path: Path) -> None:
    other = writer(path.parents[2] / "elsewhere")
    append(other, 500)
    store_cursor(other.folder, Cursor("00000009.journal", 4711, 500, 500))
    path.write_bytes((other.folder / "cursor").read_bytes())
    other.close()


LOST = DAMAGE | {"a folder": folder_instead, "a folder with something in it": full_folder_instead, "that of another writer": of_another_writer}


@pytest.mark.parametrize("damage", LOST.values(), ids=LOST)
def test_who_ships_a_living_writer_remembers(root: Path, otlp: Otlp, damage: Callable[[Path], object]) -> None:
    service = writer(root, segment_bytes=4096)
    append(service, 40)
    ships = shipper(root, otlp)
    assert ships.ship_folder(service.folder, live=True).done
    damage(service.folder / "cursor")
    append(service, 5)
    assert ships.ship_folder(service.folder, live=True).done
    assert otlp.numbers(service.writer_id) == list(range(1, 46)), "neither lost nor sent again"
    service.close()


@pytest.mark.parametrize("damage", [folder_instead, full_folder_instead], ids=["empty", "with something in it"])
def test_a_folder_in_the_cursors_place_stops_no_command(root: Path, otlp: Otlp, damage: Callable[[Path], object]) -> None:
    dead = writer(root)
    append(dead, 10)
    assert shipper(root, otlp).ship_folder(dead.folder, live=True).done
    append(dead, 5)
    abandon(dead)
    damage(dead.folder / "cursor")
    shipped = CliRunner().invoke(command, ["ship", "--dir", str(root), "--endpoint", otlp.url])
    assert shipped.exit_code == 0, shipped.output
    assert "Errno" not in shipped.stderr
    assert [line for line in shipped.stderr.splitlines() if "cursor" in line] == (
        [f"how far {dead.folder} is acknowledged cannot be stored: a folder stands where the file {dead.folder / 'cursor'} belongs: remove it"]
        if damage is full_folder_instead
        else []
    )
    assert set(otlp.numbers(dead.writer_id)) == set(range(1, 16))
    assert len(otlp.closings(dead.writer_id)) == 1
    assert (dead.folder / "cursor" / "kept").exists() == (damage is full_folder_instead)
    again = CliRunner().invoke(command, ["ship", "--dir", str(root), "--endpoint", otlp.url])
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout.startswith("0 records")


@pytest.mark.parametrize("name", ["alive", "shipping"])
def test_a_folder_in_a_locks_place_is_one_sentence(root: Path, otlp: Otlp, name: str) -> None:
    for _ in range(2):
        dead = writer(root)
        append(dead, 3)
        abandon(dead)
    place = dead.folder / name
    place.unlink(missing_ok=True)
    place.mkdir()
    (place / "kept").touch()
    shipped = CliRunner().invoke(command, ["ship", "--dir", str(root), "--endpoint", otlp.url])
    assert shipped.exit_code == 1
    [said] = [line for line in shipped.stderr.splitlines() if str(place) in line]
    assert said == f"the journal {dead.folder} cannot be read or written: a folder stands where the file {place} belongs: remove it"
    assert len(otlp.writers()) == 1, "the other one is shipped"
    (place / "kept").unlink()
    assert adopt(root, otlp).done, "an empty folder is in nobody's way"
    assert otlp.numbers(dead.writer_id) == [1, 2, 3]


def test_a_cursor_that_is_ahead_of_all_files_skips_none(root: Path, otlp: Otlp) -> None:
    """The journal is restored from an older copy, and its cursor is not."""
    dead = writer(root)
    append(dead, 10)
    store_cursor(dead.folder, Cursor("00000009.journal", 100, 3, 3))
    abandon(dead)
    assert adopt(root, otlp).done
    assert set(otlp.numbers(dead.writer_id)) == set(range(1, 11))
