"""Writes what a former version of tokentrail has put into a database: `make.py TREE NUMBER`, see README.md.

`TREE` is a work tree of that version, `NUMBER` the number of its last migration.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tokentrail.embedded.otlp_logs import EVENT_TABLE, log_rows

HERE = Path(__file__).parent
RECORDS = HERE.parents[1] / "journal" / "of_former_versions" / "make.py"
VIEWS = """
import json
from tokentrail.clickhouse.definitions import definitions
from tokentrail.clickhouse.sqlfiles import Target
print(json.dumps({each.name: each.text for each in definitions(Target("tokentrail"))}))
"""


class Receiver(BaseHTTPRequestHandler):
    """Answers OTLP requests, and keeps them."""

    requests: list[bytes]

    def log_message(self, *_said: object) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()


def rows_of(environment: dict[str, str]) -> list[dict[str, object]]:
    """Returns the landing rows of the records that the version writes and ships."""
    receiver = type("Kept", (Receiver,), {"requests": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(RECORDS), folder], env=environment, check=True)
        shipped = environment | {"TOKENTRAIL_JOURNAL_DIR": folder, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}"}
        subprocess.run([sys.executable, "-m", "tokentrail", "journal", "ship"], env=shipped, check=True, stdout=subprocess.DEVNULL)
    server.shutdown()
    found = []
    for request in receiver.requests:
        found += log_rows(ExportLogsServiceRequest.FromString(request))[EVENT_TABLE]
    resource = {"ResourceAttributes": {"service.name": "former", "host.name": "former"}}
    return [row | {"Timestamp": bytes(row["Timestamp"]).decode()} | resource for row in found]


def main(tree: str, number: str) -> None:
    """Writes the version's rows, and the views that differ from those of the version before."""
    environment = os.environ | {"PYTHONPATH": f"{tree}/src"}
    (HERE / f"{number}.jsonl").write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows_of(environment)), encoding="utf-8")
    views = json.loads(subprocess.run([sys.executable, "-c", VIEWS], env=environment, check=True, capture_output=True, text=True).stdout)
    for name, text in views.items():
        former = sorted(path for path in HERE.glob(f"{name}.*.sql") if path.name.split(".")[1] < number)
        if not former or former[-1].read_text(encoding="utf-8") != text:
            (HERE / f"{name}.{number}.sql").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
