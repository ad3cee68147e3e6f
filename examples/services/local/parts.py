"""All parts of the four services on this machine, each a process of its own: ClickHouse, the Collector, the providers' stand-in, the services.

`tokentrail.local` starts them, and no runner of Procfiles such as honcho: a part is started when those that it needs answer, nothing is left running
even if this program is killed, and at the end the services stop first, so that what they counted still finds its way to ClickHouse.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from tokentrail.embedded.process import ServerProcess
from tokentrail.local import collector
from tokentrail.local.child import Child
from tokentrail.local.collector import Built
from tokentrail.local.ports import answers, free_port

SERVICES = Path(__file__).resolve().parents[1]
NAMES = ("embedding", "query", "ingestion", "agent")
"""In the order in which they are started: each asks the ones before it."""
STAND_IN_KEY = "sk-stand-in-0123456789"
"""The key for the providers' stand-in."""
KEYS = {"groq": "GROQ_API_KEY", "openai": "OPENAI_API_KEY", "ollama": "OLLAMA_HOST"}
"""What says that the real provider is to be asked."""
_ELSEWHERE = ("OTEL_", "TOKENTRAIL_")
"""Variables of the user's shell that would send what is counted somewhere else."""


def real_providers(environment: Mapping[str, str]) -> list[str]:
    """Return the providers for which there is a key or an address."""
    return [name for name, variable in KEYS.items() if environment.get(variable)]


class Parts:
    """The running parts. `url` gives each part's address, `usages` the address for records of the ledger.

    `children` holds the processes of the services and of the stand-in. `ports` chooses the port of a part by its name; `settings` are further
    variables of the services.
    """

    def __init__(
        self,
        folder: Path,
        built: Built | None,
        *,
        real: list[str],
        ports: Callable[[str], int] = lambda _name: free_port(),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.url: dict[str, str] = {}
        self.children: dict[str, Child] = {}
        self.collector: collector.Collector | None = None
        self._built, self._real, self._ports, self._settings = built, real, ports, dict(settings or {})
        self._server: ServerProcess | None = None
        self._stack = contextlib.ExitStack()
        self._counting = contextlib.ExitStack()

    def __enter__(self) -> Parts:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    @property
    def logs(self) -> Path:
        """The folder of what the parts print."""
        return self.folder / "logs"

    def _start(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        clickhouse, otlp = self._ports("clickhouse"), self._ports("otlp")
        server = self._stack.enter_context(
            ServerProcess.started(self.folder / "clickhouse", http_port=clickhouse, otlp_port=otlp, log=self.logs / "clickhouse.log")
        )
        self._server = server
        self.url["clickhouse"], self.dsn = server.addresses.http, server.addresses.dsn
        telemetry = usages = server.addresses.otlp
        if self._built is not None:
            running = collector.run(self._built.program, "gateway", folder=self.folder / "collector", settings={"CLICKHOUSE": self.url["clickhouse"]})
            self._stack.callback(running.terminate)
            self.collector = running
            telemetry, usages = running.otlp_http_url, running.ledger_http_url
        self.url["otlp"] = telemetry
        self.usages = f"{usages}/v1/logs"
        self._stack.enter_context(self._counting).callback(self._drain)
        environment = self._environment(telemetry)
        if len(self._real) < len(KEYS):
            environment |= self._stand_in(environment)
        self.url |= {name: f"http://127.0.0.1:{self._ports(name)}" for name in NAMES}
        environment |= {f"{name.upper()}_URL": self.url[name] for name in NAMES}
        for name in NAMES:
            port = self.url[name].rpartition(":")[2]
            command = [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", str(SERVICES / name), "--port", port, "--no-access-log"]
            self.start(name, [*command, "--timeout-graceful-shutdown", "10", "--timeout-keep-alive", "60"], environment)

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        """Start a part and wait until it answers."""
        health = f"{self.url[name]}/healthz"
        child = Child(name, command, environment=environment, log=self.logs / f"{name}.log", ready=lambda: answers(health))
        self.children[name] = self._counting.enter_context(child)
        child.start(timeout_s=60)

    def ended(self) -> list[Child]:
        """Return the parts whose processes have ended."""
        return [part for part in (*self.children.values(), self.collector, self._server) if part is not None and not part.running]

    def stop_services(self) -> None:
        """Stop the services and what they ask, and send what is left in the journal; ClickHouse and the Collector go on."""
        self._counting.close()

    def _environment(self, telemetry: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_ELSEWHERE)}
        return inherited | {
            "CLICKHOUSE_DSN": self.dsn.rpartition("/")[0],
            "OTEL_EXPORTER_OTLP_ENDPOINT": telemetry,
            "TOKENTRAIL_ENDPOINT": self.usages,  # the Collector's port for the ledger answers when ClickHouse has stored the records
            "TOKENTRAIL_JOURNAL_DIR": str(self.journal),
            "TOKENTRAIL_ENVIRONMENT": "local",
            "PYTHONUNBUFFERED": "1",
            **self._settings,
        }

    def _stand_in(self, environment: Mapping[str, str]) -> dict[str, str]:
        port = self._ports("providers")
        url = self.url["providers"] = f"http://127.0.0.1:{port}"
        self.start("providers", [sys.executable, str(SERVICES / "local" / "providers.py"), "--port", str(port)], environment)
        of = {
            "groq": {"GROQ_BASE_URL": url, "GROQ_API_KEY": STAND_IN_KEY},
            "openai": {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": STAND_IN_KEY},
            "ollama": {"OLLAMA_HOST": url},
        }
        return {variable: value for name, variables in of.items() if name not in self._real for variable, value in variables.items()}

    def _drain(self) -> None:
        """Send what the services left in the journal: one that was killed sends nothing any more."""
        command = [sys.executable, "-m", "tokentrail", "journal", "ship", "--dir", str(self.journal), "--endpoint", self.usages]
        with Child("the last shipment", command, log=self.logs / "journal.log") as last:
            last.start()
            with contextlib.suppress(TimeoutError):
                last.wait(60)
