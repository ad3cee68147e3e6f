"""What tokentrail loads at first use, modules and the C library's name service, is loaded while no other thread forks.

A child would wait for ever for what was half loaded.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripted import ScriptedServer
from tests.support.wheel import ROOT

pytestmark = pytest.mark.slow

FIRST_USES = """
def instrument(): tokentrail.instrument()
def decorate():
    with tokentrail.track_tokens("chat", tenant_id="acme"): record()
def record(): tokentrail.track_token_usage(token_type="llm", operation="query", provider="groq", model="m", input_tokens=1)
def estimate():
    from tokentrail.recording import recorder
    from tokentrail.instrumentation.contract import Answer, Request
    recorder.start(Request("openai", "chat", "chat", model="gpt-4", texts=["one two"])).finish(Answer(model="gpt-4", output_texts=["three"]))
def count(): assert tokentrail.count_tokens("one two", model="gpt-4o").tokenizer == "o200k_base"
def flush(): tokentrail.flush(2)
def export():
    os.environ.update(OTEL_METRIC_EXPORT_INTERVAL="600000", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    tokentrail.setup_opentelemetry()
def reconfigure(): tokentrail.configure(tenant_id="acme")
def budget():
    import logging
    logging.getLogger("tokentrail").addHandler(logging.NullHandler())  # Python's own lock of stderr is not renewed in a child
    tokentrail.configure(budget_dsn=os.environ.get("BUDGETS", "http://localhost:9/x"), budget_interval=600)
    with tokentrail.track_tokens("chat", budget="acme"): pass
    from tokentrail.process.current import current
    while "budgets" not in current.runtime.diagnostics.internal_errors: time.sleep(0.01)
    import clickhouse_connect  # as an application does in a child, whose thread may have the number of the parent's
"""

EVERY_IMPORT = (
    """
import logging, os, pwd, sys, time  # `logging` must be there before: its own hook would take its lock before ours
import tokentrail
from tokentrail.process import forks
import tokentrail
"""
    + FIRST_USES
    + """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if not forks.guard.lock._is_owned(): print(name, flush=True)

sys.meta_path.insert(0, Finder())
loaded = set()

def first_lookup(kind):
    if kind not in loaded and not forks.guard.lock._is_owned(): print("lookup", kind, flush=True)
    loaded.add(kind)

def user(uid):
    first_lookup("user")
    return getpwuid(uid)

getpwuid, pwd.getpwuid = pwd.getpwuid, user
sys.addaudithook(lambda event, arguments: first_lookup("host") if event == "socket.getaddrinfo" else None)
for use in sys.argv[1:]: globals()[use]()
os._exit(0)
"""
)

FORK_AMID_IMPORT = (
    """
import os, signal, sys, threading, time
import tokentrail
"""
    + FIRST_USES
    + """
module, use = sys.argv[1], globals()[sys.argv[2]]
begun, forked = threading.Event(), threading.Event()

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            begun.set()
            forked.wait(1)  # not longer: the fork is to wait for the import

sys.meta_path.insert(0, Finder())
threading.Thread(target=use).start()
assert begun.wait(30)
child = os.fork()
if child == 0:
    signal.alarm(20)
    use()
    os._exit(0)
forked.set()
sys.stdout.write(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
sys.stdout.flush()
os._exit(0)
"""
)


def run(program: str, folder: Path, *arguments: str, **variables: str) -> str:
    environment = {"PATH": "", "HOME": str(folder), "TOKENTRAIL_JOURNAL_DIR": str(folder / "journal"), **variables}
    command = [sys.executable, "-c", program, *arguments]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


EVERY_USE = "instrument decorate record estimate count export reconfigure budget flush"


@pytest.mark.parametrize("uses", [EVERY_USE, "record flush", "budget", "export"])  # the first of a process loads what is loaded once
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_every_import_and_first_lookup_holds_off_forks(tmp_path: Path, protocol: str, uses: str) -> None:
    with ScriptedServer([b"{}"]) as server:
        endpoint = server.url.replace("127.0.0.1", "localhost").removesuffix("/v1")
        told = run(EVERY_IMPORT, tmp_path, *uses.split(), TOKENTRAIL_ENDPOINT=endpoint, TOKENTRAIL_PROTOCOL=protocol, BUDGETS=f"{endpoint}/x")
        assert told.split() == []


@pytest.mark.parametrize(
    ("module", "use"),
    [
        ("tokentrail.recording.recorder", "flush"),
        ("tokentrail.instrumentation.registry", "decorate"),
        ("wrapt", "instrument"),
        ("tiktoken", "count"),
        ("opentelemetry.sdk.trace", "export"),
        ("clickhouse_connect", "budget"),
        ("clickhouse_connect.driver.httpclient", "budget"),
    ],
)
def test_a_child_forked_amid_an_import_comes_to_its_end(tmp_path: Path, module: str, use: str) -> None:
    assert run(FORK_AMID_IMPORT, tmp_path, module, use, TOKENTRAIL_SHIP="false") == "0"
