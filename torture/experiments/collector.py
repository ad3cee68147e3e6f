"""The Collector is down, restarts, refuses with every status, loses answers, hangs: nothing is lost, nothing twice, and no call takes longer."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from tests.support.certificates import make_certificates
from tests.support.processes import resident_kib
from tests.support.waiting import wait_until
from tokentrail.local.ports import free_port
from torture.application import Application
from torture.faults import HTTP_FAULTS, FaultyGrpc, FaultyHttp, healthy
from torture.outcome import Row, Tokens
from torture.stage import SETTLED_S, Stage, parsed, size_of

CALLS = 45
PAUSE = 0.01
TOGETHER = 8
MOST_RATIO = 1.25
"""Of the medians of all faults' calls beside calls with a healthy Collector; a call that waits for the Collector would take many times as long."""
GRPC_CODES = (
    *("CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"),
    *("FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
BOUND = 1 << 20
BOUNDED_CALLS = 500


class Faulty(Protocol):
    """A server that misbehaves until it is healed."""

    def heal(self) -> None:
        """Ends the fault."""


@dataclass
class Fault:
    """One fault.

    `open` yields the endpoint, further settings, and what is healed amid the calls: None where only the command that ships reaches a Collector.
    """

    name: str
    open: Callable[[], contextlib.AbstractContextManager[tuple[str, dict[str, Any], Faulty | None]]]


@dataclass
class Played:
    """A fault that was played, beside calls with a healthy Collector."""

    fault: Fault
    prefix: str
    applications: list[Application]
    words: str
    hung: str = ""

    @property
    def ratio(self) -> float:
        """The median call's time beside that of the other application, 0 if one of them is not known."""
        took = [next((int(line.split()[1]) for line in one.lines if line.startswith("took ")), 0) for one in self.applications]
        return took[0] / took[1] if len(took) == 2 and all(took) else 0.0


def run(stage: Stage) -> None:
    """Plays all faults, some side by side."""
    faults = list(all_faults(stage))
    stage.rng(0).shuffle(faults)  # a few rounds are some of everything
    chosen = [faults[(number - 1) % len(faults)] for number in stage.numbers(len(faults))][: len(faults)]
    assert stage.nursery.child.running, "begun before the threads below need it"
    stage.say(f"{len(chosen)} faults, {TOGETHER} side by side, asking {stage.provider}")
    with ThreadPoolExecutor(TOGETHER) as side_by_side:
        played = list(side_by_side.map(partial(play, stage), enumerate(chosen), timeout=3600))
    restarted = restart_gateway(stage)
    ratios = []
    said_all = parsed([line for one in [*played, restarted] for application in one.applications for line in application.lines])
    rows_all = stage.settled(said_all, "f")
    answered_all = stage.answered("f")
    for one in [*played, restarted]:
        count(stage, one, said_all, answered_all, rows_all)
        ratios += [one.ratio] if one.ratio else []
    median = statistics.median(ratios) if ratios else 0.0
    if median > MOST_RATIO:
        stage.outcome.fail(f"calls take {median:.2f} times as long while the Collector misbehaves")
    stage.outcome.notes.append(f"time of a call beside a healthy Collector: {median:.2f} times (median of {len(ratios)} faults)")
    keep_bounds(stage)
    stage.prove(expected=lambda finding: "refused by the journal" in finding)


def all_faults(stage: Stage) -> Iterator[Fault]:
    """Yields all faults."""
    target = urlsplit(stage.gateway.otlp_http_url).port or 0
    for name, fault in HTTP_FAULTS.items():
        yield Fault(name, partial(over_http, target, fault))
    for code in GRPC_CODES:
        yield Fault(f"gRPC {code}", partial(over_grpc, target, code, taken=False))
    yield Fault("gRPC UNAVAILABLE after acceptance", partial(over_grpc, target, "UNAVAILABLE", taken=True))
    yield Fault("down", partial(never, f"http://127.0.0.1:{free_port()}/v1/logs"))
    yield Fault("DNS failure", partial(never, "http://collector.invalid:4318/v1/logs"))
    yield Fault("TLS to a plain port", partial(never, f"https://127.0.0.1:{target}/v1/logs"))
    yield Fault("TLS with an unknown certificate", partial(untrusted, stage.folder))
    yield Fault("gRPC to an HTTP/1 port", partial(never, f"http://127.0.0.1:{target}", protocol="grpc"))


@contextmanager
def over_http(target: int, fault: Any) -> Iterator[tuple[str, dict[str, Any], Faulty | None]]:
    """A server before the Collector."""
    with FaultyHttp(target, fault) as server:
        yield f"{server.url}/v1/logs", {"timeout": 1.0}, server


@contextmanager
def over_grpc(target: int, code: str, *, taken: bool) -> Iterator[tuple[str, dict[str, Any], Faulty | None]]:
    """The same over gRPC."""
    with FaultyGrpc(target, code, taken=taken) as server:
        yield f"http://127.0.0.1:{server.port}", {"protocol": "grpc", "timeout": 2.0}, server


@contextmanager
def never(endpoint: str, **settings: Any) -> Iterator[tuple[str, dict[str, Any], Faulty | None]]:
    """An address at which no Collector ever answers."""
    yield endpoint, {"timeout": 1.0, **settings}, None


@contextmanager
def untrusted(folder: Path) -> Iterator[tuple[str, dict[str, Any], Faulty | None]]:
    """A server with a certificate that nobody has signed."""
    from tests.support.otlp_receiver import Otlp

    made = make_certificates(folder, "unknown")
    with Otlp(tls=(made / "unknown.pem", made / "unknown.key")) as server:
        yield server.url, {"timeout": 1.0}, None


def play(stage: Stage, numbered: tuple[int, Fault]) -> Played:
    """Runs two applications side by side, one with the fault, which is over after half of its calls; then ships what waits."""
    number, fault = numbered
    prefix = f"f{number}-"
    endpoint = f"{stage.gateway.otlp_http_url}/v1/logs"
    journals = [stage.folder / f"journal-{prefix}{which}" for which in ("faulty", "healthy")]
    with fault.open() as (faulty_endpoint, settings, faulty):
        applications = [
            stage.application(f"{prefix}faulty", journals[0], faulty_endpoint, arguments=load(f"{prefix}faulty"), **settings),
            stage.application(f"{prefix}healthy", journals[1], endpoint, arguments=load(f"{prefix}healthy")),
        ]
        one = Played(fault, prefix, applications, "")
        try:
            applications[0].says(CALLS // 2)
            if faulty is not None:
                faulty.heal()
            for application in applications:
                application.wait(90)
        except AssertionError as error:
            one.hung = str(error)
    for journal in journals:
        aside = [] if not any(journal.glob("aside/*")) else ["--aside"]
        one.words += stage.drain(journal, endpoint, more=aside)
    stage.say(f"{fault.name}: call time {one.ratio:.2f} times{f'; {one.words}' if one.words else ''}")
    return one


def load(name: str) -> dict[str, Any]:
    """Returns the arguments of an application."""
    return {"name": name, "calls": CALLS, "pause": PAUSE}


def restart_gateway(stage: Stage) -> Played:
    """Kills and starts the real Collector amid the calls, three times."""
    endpoint = f"{stage.gateway.otlp_http_url}/v1/logs"
    name = "fr-restarted"
    application = stage.application(name, stage.folder / name, endpoint, arguments={"name": name, "threads": 2, "calls": 200, "pause": 0.01})
    for times in range(1, 4):
        application.says(100 * times)
        stage.gateway.kill()
        stage.gateway.start()
    application.wait(120)
    words = stage.drain(stage.folder / name, endpoint)
    return Played(Fault("restarted under load", partial(never, "")), f"{name}-", [application], words)


def count(stage: Stage, one: Played, said: dict[str, Tokens], answered: dict[str, Tokens], rows: dict[str, Row]) -> None:
    """Compares the calls of one fault."""
    own_said, own_answered = ({name: held for name, held in part.items() if name.startswith(one.prefix)} for part in (said, answered))
    own_rows = {name: row for name, row in rows.items() if name.startswith(one.prefix)}
    where = one.fault.name
    if one.hung:
        stage.outcome.hangs += 1
        stage.outcome.fail(f"{where}: {one.hung}")
    if one.words:
        stage.outcome.fail(f"{where}: the journal is not drained: {one.words}")
    stage.outcome.count(own_said, own_answered, own_rows, where=where)


def keep_bounds(stage: Stage) -> None:
    """Calls far beyond the journal's bound while the Collector is a black hole: disk and memory stay, and what is refused is named."""
    target = urlsplit(stage.gateway.otlp_http_url).port or 0
    journal, name = stage.folder / "journal-bounded", "g-bounded"
    with FaultyHttp(target, HTTP_FAULTS["black hole"]) as server:
        settings: dict[str, Any] = {"journal_max_bytes": BOUND, "journal_segment_bytes": BOUND // 4, "timeout": 1.0}
        arguments = {"name": name, "calls": BOUNDED_CALLS, "padding": 12_000}
        application = stage.application(name, journal, f"{server.url}/v1/logs", arguments=arguments, **settings)
        application.says(BOUNDED_CALLS // 4)
        before = resident_kib(application.pid)
        application.says(BOUNDED_CALLS)
        after, size = resident_kib(application.pid), size_of(journal)
        server.fault = healthy
        server.heal()
        wait_until(lambda: not application.running, "the end of the application", deadline_s=60)
    words = stage.drain(journal, f"{stage.gateway.otlp_http_url}/v1/logs")
    said = parsed(application.lines)
    rows, refused = stage.rows(f"{name}-"), stage.refused()
    deadline = time.monotonic() + SETTLED_S
    while len(rows) + refused < len(said) and time.monotonic() < deadline:  # the gateway has them, and the ledger a moment later
        rows, refused = stage.rows(f"{name}-"), stage.refused()
    stage.outcome.refused += refused
    stage.outcome.notes.append(
        f"a black hole and {BOUNDED_CALLS} calls of 12 kB: journal {size:,} of {BOUND:,} bytes, memory {before:,} then {after:,} KiB,"
        f" {len(rows)} rows and {refused} refused by number of {len(said)} calls"
    )
    if size > BOUND or words or len(rows) + refused != len(said):
        stage.outcome.fail(f"bounded: {size} bytes, {len(said)} calls, {len(rows)} rows, {refused} refused; {words}")
