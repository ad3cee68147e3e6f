from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.wheel import InstalledWheel
from tokentrail.cli.group import cli
from tokentrail.deploy.collector import FILES, config_folder


def export(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["export", "collector", str(folder), *options])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def originals() -> dict[str, bytes]:
    return contents(config_folder())


def test_all_files_of_the_checkout_are_written(tmp_path: Path, originals: dict[str, bytes]) -> None:
    assert set(FILES) == set(originals)
    said = export(tmp_path / "some" / "where")
    assert said.exit_code == 0, said.output
    assert contents(tmp_path / "some" / "where") == originals
    for name in FILES:
        assert f"wrote      {tmp_path / 'some' / 'where' / name}\n" in said.output
    assert f"otelcol-contrib --config {tmp_path / 'some' / 'where' / 'gateway.yaml'}\n" in said.output


def test_an_installed_wheel_writes_the_same(installed_wheel: InstalledWheel, tmp_path: Path, originals: dict[str, bytes]) -> None:
    said = subprocess.run(
        [str(installed_wheel.program), "export", "collector", "collector"],
        env=installed_wheel.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert contents(tmp_path / "collector") == originals
    assert not list((installed_wheel.site / "tokentrail" / "demo").glob("*.yaml"))


def test_files_of_the_users_are_left_alone(tmp_path: Path, originals: dict[str, bytes]) -> None:
    assert export(tmp_path).exit_code == 0
    assert export(tmp_path).output.count("unchanged  ") == len(FILES)
    (tmp_path / "agent.yaml").write_text("mine: true\n")
    (tmp_path / "gateway.yaml").unlink()

    refused = export(tmp_path)
    assert refused.exit_code == 2
    assert refused.output == f"Error: agent.yaml in {tmp_path} differs from ours: nothing was written; --force replaces what differs.\n"
    assert (tmp_path / "agent.yaml").read_text() == "mine: true\n"
    assert not (tmp_path / "gateway.yaml").exists()

    forced = export(tmp_path, "--force")
    assert forced.exit_code == 0
    assert f"replaced   {tmp_path / 'agent.yaml'}\n" in forced.output
    assert contents(tmp_path) == originals


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        refused = export(folder)
        assert refused.exit_code == 2
        assert refused.output.startswith("Error: ")
        assert refused.output.count("\n") == 1, refused.output


def test_a_folder_in_a_files_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").mkdir()
    for options in ([], ["--force"]):
        refused = export(tmp_path, *options)
        assert refused.exit_code == 2
        assert "agent.yaml" in refused.output
        assert refused.output.count("\n") == 1, refused.output
