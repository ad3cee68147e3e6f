from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import tokentrail
from tokentrail.deploy.collector import config_folder

WHERE = "from tokentrail.deploy.collector import config_folder; print(config_folder())"


def asked_with(package_root: Path) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", WHERE], env=os.environ | {"PYTHONPATH": str(package_root)}, capture_output=True, text=True, timeout=60, check=False
    )
    return answer.stdout.strip() or answer.stderr.strip().splitlines()[-1]


def test_found_in_an_installed_package_and_in_a_checkout(tmp_path: Path) -> None:
    source = Path(tokentrail.__file__).parent
    installed = tmp_path / "site-packages"
    shutil.copytree(source, installed / "tokentrail", ignore=shutil.ignore_patterns("__pycache__"))
    assert "not installed completely" in asked_with(installed)

    shutil.copytree(config_folder(), installed / "tokentrail" / "deploy" / "collector-config")
    assert asked_with(installed) == str(installed / "tokentrail" / "deploy" / "collector-config")
    assert (source.parents[1] / "collector-config" / "manifest.yaml").is_file()
    assert config_folder() == source.parents[1] / "collector-config"


def test_the_wheel_takes_them_along() -> None:
    pyproject = (Path(tokentrail.__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    assert '"collector-config" = "tokentrail/deploy/collector-config"' in pyproject
