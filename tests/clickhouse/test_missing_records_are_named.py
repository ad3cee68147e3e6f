from __future__ import annotations

import random

import pytest

from tests.support.ledger_rows import Land, Row, claimed, closing, refused, row, usage, writer
from tokentrail import semconv
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.verify import Writer, verify


def verify_only_writer(database: Client) -> Writer:
    (found,) = verify(database).writers
    return found


def test_a_closed_writer_with_all_its_numbers_is_complete(land: Land, database: Client) -> None:
    records = [usage(seq=seq) for seq in range(1, 101)]
    random.Random(1).shuffle(records)
    land(closing(100), *records[:40])
    land(*records[30:])
    assert (verify_only_writer(database).state, verify_only_writer(database).events, verify_only_writer(database).last_seq) == ("complete", 100, 100)
    assert verify(database).ok


def test_a_writer_is_told_with_its_service_and_its_host(land: Land, database: Client) -> None:
    land(usage(seq=1), closing(1))
    (heard,) = verify(database).writers
    assert (heard.writer_id, heard.service_name, heard.environment, heard.host_name) == (writer("w1"), "shop", "test", "here")


def test_a_writer_that_did_not_close_is_open(land: Land, database: Client) -> None:
    land(usage(seq=1), usage(seq=2))
    assert (verify_only_writer(database).state, verify_only_writer(database).last_seq) == ("open", 2)
    assert verify_only_writer(database).last_heard > "2026"
    assert verify(database).ok


def test_numbers_that_never_arrived_are_named(land: Land, database: Client) -> None:
    land(*(usage(seq=seq) for seq in range(1, 21) if seq not in (1, 7, 8, 9, 20)), closing(20))
    assert (verify_only_writer(database).state, verify_only_writer(database).missing) == ("missing", "1,7-9,20")
    assert verify(database).findings == [f"writer {writer('w1')}: numbers 1,7-9,20 never arrived"]


def test_a_gap_of_an_open_writer_is_named_until_it_arrives(land: Land, database: Client) -> None:
    land(usage(seq=1), usage(seq=3))
    assert verify_only_writer(database).missing == "2"
    land(usage(seq=2))
    assert verify_only_writer(database).state == "open"


def test_a_writer_of_whom_only_the_closing_arrived_misses_everything(land: Land, database: Client) -> None:
    land(closing(3))
    assert (verify_only_writer(database).state, verify_only_writer(database).missing) == ("missing", "1-3")


def test_a_writer_that_wrote_nothing_is_complete(land: Land, database: Client) -> None:
    land(closing(0))
    assert verify_only_writer(database).state == "complete"


def test_refused_and_damaged_numbers_are_not_missing_but_named(land: Land, database: Client) -> None:
    land(usage(seq=1), usage(seq=5), refused("2-3"), refused("2-3", damaged=False), closing(6, damaged="4,6-6", closed_by="w9"))
    found = verify_only_writer(database)
    assert (found.state, found.missing, found.refused, found.damaged, found.closed_by) == ("complete", "", "2-3", "4,6", [writer("w9")])
    assert len(verify(database).findings) == 2


def test_what_is_torn_while_its_writer_lives_is_damaged(land: Land, database: Client) -> None:
    land(usage(seq=1), refused("2-3,6", damaged=True), usage(seq=4), refused("5"))
    assert (
        verify_only_writer(database).state,
        verify_only_writer(database).missing,
        verify_only_writer(database).damaged,
        verify_only_writer(database).refused,
    ) == ("open", "", "2-3,6", "5")
    assert verify(database).findings[-1] == f"writer {writer('w1')}: numbers 2-3,6 are damaged in the journal"
    land(closing(6, damaged="2-3,6"))
    assert (verify_only_writer(database).state, verify_only_writer(database).damaged, verify_only_writer(database).refused) == (
        "complete",
        "2-3,6",
        "5",
    )


def test_what_former_versions_heard_of_a_writer_counts_too(land: Land, database: Client) -> None:
    """Before the column `statements` four columns had what closing records and refusals state."""
    land(usage(seq=1), usage(seq=7), closing(7, damaged="5", closed_by="w2"))
    database.command(
        "INSERT INTO deliveries (writer_id, refused, damaged, last_seqs, closed_by, first_heard, last_heard) "
        f"SELECT '{writer('w1')}', ['2-3'], ['4', '5'], [toUInt64(9)], ['{writer('w2')}', '{writer('w3')}'], now64(3), now64(3)"
    )
    found = verify_only_writer(database)
    assert (found.state, found.missing, found.refused, found.damaged) == ("missing", "6,8-9", "2-3", "4-5")
    assert found.closed_by == sorted([writer("w2"), writer("w3")])


