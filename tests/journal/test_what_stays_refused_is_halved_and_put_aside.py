"""A request that is refused again and again gets smaller, until it passes or a single record is known to be the cause; that one is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.journal import abandon, adopt, append, shipper, usage, writer
from tests.support.otlp_receiver import Otlp, Record, busy_above, ok, refuses, rejects, status
from tokentrail import semconv
from tokentrail.cli.journal import command
from tokentrail.journal.folder import load_cursor, segments
from tokentrail.journal.records import encode
from tokentrail.usage import Usage


def bad(record: Record) -> bool:
    return record.attributes.get(semconv.REQUEST_MODEL) == "poison"


@pytest.mark.parametrize("most", [1, 7, 150])
@pytest.mark.parametrize("adopted", [True, False])
@pytest.mark.slow
def test_a_queue_with_little_room_gets_small_requests(root: Path, otlp: Otlp, most: int, adopted: bool) -> None:
    otlp.policy = busy_above(most)
    service = writer(root)
    append(service, 400)
    if adopted:
        abandon(service)
        assert adopt(root, otlp).done
    else:
        assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    assert otlp.numbers(service.writer_id) == list(range(1, 401))
    refused = [request for request in otlp.requests if len(request.records) > most]
    assert len(refused) < 30, "the limit that was found is forgotten again and again"
    assert not (root / "aside").exists()


@pytest.mark.parametrize(
    "policy",
    [
        refuses(bad),
        pytest.param(refuses(bad, 413), marks=pytest.mark.slow),
        pytest.param(refuses(bad, 422), marks=pytest.mark.slow),
        rejects(bad),
    ],
    ids=["400", "413", "422", "partial success"],
)
@pytest.mark.parametrize("adopted", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_one_bad_record_does_not_hold_up_the_others(root: Path, otlp: Otlp, policy: object, adopted: bool) -> None:
    otlp.policy = policy  # type: ignore[assignment]
    service = writer(root)
    append(service, 120)
    service.append(encode(usage(121, request_model="poison")))
    append(service, 60)
    service.append(encode(usage(182, request_model="poison")))
    append(service, 3)
    good = set(range(1, 186)) - {121, 182}
    if adopted:
        abandon(service)
        progress = adopt(root, otlp)
        assert otlp.closings(service.writer_id)
    else:
        progress = shipper(root, otlp).ship_folder(service.folder, live=True)
    assert progress.done
    assert progress.aside == 2
    assert set(otlp.numbers(service.writer_id)) == good

    shown = CliRunner().invoke(command, ["status", "--dir", str(root), "--json"])
    assert shown.exit_code == 1
    kept = json.loads(shown.output)["aside"]
    assert [(one["writer_id"], one["seq"]) for one in kept] == [(service.writer_id, 121), (service.writer_id, 182)]
    assert all("answered" in one["reason"] for one in kept)
    assert "put aside" in CliRunner().invoke(command, ["status", "--dir", str(root)]).output

    arguments = ["ship", "--dir", str(root), "--endpoint", otlp.url, "--aside"]
    again = CliRunner().invoke(command, arguments)
    assert again.exit_code == 1, "still refused, so it stays"
    assert len(list((root / "aside").iterdir())) == 2
    otlp.policy = refuses(lambda _record: False)
    again = CliRunner().invoke(command, arguments)
    assert again.exit_code == 0, again.output
    assert set(otlp.numbers(service.writer_id)) == good | {121, 182}
    assert list((root / "aside").iterdir()) == []


def test_the_cursor_stands_behind_the_part_that_was_accepted(root: Path, otlp: Otlp) -> None:
    """More was taken for the request than the server has accepted of it by the time the server goes away."""
    otlp.policy = lambda received: status(503) if otlp.taken else status(413) if len(received.records) > 10 else ok()
    service = writer(root)
    append(service, 40)
    assert not shipper(root, otlp).ship_folder(service.folder, live=True, patient=False).done
    part = otlp.numbers(service.writer_id)
    assert 1 <= len(part) <= 10
    assert load_cursor(service.folder).last_seq == part[-1]
    otlp.policy = lambda _received: ok()
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    assert otlp.numbers(service.writer_id) == list(range(1, 41))


def test_a_server_that_takes_nothing_at_all_puts_nothing_aside(root: Path, otlp: Otlp) -> None:
    otlp.policy = lambda _received: status(400)
    service = writer(root)
    append(service, 50)
    abandon(service)
    progress = adopt(root, otlp)
    assert not progress.done
    assert "takes nothing at all" in progress.reason
    assert not (root / "aside").exists()
    otlp.policy = refuses(lambda _record: False)
    assert adopt(root, otlp).done
    assert set(otlp.numbers(service.writer_id)) == set(range(1, 51))


def test_records_without_a_number_are_kept_apart(root: Path, otlp: Otlp) -> None:
    """A refusal and a closing record have no number of their own: neither may take the other's place."""
    otlp.policy = refuses(lambda record: record.event in (semconv.EVENT_CLOSING, semconv.EVENT_REFUSED))
    service = writer(root)
    append(service, 2)
    service.append(b"x" * 70_000)
    append(service, 1)
    service.close()
    progress = adopt(root, otlp)
    assert progress.done
    assert progress.aside == 2
    assert len(list((root / "aside").glob("*.json"))) == 2


def test_a_record_that_cannot_be_kept_aside_stays_in_the_journal(root: Path, otlp: Otlp) -> None:
    otlp.policy = refuses(bad)
    service = writer(root)
    service.append(encode(usage(1, request_model="poison")))
    append(service, 1)
    abandon(service)
    (root / "aside").write_text("somebody's file where the folder should be")
    progress = adopt(root, otlp)
    assert not progress.done
    assert len(segments(service.folder)) == 1
    (root / "aside").unlink()
    assert adopt(root, otlp).aside == 1
    assert otlp.numbers(service.writer_id) == [2]


def test_a_damaged_file_aside_is_named_and_the_others_are_sent(root: Path, otlp: Otlp) -> None:
    otlp.policy = refuses(bad)
    service = writer(root)
    append(service, 1)
    service.append(encode(usage(2, request_model="poison")))
    abandon(service)
    assert adopt(root, otlp).aside == 1
    (root / "aside" / f"{'0' * 32}-1.json").write_text("{")
    otlp.policy = refuses(lambda _record: False)
    shown = CliRunner().invoke(command, ["status", "--dir", str(root)])
    assert shown.exit_code == 2
    assert "damaged" in shown.stderr
    sent = CliRunner().invoke(command, ["ship", "--dir", str(root), "--endpoint", otlp.url, "--aside"])
    assert sent.exit_code == 2
    assert "damaged" in sent.stderr
    assert set(otlp.numbers(service.writer_id)) == {1, 2}


def test_a_field_that_does_not_fit_arrives_as_not_stated(root: Path, otlp: Otlp) -> None:
    service = writer(root)
    service.append(encode(Usage(key="k", ts=1, input_tokens=12.5, output_tokens=7, tenant_id=None, input_source="reported")))  # type: ignore[arg-type]
    abandon(service)
    assert adopt(root, otlp).done
    [record] = otlp.events(service.writer_id, semconv.EVENT_USAGE)
    assert record.attributes[semconv.OUTPUT_TOKENS] == 7
    assert semconv.INPUT_TOKENS not in record.attributes
    assert record.fields.get("input_source", "unknown") == "unknown"
