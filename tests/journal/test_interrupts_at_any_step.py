"""A signal handler strikes at every line that a process's first record passes: whatever it does, no error of ours and no lasting refusal follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.journal import Program, environment

PROGRAM = """
import io, logging, os, shutil, signal, sys, tempfile
import tokentrail
from tokentrail.process.current import current
import tokentrail
from tests.support.journal_load import one

class Interrupt(BaseException): pass

def records(): one()
def raises(): raise Interrupt
def configures(): tokentrail.configure(tenant_id="b")
def closes(): current.runtime.close(); one()

strike = {strike}
ROOT = os.environ["TOKENTRAIL_JOURNAL_DIR"]

def run(step):
    log = io.StringIO()
    logging.basicConfig(stream=log)
    tokentrail.configure(journal_dir=ROOT + "/" + str(step))
    left, struck = [step], []
    def trace(frame, event, _arg):
        if "/tokentrail/" not in frame.f_code.co_filename: return None
        left[0] -= event == "line"
        if left[0] < 0 and not struck:
            struck.append(os.path.basename(frame.f_code.co_filename) + ":" + str(frame.f_lineno))
            sys.settrace(None)
            strike()
        return trace
    numbers = []
    sys.settrace(trace)
    try:
        numbers.append(one()[1])
    except Interrupt:
        pass
    finally:
        sys.settrace(None)
    numbers += [one()[1] for _ in range(2)]
    current.runtime.close()
    wrong = log.getvalue() or ("" if min(numbers) > 0 else "refused: " + str(numbers))
    if wrong: os.write(1, ("! " + (struck or ["?"])[0] + " " + wrong[-300:].replace(chr(10), " ") + chr(10)).encode())
    os._exit(0 if struck else 9)

step = 0
while True:
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try: run(step)
        except BaseException as error:
            os.write(1, ("! step " + str(step) + ": " + repr(error) + chr(10)).encode())
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    shutil.rmtree(ROOT + "/" + str(step), ignore_errors=True)
    if status == 9: break
    assert status in (0, 1), status
    step += {every}
os.write(1, ("steps " + str(step) + chr(10)).encode())
"""


@pytest.mark.parametrize(
    ("strike", "every", "fsync"),
    [("records", 5, "never"), ("raises", 1, 50), ("configures", 1, "never"), ("closes", 5, "never"), ("closes", 5, 50)],
)
def test_whatever_a_handler_does(root: Path, start: Callable[..., Program], strike: str, every: int, fsync: object) -> None:
    variables = environment(root, ship="false", exit_timeout=0, journal_fsync=fsync)
    program = start(PROGRAM.replace("{strike}", strike).replace("{every}", str(every)), variables)
    assert program.end(250) == 0, program.errors
    assert [line for line in program.lines if line.startswith("!")] == []
    assert int(program.lines[-1].split()[1]) > 100