def test_of_closing_records_no_text_is_kept_that_nothing_reads(land: Land, database: Client) -> None:
    """Each of many closing records could leave a long one, which every later `verify` read."""
    long = "a" * 30_000
    said = {semconv.EVENT_CLOSING: {"last_seq": 0, "ranges": long}, semconv.EVENT_REFUSED: {"ranges": [[1, 1]]}}
    land(*(row(event, fields | {"closed_by": long}, {semconv.WRITER_ID: writer("w1")}) for event, fields in said.items()))
    assert database.query("SELECT sum(length(statements)), max(length(toString(statements))) < 500 FROM deliveries").rows == [(2, True)]


def test_what_was_refused_at_first_and_arrived_later_is_not_refused(land: Land, database: Client) -> None:
    land(usage(seq=1), usage(seq=2), refused("2-3"), closing(3))
    assert verify_only_writer(database).refused == "3"


def test_refused_numbers_beyond_the_last_one_heard_are_named(land: Land, database: Client) -> None:
    land(usage(seq=1), refused("2-900000000000"))
    assert (verify_only_writer(database).state, verify_only_writer(database).refused) == ("open", "2-900000000000")


def test_a_record_after_the_closing_is_a_state_and_no_error(land: Land, database: Client) -> None:
    land(usage(seq=1), usage(seq=2), closing(2, closed_by="w2"))
    land(usage(seq=3))
    assert (verify_only_writer(database).state, verify_only_writer(database).after_closing) == ("complete", "3")
    assert verify(database).ok


def test_a_second_closing_with_a_higher_number_counts(land: Land, database: Client) -> None:
    land(usage(seq=1), closing(1, closed_by="w2"), closing(2))
    assert (verify_only_writer(database).missing, verify_only_writer(database).after_closing) == ("2", "")


def test_copies_and_completions_leave_no_false_gaps(land: Land, database: Client) -> None:
    land(usage(seq=1, source="unknown"), usage(seq=2, call=1, ts=None, source="reported"), usage(seq=2, call=1), closing(2))
    assert (verify_only_writer(database).state, verify_only_writer(database).events) == ("complete", 2)


def test_a_claimed_key_of_many_writers_leaves_each_of_them_complete(land: Land, database: Client) -> None:
    for name in ("w1", "w2", "w3"):
        land(claimed("k", by=name, seq=1), closing(1, by=name))
    assert [found.state for found in verify(database).writers] == ["complete"] * 3


def test_a_record_in_quarantine_has_arrived(land: Land, database: Client) -> None:
    land(usage(seq=1), usage(seq=2, input_tokens="many"), closing(2))
    assert verify_only_writer(database).state == "complete"
    assert len(verify(database).findings) == 1


@pytest.mark.parametrize("named", ["", "A" * 32, "w1"])
def test_a_record_without_a_writers_name_is_of_no_process(land: Land, database: Client, named: str) -> None:
    land(usage(seq=1), usage(seq=2, attributes={semconv.WRITER_ID: named}), closing(1))
    assert (verify_only_writer(database).writer_id, verify_only_writer(database).state) == (writer("w1"), "complete")


def test_an_absurd_number_is_a_gap_and_not_a_crash(land: Land, database: Client) -> None:
    land(usage(seq=1), usage(seq=2, attributes={semconv.SEQ: 10**15 - 1}))
    assert verify_only_writer(database).missing == f"2-{10**15 - 2}"


@pytest.mark.parametrize("record", [usage(seq=2, attributes={semconv.SEQ: 2**63}), closing(2**64 - 1), refused([[2, 10**18]])])
def test_a_number_that_no_writer_reaches_is_no_gap_but_a_record_to_look_at(land: Land, database: Client, record: Row) -> None:
    land(usage(seq=1), record)
    assert verify_only_writer(database).missing == ""
    (finding,) = verify(database).findings
    assert "quarantine" in finding
