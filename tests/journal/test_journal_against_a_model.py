"""Writers that append, end, are killed and lose bytes, a Collector that comes and goes, adopters: whatever the order, each number is accounted for."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from tests.journal.test_torn_bytes_are_skipped_and_named import frames, overwrite
from tests.support.journal import abandon, adopt, append, shipper, writer
from tests.support.otlp_receiver import Otlp, numbers_of, ok, status
from tokentrail import semconv
from tokentrail.journal import writer as writer_module
from tokentrail.journal.folder import load_cursor, segments
from tokentrail.journal.frames import MAX_PAYLOAD
from tokentrail.journal.reader import summarize
from tokentrail.journal.shipper import Shipper
from tokentrail.journal.writer import Writer


class Journal(RuleBasedStateMachine):
    """The model: for each writer which numbers are good on disk, which were refused, which are torn, and whether it lives."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="tokentrail-model-")) / "journal"
        self.otlp = Otlp().__enter__()
        self.living: Writer | None = None
        self.ships: Shipper | None = None
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
            arrived = self.otlp.numbers(writer_id)
            closings = self.otlp.closings(writer_id)
            assert set(arrived) == written - self.torn[writer_id]
            assert self.otlp.refused(writer_id) == self.refused[writer_id]
            damaged = {number for closing in closings for number in numbers_of(closing.get(semconv.DAMAGED_RANGES, ""))}
            assert damaged == self.torn[writer_id]
            assert max(closing[semconv.LAST_SEQ] for closing in closings) == max(written | self.refused[writer_id])
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
            self.living.begin_anew(self.ships.cursor(self.living.folder))

    @precondition(lambda self: self.living)
    @rule(place=st.floats(0, 1, exclude_max=True))
    def bytes_lost(self, place: float) -> None:
        """Of a record that nobody has acknowledged, and that is not the last one: of that nobody could know."""
        assert self.living
        self.appended(4)
        cursor = load_cursor(self.living.folder)
        waiting = [
            (path, start, end, number)
            for path in segments(self.living.folder)
            if path.name >= cursor.segment and path.stat().st_size and not self.torn_in(path)
            for start, end, number in frames(path)
            if number and (path.name > cursor.segment or start >= cursor.offset)
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
            assert missing <= self.torn[self.living.writer_id]


@pytest.mark.slow
def test_each_number_is_accounted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", 0.0)
    health = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(Journal, settings=settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=health))
