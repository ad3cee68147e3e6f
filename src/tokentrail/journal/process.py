"""The journal of this process: the current writer, its shipping thread, and the retired writers of former settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tokentrail.journal.background import Background
from tokentrail.journal.ends import End, RetiredEnds
from tokentrail.journal.flush import flush_all
from tokentrail.journal.folder import size_of
from tokentrail.journal.records import encode_usage
from tokentrail.journal.volume import reason
from tokentrail.journal.writer import Writer
from tokentrail.process.diagnostics import Diagnostics
from tokentrail.process.mutexes import Mutex
from tokentrail.settings import Settings
from tokentrail.usage import Usage

if TYPE_CHECKING:
    from tokentrail.recording.delivery import Estimate, Texts

__all__ = ["Journal"]


class Journal:
    """The delivery (`tokentrail.recording.delivery`) of a service: a usage is on disk before `append` returns, and is shipped from the journal.

    `resource` returns the resource attributes of this process under the settings; `estimate` counts texts in the background; `on_begin` is called
    whenever a writer begins.
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
        self.former = RetiredEnds()

    def append(self, usage: Usage, texts: Texts | None = None) -> int:
        """Appends a usage to the journal. Returns the record's number, or minus that number if the journal refused the record.

        With `texts`, the same writer later appends the completed usage, as a higher rank of the same key.
        """
        payload = encode_usage(usage, self._diagnostics.internal_error)
        if texts is not None:
            return self._append_and_estimate(usage, payload, texts)
        end = self.end
        number = end.writer.append(payload) if end is not None else 0
        while number == 0:  # the writer is closed, by another thread perhaps: the next writer appends the record
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
                    self._estimate(replace(usage, call=number), texts, partial(_append_completed, end), end.settle)
                    submitted = True
            finally:
                if not submitted:
                    end.settle()
            if number:
                return number

    def _begin(self) -> End:
        """Returns the current end; begins one if there is none, or if the last writer is closed.

        A finalizer may run this method in a thread that is already inside this method. So slow steps, allocations and locks happen before or after
        the assignment of the new end.
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
                on_sync_error=self._report_sync_error,
            )
            background = Background(
                writer,
                settings,
                complain,
                count_error=self._diagnostics.count,
                former=self._waiting_backgrounds,
                hand_over=self._ensure_shipper,
            )
            fresh = End(writer, background)
            with self._mutex.lock:
                if self._settings is not settings:
                    continue  # `renew` ran in between, and has retired the former end
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
        """Applies new settings: the next record begins a new writer. The former writer is kept until its records are acknowledged."""
        with self._mutex.lock:
            end, self.end = self.end, None
            self._settings = settings
            if end is not None:
                self.former.add(end)
        if end is not None:
            end.retire()
        self._resume_former()

    def forget_parent(self) -> None:
        """Releases the parent's writers in a forked child: closes their files, never unlocks them. The child's next record begins a new writer."""
        end, self.end = self.end, None
        if end is not None:
            end.release()
        self.former.forget()

    def flush(self, timeout: float) -> bool:
        """Waits at most `timeout` seconds until all records of this process are acknowledged. Returns whether all are.

        Records of former settings are included.
        """
        self._resume_former()
        acknowledged = flush_all([end.background for end in self._ends()], timeout)
        return acknowledged and not self.former.put_aside and not self.former.damaged

    def close(self, deadline: float) -> None:
        """Appends the closing records and ships once more, until `deadline` (`time.monotonic`); a later append begins a new writer."""
        for end in self._ends():
            end.writer.close()
        if self._waiting_backgrounds():
            self._ensure_shipper()
        ends = self._ends()
        for end in ends:
            end.background.ask_to_stop()
        for end in reversed(ends):
            end.background.stop(max(0.0, deadline - time.monotonic()))

    def _report_sync_error(self, error: OSError) -> None:
        """Counts a failed sync as an internal error, and logs the reason: the records are written, and may not survive power loss."""
        count = self._diagnostics.count("journal.sync")
        what = f"the journal {self._settings.journal_dir} cannot be synced to disk: {reason(error)}"
        self._diagnostics.complain(f"{what} ({count} so far); its last records may not survive power loss", about="journal.sync")

    def _resume_former(self) -> None:
        """Begins a shipping thread if records of former settings wait and no thread ships them: shipping was off, or the Collector did not answer."""
        if any(not background.running for background in self._waiting_backgrounds()):
            self._ensure_shipper()

    def _waiting_backgrounds(self) -> list[Background]:
        """Returns the backgrounds of retired writers that have waiting records."""
        return [end.background for end in self.former.waiting()]

    def _ensure_shipper(self) -> None:
        """Ensures a current writer, whose thread ships what a retired writer's thread could not ship."""
        try:
            if self._settings.ship and self.end is None:
                self._begin()
        except Exception as error:
            self._diagnostics.internal_error("journal.take_over", error)

    def _ends(self) -> list[End]:
        """Returns all ends that may have waiting records, the current one last."""
        end = self.end  # read first: an end that is retired now is among the retired ones afterwards
        former = self.former.waiting()
        return former if end is None or end in former else [*former, end]

    def writer_id(self) -> str:
        """Returns the id of the current writer; begins one if there is none yet."""
        return (self.end or self._begin()).writer.writer_id

    def counts(self) -> tuple[int, int]:
        """Returns how many numbers all writers of this process gave so far, and how many of these records were refused."""
        with self._mutex.lock:
            numbers, refused = self.former.counts()
            if self.end is not None:
                numbers, refused = numbers + self.end.writer.last_seq, refused + self.end.writer.refused
            return numbers, refused

    def size(self) -> int:
        """Returns the size of the journal's folder in bytes, records of other processes included."""
        return size_of(Path(self._settings.journal_dir))


def _append_completed(end: End, usage: Usage) -> None:
    """Appends a completed usage with the writer of its record: a call is identified by writer and number, so a later writer must not append it."""
    end.writer.append(encode_usage(usage))
