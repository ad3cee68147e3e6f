from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.embedded import Reply, ask, ask_text, connected, new_table, number, read_everything, read_spooled
from tests.support.waiting import wait_until
from tokentrail.embedded.process import ServerProcess

RUNNING = "SELECT count() FROM system.processes WHERE query LIKE '%{}%' AND query NOT LIKE '%system.processes%'"


def in_background(work: Callable[[], Reply]) -> tuple[threading.Thread, list[Reply]]:
    answers: list[Reply] = []
    thread = threading.Thread(target=lambda: answers.append(work()))
    thread.start()
    return thread, answers


@pytest.mark.parametrize("number_of_signal", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_lets_running_requests_end(start: Callable[..., ServerProcess], number_of_signal: int) -> None:
    server = start()
    thread, answers = in_background(lambda: ask(server.addresses.http, "POST", "/", "SELECT sleep(2)"))
    wait_until(lambda: number(server.addresses, RUNNING.format("sleep(2)")) == 1, "the query runs")
    server.send_signal(number_of_signal)
    assert server.wait(20) == 0
    thread.join()
    assert (answers[0].status, answers[0].text) == (200, "0\n")


@pytest.mark.timeout(60)
def test_what_does_not_end_in_time_is_cut_off(start: Callable[..., ServerProcess]) -> None:
    server = start()
    table = new_table(server.addresses)
    endless = "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(number)"
    thread, answers = in_background(lambda: ask(server.addresses.http, "POST", "/", endless))
    wait_until(lambda: number(server.addresses, RUNNING.format("numbers(1000000000000)")) == 1, "the query runs")
    assert server.stop(timeout=40) == 0
    thread.join()
    assert [(answer.status, answer.headers["x-clickhouse-exception-code"]) for answer in answers] == [(503, "394")]
    assert number(start().addresses, f"SELECT count() FROM {table}") == 0


@pytest.mark.timeout(60)
def test_a_client_that_never_finishes_does_not_hold_it_up(start: Callable[..., ServerProcess]) -> None:
    server = start()
    table = new_table(server.addresses)
    with connected(server.addresses.http) as connection:
        head = f"POST /?query=INSERT+INTO+tokentrail.{table}+FORMAT+CSV HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n1,x\n"
        connection.sendall(head.encode())
        wait_until(lambda: read_spooled(server.addresses) == [b"1,x\n"], "what was sent has arrived")
        assert server.stop(timeout=40) == 0
        assert read_everything(connection).startswith(b"HTTP/1.1 503 ")
    assert number(start().addresses, f"SELECT count() FROM {table}") == 0


def test_all_is_there_when_the_folder_is_opened_again(start: Callable[..., ServerProcess]) -> None:
    server = start()
    table = new_table(server.addresses)
    ask_text(server.addresses, f"INSERT INTO {table} SELECT number, 'x' FROM numbers(1000)")
    assert server.stop() == 0
    assert number(start().addresses, f"SELECT sum(a) FROM {table}") == 499_500


def test_the_ready_file_is_there_exactly_while_it_answers(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "tokentrail.embedded", "--data", str(tmp_path / "data"), "--ready-file", str(ready)]
    with subprocess.Popen([*command, "--http-port", "0", "--otlp-port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            wait_until(ready.exists, "the ready file", every_s=0.01)
            addresses = json.loads(ready.read_text())
            assert addresses["pid"] == process.pid
            assert ask(addresses["http"], "GET", "/ping").status == 200
            process.terminate()
            printed = process.communicate(timeout=20)[0]
        finally:
            process.kill()
    assert process.returncode == 0
    assert not ready.exists()
    assert addresses["http"] in printed
    assert addresses["otlp"] in printed
    assert f"tokentrail report --dsn {addresses['dsn']}" in printed


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import sys, time; from tokentrail.embedded.process import ServerProcess\n"
        "server = ServerProcess.started(sys.argv[1]); print(server.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "data")], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()

    def gone() -> bool:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{child}/stat")
        return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"

    wait_until(gone, "the child is gone")
