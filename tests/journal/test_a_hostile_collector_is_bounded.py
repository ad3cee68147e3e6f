"""What answers in the Collector's place may be a bomb, or text that forges lines of a log."""

from __future__ import annotations

import gzip
import os

from tests.support.otlp_receiver import Otlp, Reply, status
from tests.support.processes import peak_kib
from tokentrail.journal.exporter import Exporter, Result
from tokentrail.settings import Settings


def answered(reply: Reply) -> tuple[Result, str]:
    with Otlp() as otlp:
        otlp.script.append(reply)
        exporter = Exporter(Settings(endpoint=otlp.url, timeout=20.0))
        outcome = exporter.send(b"")
        exporter.close()
    return outcome.result, outcome.reason


def test_an_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(64 << 20), 9)[: 60 << 10]
    before = peak_kib(os.getpid())
    reply = Reply(headers={"content-type": "application/x-protobuf", "content-encoding": "gzip"}, body=bomb)
    assert answered(reply)[0] is Result.MISCONFIGURED  # what was not read is no acknowledgement
    assert peak_kib(os.getpid()) - before < 100 << 10


def test_a_servers_words_forge_no_line_of_a_log() -> None:
    result, reason = answered(status(400, b"no\n2026-11-28 CRITICAL forged \x1b[2J \x9b31m"))
    assert result is Result.REFUSED
    assert reason.isprintable()
