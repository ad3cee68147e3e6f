"""A writer creates its folder before its first segment: a shipper that looks in between sends no record without the service's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.support.journal import append, writer
from tokentrail.journal import folder as layout
from tokentrail.journal.exporter import Outcome, Result
from tokentrail.journal.shipper import Shipper
from tokentrail.journal.writer import Writer


class Receiver:
    """Accepts all requests, and keeps the resource attributes and the number of records of each."""

    max_request_bytes = 1_000_000

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], int]] = []

    def send(self, body: bytes) -> Outcome:
        for found in ExportLogsServiceRequest.FromString(body).resource_logs:
            named = {pair.key: pair.value.string_value for pair in found.resource.attributes}
            self.requests.append((named, len(found.scope_logs[0].log_records)))
        return Outcome(Result.ACCEPTED)


class Interrupted(Shipper):
    """A shipper whose writer appends its first records after the shipper's first look at the folder."""

    def __init__(self, begins: Writer, *args: Any) -> None:
        super().__init__(*args)
        self._begins = begins

    def cursor(self, folder: Path) -> layout.Cursor:
        if not self._begins.last_seq:
            append(self._begins, 2)
        return super().cursor(folder)


def test_records_of_a_writer_that_begins_meanwhile_have_its_header(root: Path) -> None:
    begins, receiver = writer(root), Receiver()
    begins.folder.mkdir(parents=True)
    Interrupted(begins, root, receiver).ship_folder(begins.folder, live=True)
    assert receiver.requests == [({"service.name": "under-test"}, 2)]


def test_a_folder_without_a_segment_sends_nothing(root: Path) -> None:
    begins, receiver = writer(root), Receiver()
    begins.folder.mkdir(parents=True)
    shipper = Shipper(root, receiver)
    assert shipper.ship_folder(begins.folder, live=True).done
    assert receiver.requests == []
    append(begins, 1)
    assert shipper.ship_folder(begins.folder, live=True).shipped == 1
    assert receiver.requests == [({"service.name": "under-test"}, 1)]


def test_a_torn_header_costs_the_name_and_no_record(root: Path) -> None:
    begins, receiver = writer(root), Receiver()
    append(begins, 2)
    (segment,) = layout.segments(begins.folder)
    torn = bytearray(segment.read_bytes())
    torn[30] ^= 1
    segment.write_bytes(torn)
    assert Shipper(root, receiver).ship_folder(begins.folder, live=True).shipped == 2
    assert receiver.requests == [({}, 2)]
