"""Checks that the journal can be written, and how full the journal is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tokentrail.doctor.finding import Finding
from tokentrail.journal import folder as layout
from tokentrail.journal.locks import has_locks
from tokentrail.private_files import make_folder
from tokentrail.settings import Settings
from tokentrail.wording import counted

__all__ = ["check_journal"]


def check_journal(settings: Settings) -> Iterator[Finding]:
    """Yields findings on the journal's folder: rights, locks, size and bound."""
    root = Path(settings.journal_dir)
    try:
        make_folder(root, parents=True)
        with tempfile.NamedTemporaryFile(dir=root, prefix=".doctor-") as probe:
            probe.write(b"x")
            probe.flush()
            locks = has_locks(probe.fileno(), root)
        size = layout.size_of(root)
    except OSError as error:
        yield Finding(
            "journal", "wrong", f"{root} cannot be written ({error.strerror}): set TOKENTRAIL_JOURNAL_DIR to a folder on a volume that stays"
        )
        return
    if not locks:
        yield Finding(
            "journal",
            "wrong",
            f"the file system of {root} has no locks: each process writes and ships its own events, but what a killed one leaves waits until you "
            "run `tokentrail journal ship --without-locks` while no service writes there; set TOKENTRAIL_JOURNAL_DIR to a folder on a local volume",
        )
    room = settings.journal_max_bytes - size
    if room < settings.journal_segment_bytes:
        yield Finding(
            "journal", "wrong", f"{root} holds {counted(size, 'byte')} and is at its bound of {settings.journal_max_bytes:,}: events are refused"
        )
    else:
        writers = len(list(layout.writer_folders(root)))
        yield Finding(
            "journal",
            "ok",
            f"{root} can be written; {counted(size, 'byte')} of {counted(writers, 'process', 'processes')} lie there (tokentrail journal status)",
        )
