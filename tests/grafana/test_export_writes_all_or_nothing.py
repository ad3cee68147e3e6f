from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.grafana.conftest import EXPORTED
from tests.support.wheel import InstalledWheel
from tokentrail.cli.group import cli


def export(folder: Path | str) -> Result:
    return CliRunner().invoke(cli, ["grafana", "export", str(folder)])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["new", "new/and/deep", "provisioning", "with blank ' quote"])
def test_a_new_folder_has_what_is_checked_in(tmp_path: Path, name: str) -> None:
    said = export(tmp_path / name)
    assert said.exit_code == 0, said.output
    assert contents(tmp_path / name) == contents(EXPORTED), "run: make docs"
    assert {str(path.relative_to(tmp_path)).split("/", 1)[0] for path in tmp_path.rglob("*")} == {name.split("/", 1)[0]}
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o755
    for path in contents(EXPORTED):
        assert f"wrote  {tmp_path / name / path}\n" in said.output


def test_the_page_names_the_files() -> None:
    page = (EXPORTED.parents[1] / "docs" / "grafana.md").read_text("utf-8")
    assert all(f"`{name}" in page for name in ("provisioning/datasources/tokentrail.yaml", "provisioning/dashboards/tokentrail.yaml"))


def test_an_empty_folder_is_filled_and_stays_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert export(".").exit_code == 0
    assert contents(Path()) == contents(EXPORTED)
    assert os.listdir() == ["provisioning"]  # noqa: PTH208 - the present folder itself


def test_an_installed_wheel_writes_the_same(installed_wheel: InstalledWheel, tmp_path: Path) -> None:
    command = [str(installed_wheel.program), "grafana", "export", "grafana"]
    said = subprocess.run(command, env=installed_wheel.environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    assert contents(tmp_path / "grafana") == contents(EXPORTED)


def test_what_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "dashboard.json").write_text("{}")
    said = export(tmp_path / "mine")
    assert said.exit_code == 2
    assert said.output == f"Error: {tmp_path / 'mine'} exists and is not empty: name another folder, or remove {tmp_path / 'mine'} first.\n"
    assert contents(tmp_path) == {"mine/dashboard.json": b"{}"}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    said = export(tmp_path / "file")
    assert (said.exit_code, said.output) == (2, f"Error: {tmp_path / 'file'} is a file: name a folder.\n")
    said = export(tmp_path / "file" / "below")
    assert said.exit_code == 2
    assert said.output.startswith(f"Error: {tmp_path / 'file' / 'below'} cannot be written: ")
    assert contents(tmp_path) == {"file": b"text"}


@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_nothing(tmp_path: Path, existing: bool) -> None:
    if existing:
        (tmp_path / "grafana").mkdir()
    said = subprocess.run(
        [sys.executable, "-m", "tokentrail", "grafana", "export", str(tmp_path / "grafana")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 2
    assert said.stderr == f"Error: {tmp_path / 'grafana'} cannot be written: File too large.\n"
    assert [path.name for path in tmp_path.rglob("*")] == (["grafana"] if existing else [])
