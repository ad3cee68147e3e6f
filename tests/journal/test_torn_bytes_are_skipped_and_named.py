"""A torn file is never fatal: what is good in it arrives, what is torn is named by its numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.journal import abandon, adopt, append, writer
from tests.support.otlp_receiver import Otlp, numbers_of
from tokentrail import semconv
from tokentrail.cli.journal import command
from tokentrail.journal.folder import segments
from tokentrail.journal.frames import HEADER_BYTES, Frame, scan
from tokentrail.journal.status import journal_status


def frames(path: Path) -> list[tuple[int, int, int]]:
    """(start, end, number) of each frame in a file."""
    start, found = 0, []
    for piece in scan(path.read_bytes()):
        assert isinstance(piece, Frame)
        found.append((start, piece.end, piece.number))
        start = piece.end
    return found


def overwrite(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


def zeros_behind(path: Path) -> set[int]:
    with path.open("ab") as file:
        file.write(bytes(5000))
    return set()


def zeros_within(path: Path) -> set[int]:
    hit = frames(path)[5:8]
    overwrite(path, hit[0][0], bytes(hit[-1][1] - hit[0][0]))
    return {number for _, _, number in hit}


def one_bit(path: Path) -> set[int]:
    start, end, number = frames(path)[9]
    at = (start + end) // 2
    overwrite(path, at, bytes([path.read_bytes()[at] ^ 4]))
    return {number}


def cut_out(path: Path) -> set[int]:
    """Bytes are gone from the middle, and what follows has moved."""
    hit = frames(path)[5:7]
    data = path.read_bytes()
    path.write_bytes(data[: hit[0][0] + 7] + data[hit[1][0] + 11 :])
    return {number for _, _, number in hit}


def length_beyond_the_end(path: Path) -> set[int]:
    start, _, number = frames(path)[4]
    overwrite(path, start + 4, (60_000).to_bytes(4, "little"))
    return {number}


def header_gone(path: Path) -> set[int]:
    overwrite(path, 0, b"\xff" * frames(path)[0][1])
    return set()


def header_and_first_gone(path: Path) -> set[int]:
    overwrite(path, 0, bytes(frames(path)[1][1]))
    return {1}


DAMAGE = [zeros_behind, zeros_within, one_bit, cut_out, length_beyond_the_end, header_gone, header_and_first_gone]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_good_records_arrive_and_torn_ones_are_named(root: Path, otlp: Otlp, damage: Callable[[Path], set[int]]) -> None:
    dead = writer(root)
    numbers = set(append(dead, 20))
    abandon(dead)
    [path] = segments(dead.folder)
    torn = damage(path)
    status = CliRunner().invoke(command, ["status", "--dir", str(root), "--json"])
    assert status.exit_code == 2, status.output
    assert f"the journal {root} is damaged" in status.stderr
    [seen] = json.loads(status.stdout)["writers"]
    assert seen["damaged_bytes"] > 0
    assert {number for low, high in seen["missing"] for number in range(low, high + 1)} == torn
    said: list[str] = []

    assert adopt(root, otlp, complain=said.append).done

    expected = numbers - torn
    assert otlp.numbers(dead.writer_id) == sorted(expected)
    [closing] = otlp.closings(dead.writer_id)
    assert closing["last_seq"] == max(expected)
    assert numbers_of(closing["damaged"]) == torn
    assert any("torn bytes" in sentence and str(path) in sentence for sentence in said)
    services = {record.resource.get(semconv.SERVICE_NAME) for record in otlp.taken}
    assert services == ({None} if damage in (header_gone, header_and_first_gone) else {"under-test"})
    assert list(root.iterdir()) == []


def cut_last_frame(path: Path, keep: int) -> None:
    with path.open("r+b") as file:
        file.truncate(frames(path)[-1][0] + keep)


@pytest.mark.parametrize("whole_frames", [0, 1, 20], ids=["the header", "the first record", "a later record"])
def test_an_append_cut_short_by_a_kill_is_no_damage(root: Path, otlp: Otlp, whole_frames: int) -> None:
    """The kernel ends a write between two pages when its process is killed: the append never returned, and no disk is to be looked at."""
    dead = writer(root)
    append(dead, 20)
    abandon(dead)
    [path] = segments(dead.folder)
    start, end, _ = frames(path)[whole_frames]
    records = max(0, whole_frames - 1)
    whole = path.read_bytes()
    for keep in range(1, end - start):
        path.write_bytes(whole[: start + keep])
        [seen] = journal_status(root)["writers"]
        found = (seen["damaged_bytes"], seen["unfinished_bytes"], seen["missing"], seen["last_seq"])
        assert found == (0, keep, [], records), f"{keep} bytes of the frame"
    assert CliRunner().invoke(command, ["status", "--dir", str(root)]).exit_code == 0
    shipped = CliRunner().invoke(command, ["ship", "--dir", str(root), "--endpoint", otlp.url])
    assert (shipped.exit_code, shipped.stderr) == (0, "")
    assert otlp.numbers(dead.writer_id) == list(range(1, records + 1))
    assert [closing["last_seq"] for closing in otlp.closings(dead.writer_id)] == [records] * bool(records)
    assert list(root.iterdir()) == []


def other_byte(data: bytes) -> bytes:
    return data[:1] + b"\0" + data[2:]


def too_long(data: bytes) -> bytes:
    return data[:4] + b"\xff\xff\xff\xff" + data[8:]


@pytest.mark.parametrize("harm", [other_byte, too_long, bytes.swapcase, lambda data: data * 2, lambda data: data + bytes(9)])
def test_a_tail_that_is_no_beginning_of_a_record_is_damage(root: Path, harm: Callable[[bytes], bytes]) -> None:
    dead = writer(root)
    append(dead, 20)
    abandon(dead)
    [path] = segments(dead.folder)
    start, end, _ = frames(path)[-1]
    whole = path.read_bytes()
    path.write_bytes(whole[:start] + harm(whole[start : end - 5]))
    [seen] = journal_status(root)["writers"]
    assert (seen["damaged_bytes"] > 0, seen["unfinished_bytes"]) == (True, 0)


def test_a_cut_record_in_a_file_that_others_follow_is_damage(root: Path, otlp: Otlp) -> None:
    """The writer goes on in the next file after a whole record alone: bytes were taken away since."""
    dead = writer(root, segment_bytes=4096)
    append(dead, 60)
    abandon(dead)
    first = segments(dead.folder)[0]
    number = frames(first)[-1][2]
    cut_last_frame(first, 60)
    [seen] = journal_status(root)["writers"]
    assert (seen["damaged_bytes"], seen["unfinished_bytes"], seen["missing"]) == (60, 0, [(number, number)])
    assert adopt(root, otlp).done
    assert numbers_of(otlp.closings(dead.writer_id)[0]["damaged"]) == {number}


def flip(path: Path, at: int, bit: int) -> None:
    overwrite(path, at, bytes([path.read_bytes()[at] ^ 1 << bit]))


@pytest.mark.parametrize("last", [False, True], ids=["in the middle", "the last one"])
def test_every_bit_of_a_frames_head_is_checked(root: Path, last: bool) -> None:
    """Wherever a bit of mark, format, length, checksum or number was lost, the frame is damaged, its number is named, and none of a good frame.

    Behind the last good frame nothing shows how many there were: a number there may be one too many, and is never one too few.
    """
    dead = writer(root)
    append(dead, 20)
    abandon(dead)
    [path] = segments(dead.folder)
    start, _, number = frames(path)[-1 if last else 10]
    whole = path.read_bytes()
    for bit in range(HEADER_BYTES * 8):
        if bit // 8 == 3:
            continue  # another format belongs to a newer tokentrail
        flip(path, start + bit // 8, bit % 8)
        [seen] = journal_status(root)["writers"]
        [(low, high)] = seen["missing"]
        assert (seen["damaged_bytes"] > 0, seen["unfinished_bytes"], low) == (True, 0, number), f"bit {bit}"
        assert high == number or last, f"bit {bit}"
        path.write_bytes(whole)


def test_a_bit_of_a_segments_head_costs_no_record(root: Path, otlp: Otlp) -> None:
    dead = writer(root)
    numbers = append(dead, 20)
    abandon(dead)
    [path] = segments(dead.folder)
    flip(path, HEADER_BYTES - 3, 0)  # its number, which is 0
    assert adopt(root, otlp).done
    assert otlp.numbers(dead.writer_id) == numbers
    [closing] = otlp.closings(dead.writer_id)
    assert (closing["last_seq"], closing["damaged"]) == (20, [])


def test_records_that_are_gone_are_an_exit_code(root: Path, otlp: Otlp) -> None:
    """A file that somebody removed leaves no torn bytes."""
    dead = writer(root, segment_bytes=4096)
    append(dead, 60)
    abandon(dead)
    segments(dead.folder)[1].unlink()
    shipped = CliRunner().invoke(command, ["ship", "--dir", str(root), "--endpoint", otlp.url])
    assert shipped.exit_code == 2
    assert "records are gone from it" in shipped.stderr
    assert otlp.closings(dead.writer_id)[0]["damaged"]


def test_a_torn_header_borrows_that_of_the_next_file(root: Path, otlp: Otlp) -> None:
    dead = writer(root, segment_bytes=4096)
    numbers = append(dead, 60)
    abandon(dead)
    paths = segments(dead.folder)
    assert len(paths) > 2
    overwrite(paths[0], 0, bytes(30))
    assert adopt(root, otlp).done
    assert otlp.numbers(dead.writer_id) == numbers
    assert {record.resource.get(semconv.SERVICE_NAME) for record in otlp.taken} == {"under-test"}


def test_a_file_that_is_gone_is_named(root: Path, otlp: Otlp) -> None:
    dead = writer(root, segment_bytes=4096)
    append(dead, 60)
    abandon(dead)
    gone = segments(dead.folder)[1]
    torn = {number for _, _, number in frames(gone) if number}
    gone.unlink()
    assert adopt(root, otlp).done
    assert set(otlp.numbers(dead.writer_id)) == set(range(1, 61)) - torn
    assert numbers_of(otlp.closings(dead.writer_id)[0]["damaged"]) == torn


def test_a_living_writers_torn_middle_is_passed_by(root: Path, otlp: Otlp) -> None:
    from tests.support.journal import shipper

    living = writer(root)
    append(living, 10)
    [path] = segments(living.folder)
    start, end, number = frames(path)[4]
    overwrite(path, start, bytes(end - start))
    ships = shipper(root, otlp)
    assert ships.ship_folder(living.folder, live=True).done
    assert otlp.numbers(living.writer_id) == [n for n in range(1, 11) if n != number]
    append(living, 2)
    assert ships.ship_folder(living.folder, live=True).done
    assert otlp.numbers(living.writer_id)[-2:] == [11, 12]


def test_a_record_that_is_being_written_is_waited_for(root: Path, otlp: Otlp) -> None:
    from tests.support.journal import shipper

    living = writer(root)
    append(living, 3)
    [path] = segments(living.folder)
    whole = path.read_bytes()
    ships = shipper(root, otlp)
    with path.open("r+b") as file:
        file.truncate(frames(path)[-1][0] + 10)
    assert ships.ship_folder(living.folder, live=True).done
    assert otlp.numbers(living.writer_id) == [1, 2]
    path.write_bytes(whole)
    assert ships.ship_folder(living.folder, live=True).done
    assert otlp.numbers(living.writer_id) == [1, 2, 3]


def test_files_larger_than_what_is_read_at_once(root: Path, otlp: Otlp, monkeypatch: pytest.MonkeyPatch) -> None:
    from tokentrail.journal import reader

    monkeypatch.setattr(reader, "WINDOW", 3 * reader.MAX_FRAME)
    dead = writer(root)
    for size in (40, 60_000, 1_000, 63_000) * 8:
        append(dead, 1, metadata="m" * size)
    abandon(dead)
    [path] = segments(dead.folder)
    torn = frames(path)[10]
    overwrite(path, torn[0] + 30, b"\0\0\0")
    assert adopt(root, otlp).done
    assert otlp.numbers(dead.writer_id) == [number for number in range(1, 33) if number != torn[2]]


def test_ship_sends_all_that_is_whole_and_says_in_one_sentence_what_is_not(root: Path, otlp: Otlp) -> None:
    dead = writer(root)
    append(dead, 20)
    abandon(dead)
    [path] = segments(dead.folder)
    torn = zeros_within(path)
    shipped = CliRunner().invoke(command, ["ship", "--dir", str(root), "--endpoint", otlp.url])
    assert shipped.exit_code == 2, shipped.output
    assert shipped.stderr.splitlines()[-1].startswith(f"Error: the journal {root} is damaged")
    assert set(otlp.numbers(dead.writer_id)) == set(range(1, 21)) - torn
    assert CliRunner().invoke(command, ["ship", "--dir", str(root), "--endpoint", otlp.url]).exit_code == 0
