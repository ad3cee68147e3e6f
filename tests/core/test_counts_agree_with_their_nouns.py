from __future__ import annotations

import pytest

from tokentrail.ledger.verify import Verification, Writer
from tokentrail.wording import counted, of_number


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 records"), (1, "1 record"), (2, "2 records"), (1000, "1,000 records"), (-1, "-1 record")],
    ids=str,
)
def test_counted(number: int, said: str) -> None:
    assert counted(number, "record") == said
    assert of_number(number, "process", "processes") == ("process" if abs(number) == 1 else "processes")


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (
            "7",
            [
                "number 7 never arrived",
                "number 7 arrived, but its call is not in the ledger",
                "number 7 counts something else in the ledger than what arrived",
                "number 7 is in the ledger and never arrived",
                "number 7 was refused by the journal",
                "1 record in quarantine: x",
            ],
        ),
        (
            "7-9,12",
            [
                "numbers 7-9,12 never arrived",
                "numbers 7-9,12 arrived, but their calls are not in the ledger",
                "numbers 7-9,12 count something else in the ledger than what arrived",
                "numbers 7-9,12 are in the ledger and never arrived",
                "numbers 7-9,12 were refused by the journal",
                "2 records in quarantine: x",
            ],
        ),
    ],
)
def test_what_is_off_is_told_in_grammar(numbers: str, said: list[str]) -> None:
    w = Writer(
        writer_id="w",
        state="missing",
        events=1,
        last_seq=9,
        missing=numbers,
        refused=numbers,
        damaged="",
        lost_calls=numbers,
        lost_quarantine="",
        altered=numbers,
        added=numbers,
        after_closing="",
        closed=True,
        closed_by=[],
        first_heard="",
        last_heard="",
        service_name="s",
        environment="",
        host_name="",
    )
    found = Verification(
        writers=[w],
        completed=[],
        conflicts=[],
        lost_keys=[],
        unstated_keys=[],
        doubled=[],
        unheard={},
        quarantine=[{"reason": "x", "records": 1 if numbers == "7" else 2}],
        altered_quarantine=[],
        balance=[],
        different_days=[],
        not_taken=[],
    ).findings
    assert [sentence.removeprefix("writer w: ") for sentence in found] == said
