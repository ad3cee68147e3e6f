"""The journal of this process: the writer in force, the thread that ships what it writes, and what former settings left."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tokentrail.journal.background import Background
from tokentrail.journal.ends import End, Former
from tokentrail.journal.flush import flush_all
from tokentrail.journal.folder import size_of
from tokentrail.journal.records import encode_usage
from tokentrail.journal.writer import Writer
from tokentrail.process.diagnostics import Diagnostics
from tokentrail.process.mutexes import Mutex
from tokentrail.settings import Settings
from tokentrail.usage import Usage

if TYPE_CHECKING:
    from tokentrail.recording.delivery import Estimate, Texts

__all__ = ["Journal"]


class Journal:
    """The delivery (`tokentrail.recording.delivery`) of a service: a usage is on disk before `append` returns, and is shipped from there.

    `resource` gives the attributes of this process under the settings; `estimate` counts texts in the background; `on_begin` is called whenever a
    writer begins.
    """

    def __init__(
        self,
        settings: Settings,
        resource: Callable[[Settings], dict[str, str | int]],
        estimate: Estimate,
        diagnostics: Diagnostics,
        *,
        on_begin: Callable[[], object] = lambda: None,
    ) -> None:
        self._settings = settings
        self._resource = resource
        self._estimate = estimate
        self._diagnostics = diagnostics
        self._on_begin = on_begin
        self._mutex = Mutex()
        self.end: End | None = None
        self.former = Former()

    def append(self, usage: Usage, texts: Texts | None = None) -> int:
        """Put a usage into the journal: its number, or minus its number if the journal refused it.

        With `texts`, the completed usage follows in the journal of the same writer, as a higher rank of the same key.
        """
        payload = encode_usage(usage)
        if texts is not None:
            return self._append_and_estimate(usage, payload, texts)
        end = self.end
        number = end.writer.append(payload) if end is not None else 0
        while number == 0:  # closed, by another thread perhaps: the next writer takes it
            number = self._begin().writer.append(payload)
        return number

    def _append_and_estimate(self, usage: Usage, payload: bytes, texts: Texts) -> int:
        while True:
            end = self.end or self._begin()
            if end.writer.closed:
                end = self._begin()
            end.expect()
            submitted = False
            try:
                number = end.writer.append(payload)
                if number > 0:
                    self._estimate(replace(usage, call=number), texts, partial(_complete, end), end.settle)
                    submitted = True
            finally:
                if not submitted:
                    end.settle()
            if number:
                return number

    def _begin(self) -> End:
        """The writer in force and its shipper; begun if there is none, or the last one is closed.

        A finalizer may come here while its own thread does: so all that takes long, allocates or locks is done before or after the exchange.
        """
        while True:
            settings = self._settings
            complain = self._diagnostics.complain
            writer = Writer(
                settings.journal_dir,
                self._resource(settings),
                segment_bytes=settings.journal_segment_bytes,
                max_bytes=settings.journal_max_bytes,
                fsync=settings.journal_fsync,
                complain=complain,
            )
            fresh = End(writer, Background(writer, settings, complain, former=self._left, hand_over=self._take_over))
            with self._mutex.lock:
                if self._settings is not settings:
                    continue  # `renew` came in between: what it retired has been retired
                end = self.end
                if end is None or end.writer.closed:
                    if end is not None:
                        self.former.add(end)
                    self.end = end = fresh
            if end is fresh:
                self._on_begin()
                end.background.start()
            return end

    def renew(self, settings: Settings) -> None:
        """Go on under new settings: the next record begins a new writer. The former one is kept until all of it is acknowledged."""
        with self._mutex.lock:
            end, self.end = self.end, None
            self._settings = settings
            if end is not None:
                self.former.add(end)
        if end is not None:
            end.retire()
        self._resume_former()

    def forget_parent(self) -> None:
        """Be a writer of its own, in a forked child: the parent's files are closed, never unlocked."""
        end, self.end = self.end, None
        if end is not None:
            end.release()
        self.former.forget()

    def flush(self, timeout: float) -> bool:
        """Wait until all that this process wrote, also under former settings, is acknowledged, or the time (seconds) is up. True if it is."""
        self._resume_former()
        acknowledged = flush_all([end.background for end in self._ends()], timeout)
        return acknowledged and not self.former.put_aside and not self.former.damaged

    def close(self, deadline: float) -> None:
        """Write the closing records and try once more to ship, until `deadline` (`time.monotonic`); a later append begins a new writer."""
        for end in self._ends():
            end.writer.close()
        if self._left():
            self._take_over()
        ends = self._ends()
        for end in ends:
            end.background.ask_to_stop()
        for end in reversed(ends):
            end.background.stop(max(0.0, deadline - time.monotonic()))

    def _resume_former(self) -> None:
        """Begin a shipper where records of former settings wait and no thread is at them: shipping was off, or nobody answered."""
        if any(not background.running for background in self._left()):
            self._take_over()

    def _left(self) -> list[Background]:
        """The shippers of former writers of which something still waits."""
        return [end.background for end in self.former.waiting()]

    def _take_over(self) -> None:
        """Have a shipper in force that goes on with what a former writer's shipper could not send."""
        try:
            if self._settings.ship and self.end is None:
                self._begin()
        except Exception as error:
            self._diagnostics.internal_error("journal.take_over", error)

    def _ends(self) -> list[End]:
        """All writers of which something may wait, the one in force last."""
        end = self.end  # looked at first: one that is retired now is among the former ones then
        former = self.former.waiting()
        return former if end is None or end in former else [*former, end]

    def writer_id(self) -> str:
        """The id of the writer in force; made if there is none yet."""
        return (self.end or self._begin()).writer.writer_id

    def counts(self) -> tuple[int, int]:
        """How many numbers all writers of this process gave so far, and how many of these records their journals refused."""
        with self._mutex.lock:
            numbers, refused = self.former.counts()
            if self.end is not None:
                numbers, refused = numbers + self.end.writer.last_seq, refused + self.end.writer.refused
            return numbers, refused

    def size(self) -> int:
        """Bytes of all records in the journal's folder, those of other processes included."""
        return size_of(Path(self._settings.journal_dir))


def _complete(end: End, usage: Usage) -> None:
    """Complete a record of that writer: a call is known by its writer and number, so a later writer must not."""
    end.writer.append(encode_usage(usage))
