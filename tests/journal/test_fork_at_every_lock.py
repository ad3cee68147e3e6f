"""A child that is forked while another thread holds any lock of ours comes to its end: everything public works in it.

The locks are found in the running program, so that a new one cannot be forgotten; and none that the source makes may be missing among these.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.journal import Program, environment
from tests.support.otlp_receiver import Otlp

SOURCE = Path(__file__).parents[2] / "src" / "tokentrail"
OTHER_PROGRAMS = ("embedded", "demo", "local", "ledger", "testing", "cli", "clickhouse", "doctor")
"""Rooms whose locks no service has."""
LOCKS = ("Lock", "RLock", "Condition", "Event", "Semaphore", "BoundedSemaphore", "Barrier", "SimpleQueue", "Queue")

PROGRAM = """
import gc, os, queue, signal, sys, threading, time
import tokentrail
from tests.support.calls import a_request, an_answer, call
from tokentrail.process.current import current
from tokentrail.recording import recorder
import tokentrail
from tokentrail.process import forks
import tokentrail

def everything():
    tokentrail.instrument()
    tokentrail.configure(tenant_id=f"tenant-{os.getpid()}")
    with tokentrail.track_tokens("chat", tenant_id="acme") as spent:
        call("Good morning")
        tokentrail.track_token_usage(token_type="llm", operation="query", provider="groq", model="m", input_tokens=1, output_tokens=1)
    assert spent.calls == 2, spent
    with tokentrail.track_tokens("chat", budget="acme"):
        call("Within a budget that nobody is asked about")
    begun = recorder.start(a_request("counted in the background", stream=True))
    begun.finish_later(an_answer(input_tokens=None, output_tokens=None, output_texts=("some words",)))
    assert tokentrail.count_tokens("one two", model="gpt-4o") > 0
    tokentrail.flush(0.05)
    tokentrail.uninstrument()

everything()
KINDS = (type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Event, threading.Semaphore, queue.SimpleQueue, queue.Queue)

def owners():
    for name, module in sorted(sys.modules.items()):
        if name.startswith("tokentrail"): yield name, vars(module)
    for thing in gc.get_objects():
        if str(type(thing).__module__).startswith("tokentrail"):
            names = [slot for kind in type(thing).__mro__ for slot in getattr(kind, "__slots__", ())]
            yield type(thing).__module__, getattr(thing, "__dict__", None) or {slot: getattr(thing, slot) for slot in names if hasattr(thing, slot)}

found = {}
for home, names in owners():
    for name, value in names.items():
        if isinstance(value, KINDS): found.setdefault(id(value), (value, set()))[1].add(f"{home} {name}")  # a lock may have two owners

def lock_of(value):
    if isinstance(value, threading.Event): return value._cond
    if isinstance(value, queue.SimpleQueue): return None
    return value.mutex if isinstance(value, queue.Queue) else value

for value, names in found.values():
    os.write(1, "".join(f"{name}\\n" for name in sorted(names)).encode())
    lock = lock_of(value)
    held, release = threading.Event(), threading.Event()
    def hold():
        if lock is None: return held.set()
        with lock:
            held.set()
            release.wait(60)
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    if value is forks.guard.lock: threading.Timer(0.1, release.set).start()  # a fork waits for this one
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(40)
        everything()
        sys.exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    release.set()
    holder.join(30)
    if status: os.write(1, f"! {sorted(names)}: the child ended with {status}\\n".encode())
"""


def made(path: Path) -> Iterator[str]:
    """Names of the module's variables and attributes that are made as locks."""
    for node in ast.walk(ast.parse(path.read_text())):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Call):
            called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
            if called in LOCKS:
                yield from (target.attr for target in targets if isinstance(target, ast.Attribute))
                yield from (target.id for target in targets if isinstance(target, ast.Name) and target.col_offset == 0)


def test_a_child_forked_at_any_lock_works(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    program = start(PROGRAM, environment(root, otlp.url, exit_timeout=0.1, journal_fsync=50))
    assert program.end(280) == 0, program.errors
    assert [line for line in program.lines if line.startswith("!")] == []
    tried = {tuple(line.split()) for line in program.lines}
    written = {
        (".".join(("tokentrail", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__"), name)
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE).parts[0] not in OTHER_PROGRAMS
        for name in made(path)
    }
    assert ("tokentrail.process.mutexes", "lock") in written
    assert written <= tried, f"never held while a child was forked: {sorted(written - tried)}"
