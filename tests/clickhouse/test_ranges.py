from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tokentrail.ledger import ranges

some = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=6)


def numbers(given_ranges: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in given_ranges for number in range(first, last + 1)}


@given(some, some)
def test_subtracting_and_intersecting_are_those_of_sets(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    assert numbers(ranges.subtract(left, right)) == numbers(left) - numbers(right)
    assert numbers(ranges.intersect(left, right)) == numbers(left) & numbers(right)


@given(some)
def test_joined_ranges_are_sorted_and_apart(given_ranges: list[tuple[int, int]]) -> None:
    joined = ranges.join(given_ranges)
    assert numbers(joined) == numbers(given_ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(joined))


@given(some)
def test_writing_and_reading_give_the_same(given_ranges: list[tuple[int, int]]) -> None:
    joined = ranges.join(given_ranges)
    assert ranges.parse(ranges.write(joined)) == joined


def test_a_range_that_ends_before_it_starts_is_empty() -> None:
    assert ranges.parse("9-7,3") == [(3, 3)]
