"""Every way in which a process ends: nothing is lost, nothing is counted twice, nothing hangs."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.waiting import wait_until
from tokentrail.local.child import Child
from tokentrail.local.ports import free_port
from torture.faults import HTTP_FAULTS, FaultyHttp
from torture.programs import GREEN, GREEN_WORK, HEAD, PROGRAMS, SUB_INTERPRETERS
from torture.stage import Stage, parsed

PYTHON = sys.executable
END_S = 60.0
EXIT_TIMEOUT_S = 2.0
REQUESTS = 24
TASKS = 16
JOBS = 6
"""Of RQ, whose worker forks a process for each, which imports the SDK."""
LATE = 3
"""Requests that are sent together with the signal; SIGQUIT ends gunicorn's workers without waiting for them."""
TOGETHER = 4
SLACK_S = 1.5
"""For a busy machine."""

GUNICORN = {"sync": "wsgi", "gthread": "wsgi", "gevent": "wsgi", "uvicorn.workers.UvicornWorker": "asgi"}


@dataclass
class Way:
    """One way to end: `run` returns the child whose output tells the calls, after its end."""

    name: str
    run: Callable[[Stage, str, dict[str, str]], Child]
    unseen: int = 0
    """Calls that may be under way at the end."""


def run(stage: Stage) -> None:
    """Runs all ways, some side by side, and compares each with the ledger."""
    endpoint = f"{stage.gateway.otlp_http_url}/v1/logs"
    address = stage.provider  # begun before the threads below need it
    ways = list(all_ways())
    numbers = stage.numbers(len(ways))
    chosen = [ways[(number - 1) % len(ways)] for number in numbers][: len(ways)]

    stage.say(f"{len(chosen)} ways, {TOGETHER} side by side, asking {address}")

    def one(way: Way) -> tuple[Way, list[str], str]:
        journal = stage.folder / f"journal-{way.name}"
        environment = stage.environment(journal, endpoint, exit_timeout=EXIT_TIMEOUT_S)
        try:
            child = way.run(stage, f"{way.name}.", environment)
        except (AssertionError, TimeoutError) as error:
            return way, [], f"{error}"
        lines = child.lines
        child.kill()
        return way, lines, ""

    with ThreadPoolExecutor(TOGETHER) as side_by_side:
        ended = list(side_by_side.map(one, chosen))
    for way, lines, hung in ended:
        words = stage.drain(stage.folder / f"journal-{way.name}", endpoint)
        prefix = f"{way.name}."
        said = parsed(lines, prefix)
        rows = stage.settled(said, prefix)
        if hung:
            stage.outcome.hangs += 1
            stage.outcome.fail(f"{way.name}: {hung}")
        if words:
            stage.outcome.fail(f"{way.name}: the journal is not drained: {words}")
        if not said:
            stage.outcome.fail(f"{way.name}: no call was made")
        stage.outcome.count(said, stage.answered(prefix), rows, where=way.name, unseen=way.unseen)
        stage.say(f"{way.name}: {len(said)} answers seen, {len(rows)} rows")
    delayed(stage)
    stage.prove()
    if not shutil.which("redis-server"):
        stage.outcome.skipped.append("Celery and RQ: there is no redis-server")
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        stage.outcome.skipped.append("free-threaded Python: this interpreter has a lock")
    if not SUB_INTERPRETERS:
        stage.outcome.skipped.append("sub-interpreters: this interpreter has none")


def delayed(stage: Stage) -> None:
    """Ends a program whose Collector answers nothing, beside one that ships nothing: the setting bounds the delay, nothing is lost."""
    target = urlsplit(stage.gateway.otlp_http_url).port or 0
    took = []
    for ship in ("false", "true"):
        journal, prefix = stage.folder / f"journal-delayed-{ship}", f"delayed-{ship}."
        code = HEAD.format(name=f"{prefix}1") + "\nos.write(1, f'ends {time.monotonic_ns()}\\n'.encode())"
        with FaultyHttp(target, HTTP_FAULTS["black hole"]) as server:
            child = stage.python(code, stage.environment(journal, f"{server.url}/v1/logs", exit_timeout=EXIT_TIMEOUT_S, ship=ship))
            child.wait(END_S)
            ended = time.monotonic_ns()
        [began] = [int(line.split()[1]) for line in child.lines if line.startswith("ends ")]
        took.append((ended - began) / 1e9)
        words = stage.drain(journal, f"{stage.gateway.otlp_http_url}/v1/logs")
        said = parsed(child.lines, prefix)
        stage.outcome.count(said, stage.answered(prefix), stage.settled(said, prefix), where=f"a Collector that answers nothing {words}")
    delay = took[1] - took[0]
    stage.outcome.notes.append(f"a Collector that answers nothing delays the end of a program by {delay:.1f} s (exit_timeout {EXIT_TIMEOUT_S:g})")
    if delay > EXIT_TIMEOUT_S + SLACK_S:
        stage.outcome.fail(f"the end of a program was delayed by {delay:.1f} s")


