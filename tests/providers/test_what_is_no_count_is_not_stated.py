"""A value that is no count reads as one that is not stated: nothing is invented in its place, and what else is stated stays as it is.

Every shape, every place in every recorded answer: a number of tokens is replaced by a text, a negative number, a number of more than 64 bits, a
fraction, an object; and by null, which says that it is not stated.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.subjects import Subject, documents_of, subjects
from tests.support.tampering import readings_of
from tokentrail.instrumentation.around import COUNTS, sanitized

NO_COUNTS: tuple[Any, ...] = ("lorem", -1, 2**63, 12.5, {"a": 1}, [3])
WORDS = ("token", "usage", "count", "units")
NO_TOKENS = ("seconds", "pixels")
"""What some usages state beside tokens."""
MOST_DOCUMENTS = 6
"""Of a stream: the first ones and the last ones; those between them are alike."""


def counts_in(value: Any, inside: bool = False) -> Iterator[tuple[Any, Any]]:
    """Each place of a whole number that is, or stands in an object that is, named after tokens: its container and its name there."""
    if isinstance(value, list):
        for item in value:
            yield from counts_in(item, inside)
        return
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        named = inside or any(word in name.lower() for word in WORDS)
        if named and type(item) is int and not name.endswith(NO_TOKENS):
            yield value, name
        else:
            yield from counts_in(item, named)


def read(subject: Subject, documents: list[Any]) -> list[Any]:
    found = []
    for reading in readings_of(subject, copy.deepcopy(documents)):
        if reading is not None:
            answer = sanitized(reading[0], 1)
            found.append(({name: getattr(answer, name) for name in COUNTS}, reading[1]))
    return found


def assert_known_or_nothing(found: list[Any], not_stated: list[Any]) -> None:
    for (counts, _), (others, _) in zip(found, not_stated, strict=True):
        assert all(count in (None, others[name]) for name, count in counts.items()), (counts, others)


SUBJECTS = {str(subject): subject for subject in subjects() if subject.route is None}


@pytest.mark.parametrize("name", SUBJECTS)
def test_of_every_shape(name: str) -> None:
    subject = SUBJECTS[name]
    documents = copy.deepcopy(documents_of(subject.recording.id))
    if len(documents) > 2 * MOST_DOCUMENTS:
        documents = documents[:MOST_DOCUMENTS] + documents[-MOST_DOCUMENTS:]
    for place, key in list(counts_in(documents)):
        stated, place[key] = place[key], None
        not_stated = read(subject, documents)
        for bad in NO_COUNTS:
            place[key] = bad
            if subject.recording.provider == "xai_grpc":  # a number that protobuf's JSON leaves out is 0
                assert_known_or_nothing(read(subject, documents), not_stated)
            else:
                assert read(subject, documents) == not_stated, (key, stated, bad)
        place[key] = stated
