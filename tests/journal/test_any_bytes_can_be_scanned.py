"""Whatever lies in a file: the scan never raises, and good frames after damage are found."""

from __future__ import annotations

import contextlib
import itertools
import random

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokentrail.journal.frames import MARK, MAX_FRAME, MAX_PAYLOAD, Damage, Frame, frame, scan
from tokentrail.journal.records import decode, gaps, join_ranges

pytestmark = pytest.mark.slow

PAYLOADS = st.one_of(st.binary(max_size=200), st.just(MARK * 3), st.binary(max_size=40).map(lambda data: MARK + data))
FRAMES = st.lists(st.tuples(st.integers(0, 2**64 - 1), PAYLOADS), max_size=6)
GARBAGE = st.one_of(st.binary(max_size=100), st.just(MARK), st.binary(max_size=30).map(lambda data: MARK + data))


def pieces(data: bytes) -> list[Frame | Damage]:
    """The scan's pieces, which must cover the bytes without a gap."""
    found, offset = list(scan(data)), 0
    for piece in found:
        if isinstance(piece, Damage):
            assert piece.start == offset
        assert piece.end > offset
        offset = piece.end
    assert offset == len(data)
    return found


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=2000))
def test_garbage(data: bytes) -> None:
    pieces(data)


@settings(max_examples=500, deadline=None)
@given(FRAMES)
def test_what_is_written_is_found(frames: list[tuple[int, bytes]]) -> None:
    found = pieces(b"".join(frame(number, payload) for number, payload in frames))
    assert [(piece.number, piece.payload) for piece in found if isinstance(piece, Frame)] == frames
    assert len(found) == len(frames)


@settings(max_examples=500, deadline=None)
@given(FRAMES, GARBAGE, FRAMES)
def test_good_frames_on_both_sides_of_garbage(before: list[tuple[int, bytes]], garbage: bytes, after: list[tuple[int, bytes]]) -> None:
    data = b"".join([*(frame(*one) for one in before), garbage, *(frame(*one) for one in after)])
    found = [(piece.number, piece.payload) for piece in pieces(data) if isinstance(piece, Frame)]
    assert found[: len(before)] == before
    assert found[len(found) - len(after) :] == after


@settings(max_examples=300, deadline=None)
@given(FRAMES.filter(lambda frames: len(frames) > 1), st.data())
def test_one_changed_byte_costs_one_frame(frames: list[tuple[int, bytes]], data: st.DataObject) -> None:
    hit = data.draw(st.integers(0, len(frames) - 1))
    parts = [frame(*one) for one in frames]
    at = data.draw(st.integers(0, len(parts[hit]) - 1))
    parts[hit] = parts[hit][:at] + bytes([parts[hit][at] ^ data.draw(st.integers(1, 255))]) + parts[hit][at + 1 :]
    found = [(piece.number, piece.payload) for piece in pieces(b"".join(parts)) if isinstance(piece, Frame)]
    if at >= len(parts[hit]) - len(frames[hit][1]):
        wrong = (frames[hit][0], parts[hit][len(parts[hit]) - len(frames[hit][1]) :])
        assert found.count(wrong) == frames.count(wrong), "a payload that is not what was written"
    # a payload may hold a frame of its own: what is asked is that all others are there, in order
    rest = iter(found)
    assert all(one in rest for one in frames[:hit] + frames[hit + 1 :])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
@example(b"\xa3\xd1*\x85")  # a text that is no UTF-8
@example(b"\x91" * 100_000)  # a list in a list in a list
def test_no_payload_raises_anything_else(payload: bytes) -> None:
    with contextlib.suppress(msgspec.MsgspecError):
        decode(payload)


def test_frames_at_their_bounds() -> None:
    largest = frame(2**64 - 1, bytes(MAX_PAYLOAD))
    assert len(largest) == MAX_FRAME
    assert [piece.number for piece in pieces(largest) if isinstance(piece, Frame)] == [2**64 - 1]
    assert not any(isinstance(piece, Frame) for piece in pieces(frame(1, bytes(MAX_PAYLOAD + 1))))


def test_a_megabyte_of_marks_is_no_endless_work() -> None:
    random.seed(1)
    data = b"".join(MARK + random.randbytes(16) for _ in range(50_000)) + frame(7, b"good")
    assert [piece.number for piece in pieces(data) if isinstance(piece, Frame)] == [7]


RANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda two: (two[0], two[0] + two[1])), max_size=8)


@given(RANGES, st.integers(1, 70), st.integers(0, 70))
def test_ranges_are_sets_of_numbers(ranges: list[tuple[int, int]], first: int, last: int) -> None:
    def numbers(of: list[tuple[int, int]]) -> set[int]:
        return {number for low, high in of for number in range(low, high + 1)}

    joined = join_ranges(ranges)
    assert numbers(joined) == numbers(ranges)
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(joined))
    missing = gaps(first, last, ranges)
    assert numbers(missing) == set(range(first, last + 1)) - numbers(ranges)
    assert missing == join_ranges(missing)


def test_ranges_of_days_of_refusals_cost_nothing() -> None:
    assert gaps(1, 10**15, [(3, 10**14), (10**14 + 2, 10**15)]) == [(1, 2), (10**14 + 1, 10**14 + 1)]