def all_ways() -> Iterator[Way]:
    """Yields programs, pools, web servers and workers of queues."""
    for name, code in PROGRAMS.items():
        yield Way(name, program(HEAD, code), unseen=3 if name in ("daemon-threads", "asyncio-interrupted") else 0)
    for name, patch in GREEN.items():
        yield Way(name, program(patch + HEAD, GREEN_WORK[name]))
    for method in ("fork", "spawn", "forkserver"):
        yield Way(f"multiprocessing-{method}", pools(method))
    yield Way("uvicorn", web([PYTHON, "-m", "uvicorn", "torture.services:asgi", "--log-level", "error", "--port"], "TERM"))
    yield Way("uvicorn-workers", web([PYTHON, "-m", "uvicorn", "torture.services:asgi", "--log-level", "error", "--workers", "2", "--port"], "TERM"))
    for kind, application in GUNICORN.items():
        for more in ((), ("--preload",), ("--max-requests", "5"), ("--preload", "--max-requests", "5")):
            end = "QUIT" if more else "TERM"
            name = "-".join(("gunicorn", kind.rpartition(".")[2].lower(), *(option.strip("-") for option in more if option != "5"), end.lower()))
            yield Way(name, web(gunicorn(kind, application, more), end), unseen=LATE if end == "QUIT" else 0)
    for name, command in WORKERS.items() if shutil.which("redis-server") else ():
        yield Way(name, queue(command))


def program(head: str, code: str) -> Callable[[Stage, str, dict[str, str]], Child]:
    """Returns what runs a few lines of Python until their end."""

    def run_program(stage: Stage, name: str, environment: dict[str, str]) -> Child:
        child = stage.python(head.format(name=f"{name}1") + code, environment)
        child.wait(END_S)
        return child

    return run_program


def pools(method: str) -> Callable[[Stage, str, dict[str, str]], Child]:
    """Returns what runs multiprocessing's pools."""

    def run_pools(stage: Stage, name: str, environment: dict[str, str]) -> Child:
        child = stage.program([PYTHON, "-m", "torture.services", method, f"{name}1"], environment)
        child.wait(4 * END_S)
        return child

    return run_pools


def gunicorn(kind: str, application: str, more: tuple[str, ...]) -> list[str]:
    """Returns the command line of gunicorn, without the port."""
    command = [PYTHON, "-m", "gunicorn", f"torture.services:{application}", "-k", kind, "--workers", "2", "--log-level", "error", *more]
    return [*command, "--no-control-socket", "--graceful-timeout", "20", "--bind"]


def web(command: list[str], end: str) -> Callable[[Stage, str, dict[str, str]], Child]:
    """Returns what serves requests and ends at a signal, amid further requests."""

    def run_web(stage: Stage, name: str, environment: dict[str, str]) -> Child:
        port = free_port()
        child = stage.program([*command, f"127.0.0.1:{port}" if command[-1] == "--bind" else str(port)], environment)
        wait_until(lambda: not child.running or listens(port), f"{name} to listen: {child.last_words()}", deadline_s=90)
        with ThreadPoolExecutor(3) as clients:
            asked = list(clients.map(lambda number: ask(port, f"{name}{number}"), range(REQUESTS)))
            assert any(asked), f"{name} answers nothing: {child.last_words()}"
            late = [clients.submit(ask, port, f"{name}late{number}") for number in range(LATE)]
            child.send_signal(getattr(signal, f"SIG{end}"))
            for one in late:
                one.result()
        child.wait(END_S)
        return child

    return run_web


def ask(port: int, operation: str) -> bool:
    """Asks a web server once; a worker that is just recycled may hang up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=END_S)
    try:
        connection.request("GET", f"/{operation}")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def listens(port: int) -> bool:
    """Whether a server listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


CELERY = [
    PYTHON,
    "-m",
    "celery",
    "-A",
    "torture.services",
    "worker",
    "--loglevel",
    "error",
    "--concurrency",
    "2",
    "--without-mingle",
    "--without-gossip",
]
WORKERS = {
    "celery-prefork": [*CELERY, "--pool", "prefork"],
    "celery-prefork-recycled": [*CELERY, "--pool", "prefork", "--max-tasks-per-child", "3"],
    "celery-threads": [*CELERY, "--pool", "threads"],
    "celery-solo": [*CELERY, "--pool", "solo"],
    "rq": [PYTHON, "-m", "rq.cli", "worker", "--quiet", "--url", "{broker}", "{queue}"],
    "rq-simple": [PYTHON, "-m", "rq.cli", "worker", "--quiet", "--worker-class", "rq.worker.SimpleWorker", "--url", "{broker}", "{queue}"],
}
SEND_CELERY = "from torture.services import task; [task.apply_async((f'{name}{{number}}',), queue='{queue}') for number in range({count})]"
SEND_RQ = (
    "from redis import Redis; from rq import Queue; queue = Queue('{queue}', connection=Redis.from_url('{broker}'));"
    " [queue.enqueue('torture.services.job', f'{name}{{number}}') for number in range({count})]"
)


def queue(command: list[str]) -> Callable[[Stage, str, dict[str, str]], Child]:
    """Returns what works off the tasks of one queue and ends at SIGTERM."""

    def run_queue(stage: Stage, name: str, environment: dict[str, str]) -> Child:
        tasks = JOBS if name.startswith("rq") else TASKS
        with redis_server(stage.folder / f"redis-{name}") as broker:
            environment = environment | {"TORTURE_BROKER": broker}
            words = {"broker": broker, "queue": f"q{name}", "name": name, "count": tasks}
            send = (SEND_RQ if name.startswith("rq") else SEND_CELERY).format(**words)
            stage.python(send, environment).wait(END_S)
            more = [] if name.startswith("rq") else ["--queues", f"q{name}"]
            worker = stage.program([part.format(**words) for part in command] + more, environment)
            wait_until(lambda: not worker.running or len(parsed(worker.lines, name)) >= tasks, f"{name} {worker.last_words()}", deadline_s=150)
            time.sleep(0.1)
            worker.send_signal(signal.SIGTERM)
            worker.wait(END_S)
            return worker

    return run_queue


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A redis-server of its own that keeps nothing, as an address."""
    port = free_port()
    folder.mkdir()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with Child("redis-server", command, ready=lambda: listens(port)).start():
        yield f"redis://127.0.0.1:{port}/0"
