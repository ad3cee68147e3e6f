"""`python -m tests.support.prepare`: makes what the tests need and what takes minutes, where one can see it being made and no test's time runs out.

It never fails: what cannot be had here is said in a sentence, and the tests that need it are skipped by name, or fail if it is required.
"""

from __future__ import annotations

from tests.support import alert_check, chromium, compose_check, focus_validation, grafana_page, jdbc, prometheus, query_path
from tests.support.require import required
from tokentrail.local import collector, local_model
from tokentrail.local.cache import Progress, Unavailable

PARTS = (collector, local_model, focus_validation, query_path, alert_check, compose_check, chromium, grafana_page, jdbc)
"""Modules whose `obtain` makes a part or says why this machine cannot have the part."""


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command's output


def main() -> None:
    progress = Progress(say)
    parts = (part.obtain(progress) for part in PARTS)
    packages = (prometheus.obtain(each, progress) for each in ("promtool", "alertmanager", "redis-server", "initdb"))
    for result in (*parts, *packages):
        if isinstance(result, Unavailable):
            say(str(result))
        elif isinstance(result, local_model.Installed) and required("ollama"):
            from tests.support import ollama

            built = ollama.build(progress)
            if isinstance(built, Unavailable):
                say(str(built))


if __name__ == "__main__":
    main()
