"""Certificates for servers and clients on loopback, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_certificates(folder: Path, *names: str) -> Path:
    """Write `NAME.pem` and `NAME.key` for each name, each self-signed for 127.0.0.1 and valid for two days; the folder."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    for name in names:
        subprocess.run([*command, "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")], check=True, capture_output=True)
    return folder
