"""Writers that append, refuse, flush, end and are killed, files and cursors that others spoil, cut and take away, new settings, a Collector that comes and
goes, shippers and adopters: whatever the order, each number is accounted for, and `flush` is true only if all arrived.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from tests.journal.test_torn_bytes_are_skipped_and_named import overwrite
from tests.support.journal import abandon, adopt, append, shipper, writer
from tests.support.otlp_receiver import Otlp, ok, status
from tokentrail.journal import writer as writer_module
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.background import Background
from tokentrail.journal.folder import segments
from tokentrail.journal.frames import HEADER_BYTES, MAX_PAYLOAD, Frame, scan
from tokentrail.journal.reader import summarize
from tokentrail.journal.shipper import Shipper
from tokentrail.journal.writer import Writer
from tokentrail.settings import Settings


def good(path: Path) -> list[Frame]:
    """A file's frames, whatever lies between them."""
    return [piece for piece in scan(path.read_bytes()) if isinstance(piece, Frame)]


class Journal(RuleBasedStateMachine):
    """The model: for each writer which numbers are good on disk, which were refused, which are torn, and whether it lives."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="tokentrail-model-")) / "journal"
        self.otlp = Otlp().__enter__()
        self.living: Writer | None = None
        self.ships: Shipper | None = None
        self.background: Background | None = None  # without a thread of its own: what `flush` knows
        self.written: dict[str, set[int]] = {}
        self.refused: dict[str, set[int]] = {}
        self.torn: dict[str, set[int]] = {}

    def teardown(self) -> None:
        self.otlp.policy = lambda _received: ok()
        if self.living is not None:
            self.killed()
        if self.root.is_dir():
            assert adopt(self.root, self.otlp).done
            assert [path for path in self.root.iterdir() if not path.name.startswith(".")] == []
        for writer_id, written in self.written.items():
            arrived = set(self.otlp.numbers(writer_id))
            closings = self.otlp.closings(writer_id)
            assert arrived == written - self.torn[writer_id]
            refused, damaged = self.otlp.refused(writer_id), self.otlp.damaged(writer_id)
            # a lost cursor makes a reader miss what has arrived, and the ledger believes what it has heard; a refusal may be in what was cut
            assert damaged - arrived - self.refused[writer_id] == self.torn[writer_id]
            assert refused <= self.refused[writer_id] <= refused | damaged
            assert max(closing["last_seq"] for closing in closings) == max(written | self.refused[writer_id])
        self.otlp.close()
        shutil.rmtree(self.root.parent)

    @initialize()
    def begin(self) -> None:
        self.living = None

    @precondition(lambda self: self.living is None)
    @rule(segment_bytes=st.sampled_from([4096, 8192, 1 << 20]))
    def started(self, segment_bytes: int) -> None:
        self.living = writer(self.root, segment_bytes=segment_bytes)
        self.ships = shipper(self.root, self.otlp)
        self.background = Background(self.living, Settings(ship=False), lambda _sentence: None)
        append(self.living, 1)
        self.written[self.living.writer_id], self.refused[self.living.writer_id], self.torn[self.living.writer_id] = {1}, set(), set()

    @precondition(lambda self: self.living)
    @rule(count=st.integers(1, 40))
    def appended(self, count: int) -> None:
        assert self.living
        numbers = append(self.living, count)
        assert min(numbers) > 0
        self.written[self.living.writer_id] |= set(numbers)

    @precondition(lambda self: self.living)
    @rule(count=st.integers(1, 3))
    def too_large(self, count: int) -> None:
        assert self.living
        for _ in range(count):
            number = self.living.append(bytes(MAX_PAYLOAD + 1))
            assert number < 0
            self.refused[self.living.writer_id].add(-number)

    @precondition(lambda self: self.living)
    @rule()
    def shipped(self) -> None:
        assert self.living
        assert self.ships
        progress = self.ships.ship_folder(self.living.folder, live=True, patient=False)
        if progress.done:
            self.living.rotate_if_acknowledged(self.ships.cursor(self.living.folder))
        assert self.background
        assert self.background.damaged in (True, False), "a writer's own shipper looks after each pass"

    @precondition(lambda self: self.living)
    @rule()
    def flushed(self) -> None:
        self.shipped()
        assert self.living
        assert self.background
        if self.background.flush(0):
            assert set(self.otlp.numbers(self.living.writer_id)) >= self.written[self.living.writer_id]
            assert self.otlp.refused(self.living.writer_id) >= self.refused[self.living.writer_id]

    @precondition(lambda self: self.living)
    @rule()
    def shipper_begun_anew(self) -> None:
        """As a sidecar that takes over: it knows what is stored, and nothing else."""
        self.ships = shipper(self.root, self.otlp)

    @precondition(lambda self: self.living)
    @rule(place=st.floats(0, 1), seen=st.booleans())
    def cut(self, place: float, seen: bool) -> None:
        """Somebody cuts the file in use; the writer sees it before the next record, or later."""
        assert self.living
        path = segments(self.living.folder)[-1]
        size = int(place * path.stat().st_size)
        gone = {piece.number for piece in good(path) if piece.number and piece.end > size}
        self.torn[self.living.writer_id] |= gone - set(self.otlp.numbers(self.living.writer_id))
        os.truncate(path, size)
        if seen:
            self.living._next_stat_at = 0.0
        self.appended(1)

    @precondition(lambda self: self.living)
    @rule(how=st.sampled_from(["moved", "removed"]))
    def taken_away(self, how: str) -> None:
        assert self.living
        path = segments(self.living.folder)[-1]
        path.rename(self.root.with_name("moved")) if how == "moved" else path.unlink()
        self.living._next_stat_at = 0.0
        self.appended(1)

    @precondition(lambda self: self.living)
    @rule(how=st.sampled_from(["gone", "zeros", "folder"]))
    def cursor_lost(self, how: str) -> None:
        assert self.living
        path = self.living.folder / "cursor"
        if path.is_dir():
            return
        if how == "zeros":
            path.write_bytes(bytes(512))
        else:
            path.unlink(missing_ok=True)
            if how == "folder":
                path.mkdir()

    @precondition(lambda self: self.living)
    @rule(segment_bytes=st.sampled_from([4096, 1 << 20]))
    def reconfigured(self, segment_bytes: int) -> None:
        """A process that goes on under new settings, and ships what it wrote under the former ones."""
        assert self.living
        former = self.living
        self.closed()
        self.started(segment_bytes)
        assert self.ships
        Adopter(self.ships, own_id=self.living.writer_id).adopt(former.folder, patient=False, own=True)

    @precondition(lambda self: self.living)
    @rule(place=st.floats(0, 1, exclude_max=True))
    def bytes_lost(self, place: float) -> None:
        """Of a record that nobody has acknowledged, and that is not the last one: of that nobody could know."""
        assert self.living
        self.appended(4)
        arrived = set(self.otlp.numbers(self.living.writer_id))
        waiting = [
            (path, piece.end - HEADER_BYTES - len(piece.payload), piece.end, piece.number)
            for path in segments(self.living.folder)
            if not self.torn_in(path)
            for piece in good(path)
            if piece.number and piece.number not in arrived
        ][:-1]
        if waiting:
            path, start, end, number = waiting[int(place * len(waiting))]
            overwrite(path, start, bytes(end - start))
            self.torn[self.living.writer_id].add(number)

    def torn_in(self, path: Path) -> bool:
        """Whether bytes of this file are lost already: its frames cannot be told apart so easily any more."""
        data = path.read_bytes()
        return bytes(64) in data

    @precondition(lambda self: self.living)
    @rule()
    def closed(self) -> None:
        assert self.living
        self.living.close()
        self.living = None

    @precondition(lambda self: self.living)
    @rule()
    def killed(self) -> None:
        assert self.living
        abandon(self.living)
        self.living = None

    @rule(there=st.booleans())
    def collector(self, there: bool) -> None:
        self.otlp.policy = lambda _received: ok() if there else status(503, retry_after="60")

    @rule()
    def adopted(self) -> None:
        adopt(self.root, self.otlp)

    @invariant()
    def status_names_what_is_torn_and_waits(self) -> None:
        if self.living is not None:
            missing = {number for low, high in summarize(self.living.folder, live=True).missing for number in range(low, high + 1)}
            assert missing - set(self.otlp.numbers(self.living.writer_id)) <= self.torn[self.living.writer_id] | self.refused[self.living.writer_id]


@pytest.mark.slow
def test_each_number_is_accounted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", 0.0)
    health = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(Journal, settings=settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=health))
