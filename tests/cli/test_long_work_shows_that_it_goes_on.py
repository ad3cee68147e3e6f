"""Long work shows at a terminal that it goes on, leaves no trace there, and can be interrupted: what was done stays done."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.journal import abandon, append, writer
from tests.support.live import AtTerminal, InPipe
from tests.support.otlp_receiver import Otlp, hang, ok
from tests.support.terminal import TOKENTRAIL
from tests.support.waiting import wait_until

WORK = """
import pathlib, sys, time
from tokentrail.cli.working import working
done = []
with working("making things", lambda: f"{len(done)} made"):
    while not pathlib.Path(sys.argv[1]).exists():
        done.append(1)
        time.sleep(0.01)
    if sys.argv[2] == "fail":
        raise SystemExit(7)
print("all made")
"""


@pytest.mark.parametrize(("how", "code"), [("end", 0), ("fail", 7)])
def test_a_terminal_shows_a_line_that_disappears(tmp_path: Path, how: str, code: int) -> None:
    with AtTerminal(str(tmp_path / "go"), how, program=[sys.executable, "-c", WORK]) as work:
        work.until("making things: ", " made")
        (tmp_path / "go").touch()
        assert work.end("") == code
        assert work.said.rindex("\x1b[2K") > work.said.rindex("making things")
        assert work.said.rindex("\x1b[?25h") > work.said.rindex("\x1b[?25l")
        assert ("all made" in work.said) == (how == "end")


def test_quick_work_and_pipes_stay_clean(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    ran = subprocess.run([sys.executable, "-c", WORK, str(tmp_path / "go"), "end"], capture_output=True, text=True, timeout=60, check=True)
    assert (ran.stdout, ran.stderr) == ("all made\n", "")


def test_shipping_can_be_interrupted_and_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "journal"
    left = writer(root)
    append(left, 5)
    abandon(left)
    release = threading.Event()
    with Otlp() as otlp:
        otlp.policy = lambda _received: hang(release)
        with InPipe("journal", "ship", "--dir", str(root), "--endpoint", otlp.url) as shipping:
            wait_until(lambda: bool(otlp.requests), "a request")
            shipping.signal(signal.SIGINT)
            release.set()
            code, _, said = shipping.ended()
        assert code == 130
        assert "Traceback" not in said
        assert "the rest waits in" in said
        otlp.policy = lambda _received: ok()
        again = subprocess.run(
            [*TOKENTRAIL, "journal", "ship", "--dir", str(root), "--endpoint", otlp.url], capture_output=True, text=True, timeout=60, check=False
        )
        assert again.returncode == 0, again.stderr
        assert {record.seq for record in otlp.taken if record.event == "usage"} == {1, 2, 3, 4, 5}


def test_the_doctor_prints_each_finding_once_it_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setenv("TOKENTRAIL_JOURNAL_DIR", str(tmp_path))
    with Otlp() as otlp:
        otlp.policy = lambda _received: hang(release)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.url.removesuffix("/v1/logs"))
        with InPipe("doctor", "--dsn", "http://127.0.0.1:9/x") as doctor:
            assert doctor.line().startswith("ok    settings")
            wait_until(lambda: bool(otlp.requests), "the question to the Collector", deadline_s=120)
            said = [doctor.line()]
            while not said[-1].startswith("ok    journal"):
                said.append(doctor.line())
            assert not release.is_set()
            release.set()
            code, rest, _ = doctor.ended()
    assert code == 1
    assert "ClickHouse" in rest
