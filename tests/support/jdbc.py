"""ClickHouse's JDBC driver, which Metabase and other Java programs ask through: its jars, from Maven's repository by Maven itself."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from tests.support import prometheus
from tokentrail.local.building import run_step
from tokentrail.local.cache import Progress, Unavailable, made_once

__all__ = ["ARTIFACTS", "answers", "obtain"]

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
ARTIFACTS = ("com.clickhouse:clickhouse-jdbc:0.9.4:jar:all", "org.slf4j:slf4j-api:2.0.7")
SECONDS = 120.0


def obtain(progress: Progress) -> Path | Unavailable:
    """Returns the folder of the jars, made by the first call, or why there is none. Java and Maven are Debian's."""
    for program in ("javac", "mvn"):
        if isinstance(found := prometheus.obtain(program, progress), Unavailable):
            return found

    def make(staging: Path) -> Unavailable | None:
        for artifact in ARTIFACTS:
            copy = ["mvn", "--batch-mode", "--quiet", f"{PLUGIN}:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={staging}"]
            if failed := run_step(f"mvn {artifact}", copy, log=staging / "maven.log", progress=progress):
                return failed
        return None

    return made_once("jdbc", hashlib.sha256(repr(ARTIFACTS).encode()).hexdigest()[:16], make, progress)


def answers(jars: Path, program: Path, *arguments: str) -> list[str]:
    """Run a Java program of one file with the driver; the lines that it prints. An AssertionError with its words if it fails."""
    command = ["java", "-classpath", os.pathsep.join(map(str, sorted(jars.glob("*.jar")))), str(program), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()
