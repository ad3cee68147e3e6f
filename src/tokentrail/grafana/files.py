"""All files for Grafana, and how a folder of them is written: whole, or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tokentrail.deploy.collector import config_folder
from tokentrail.grafana.alerts import contact_point, rules
from tokentrail.grafana.board import board_json
from tokentrail.grafana.boards import BOARDS

__all__ = ["FolderError", "files", "write"]

_TOP: Final = "provisioning"
_PROVIDER: Final = """\
# Grafana: the dashboards in the folder `tokentrail` beside this file, where this file is in Grafana's own folder of provisioning.
# Grafana installed elsewhere than /etc/grafana: change `path`.
apiVersion: 1
providers:
  - name: tokentrail
    orgId: 1
    folder: tokentrail
    folderUid: tokentrail
    type: file
    disableDeletion: false
    updateIntervalSeconds: 60
    allowUiUpdates: true
    options:
      path: /etc/grafana/provisioning/dashboards/tokentrail
"""


class FolderError(ValueError):
    """A folder that cannot be written, in one sentence."""


def files() -> dict[str, bytes]:
    """Returns the content of each file by its path. Every path begins with `provisioning`: one folder, which gets its name when it is whole."""
    made = {
        f"{_TOP}/datasources/tokentrail.yaml": (config_folder() / "grafana-datasource.yaml").read_bytes(),
        f"{_TOP}/dashboards/tokentrail.yaml": _PROVIDER.encode(),
        f"{_TOP}/alerting/tokentrail-rules.yaml": rules().encode(),
        f"{_TOP}/alerting/tokentrail-contact-point.yaml": contact_point().encode(),
    }
    for board in BOARDS:
        text = json.dumps(board_json(board), indent=2, ensure_ascii=False) + "\n"
        made[f"{_TOP}/dashboards/tokentrail/{board.uid}.json"] = text.encode()
    return made


def write(folder: Path) -> list[Path]:
    """Writes all files into a folder that does not exist, or is empty. Returns their paths.

    The files are written into a folder of another name, which then is renamed: nobody sees half of them. Raises `FolderError`, and leaves nothing.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise FolderError(f"{folder} is a file: name a folder")
        if folder.is_dir() and any(folder.iterdir()):
            raise FolderError(f"{folder} exists and is not empty: name another folder, or remove {folder} first")
        made = files()
        if folder.is_dir():  # perhaps a volume of its own, or the present folder: it stays
            _write_whole(made, folder / _TOP, part=_TOP)
        else:
            folder.absolute().parent.mkdir(parents=True, exist_ok=True)
            _write_whole(made, folder.absolute())
    except OSError as error:
        raise FolderError(f"{folder} cannot be written: {error.strerror or error}") from None
    return [folder / name for name in made]


def _write_whole(made: Mapping[str, bytes], final: Path, *, part: str = "") -> None:
    """Writes the files into a folder beside `final`, which then gets the name `final`: all of it, or a part."""
    staging = Path(tempfile.mkdtemp(prefix=".tokentrail-", dir=final.parent))
    try:
        for path, content in made.items():
            target = staging / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        staging.chmod(0o755)
        (staging / part).rename(final)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
