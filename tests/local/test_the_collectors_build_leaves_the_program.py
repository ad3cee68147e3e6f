from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fresh_machine import FreshMachine
from tests.support.waiting import wait_until
from tokentrail.local.child import Child
from tokentrail.local.go_toolchain import Go

OBTAIN = "from tokentrail.local.collector import obtain; from tokentrail.local.cache import Progress; print(obtain(Progress(lambda line: None)))"


def obtain(machine: FreshMachine, *, refuses: bool = False) -> str:
    environment = machine.environment(refuses=refuses)
    ran = subprocess.run([sys.executable, "-c", OBTAIN], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_nothing_else_is_in_the_users_home(machine: FreshMachine) -> None:
    machine.go.go_on()
    assert "Built(program=" in obtain(machine)
    lock, program = machine.made()
    assert Path(program).parts[:3] == (".cache", "tokentrail", "collector")
    assert Path(program).name == "tokentrail-collector"
    assert lock.endswith(".lock")
    assert not list(machine.temporary.iterdir())


def test_no_module_proxy_is_one_sentence_and_leaves_nothing(machine: FreshMachine) -> None:
    said = obtain(machine, refuses=True)
    assert said.startswith("the official Collector is not available here: "), said
    assert "module lookup disabled by GOPROXY=off" in said
    assert said.count("\n") == 1
    assert [name for name in machine.made() if not name.endswith(".lock")] == []


def test_what_a_killed_build_left_goes_with_the_next(machine: FreshMachine) -> None:
    with Child("a build", [sys.executable, "-c", OBTAIN], environment=machine.environment()) as killed:
        killed.start()
        wait_until(lambda: machine.go.building, "the build")
        killed.kill()
    assert [name for name in machine.made() if ".part-" in name]
    machine.go.go_on()
    assert "Built(program=" in obtain(machine)
    assert len(machine.made()) == 2


@pytest.mark.parametrize("name", ["GOMODCACHE", "GOCACHE", "GOPATH", "GOTMPDIR"])
def test_caches_of_the_user_are_not_used(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "/the/users/own")
    monkeypatch.setenv("GOPROXY", "https://proxy.example")
    environment = Go(tmp_path / "go", "1.26.8", "this machine").environment(tmp_path / "scratch", installs_into=tmp_path / "bin")
    assert environment[name].startswith(str(tmp_path / "scratch"))
    assert environment["GOPROXY"] == "https://proxy.example"
