"""A mistyped word or setting is an error on its line in mypy and in pyright, the right ones are none, and an editor completes them."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from mypy import api

import tokentrail
from tokentrail import vocabulary
from tokentrail.environment import Fsync
from tokentrail.settings import Settings
from tokentrail.vocabulary import Ended, Operation, Source, TokenType, Word

pytestmark = pytest.mark.slow

BEGINNING = """
from pathlib import Path
from tokentrail import Ended, Operation, Source, TokenType, configure, idempotency_key, track_token_usage, track_tokens

def of_request(request: str) -> Operation: return Operation(request)
def text() -> str: return "query"
"""
RIGHT = """
track_tokens("query")
track_tokens(Operation.QUERY, tenant_id=text())
track_tokens(operation="vector_search")
track_tokens(operation=Operation(text()))
track_tokens(operation=of_request)
track_tokens(operation=lambda request: "query")
track_tokens(operation=lambda request: "chat" if request else None)
track_token_usage(token_type="llm", operation="batch", provider="p", model="m", source="estimated", ended="partial")
track_token_usage(token_type=TokenType.LLM, operation=Operation.CHAT, provider=text(), model=text(), source=Source.REPORTED, ended=Ended.ERROR)
idempotency_key("batch", "acme", "text", timestamp=1)
configure()
configure(disabled=True, tenant_id="acme", operations={"chat": "query", "embeddings": Operation.VECTOR_SEARCH}, provider_hosts={"*.internal": text()})
configure(metrics="both", compression="none", protocol="http/protobuf", timeout=3, journal_max_bytes=1 << 30)
configure(journal_dir=Path("j"), certificate="ca.pem", headers={"authorization": text()}, resource={"team": "search"})
""".strip().splitlines()
WRONG = """
track_tokens("sumarize")
track_tokens(operation="sumarize")
track_tokens(operation=text())
track_tokens(operation=lambda request: "sumarize")
track_tokens(operation=TokenType.LLM)
track_token_usage(token_type="lm", operation="query", provider="p", model="m")
track_token_usage(token_type="llm", operation="sumarize", provider="p", model="m")
track_token_usage(token_type="llm", operation="query", provider="p", model="m", source="guessed")
track_token_usage(token_type="llm", operation="query", provider="p", model="m", ended="done")
idempotency_key("sumarize", "acme", timestamp=1)
configure(tennant_id="acme")
configure(disabled="yes")
configure(timeout="3")
configure(metrics="all")
configure(compression="deflate")
configure(protocol="https")
configure(operations={"chat": "talk"})
configure(provider_hosts=["vllm.internal"])
configure(tenant_id=None)
configure(journal_fsync="sometimes")
""".strip().splitlines()
PROGRAM = "\n".join([BEGINNING, *RIGHT, *WRONG]) + "\n"
FIRST_WRONG = len(PROGRAM.splitlines()) - len(WRONG) + 1


def mypy_errors(path: Path) -> set[int]:
    said, problems, _ = api.run(["--strict", "--cache-dir", str(path.parent.parent / "mypy-cache"), "--no-pretty", str(path)])
    assert not problems
    return {int(line.split(":")[1]) for line in said.splitlines() if ": error:" in line}


def pyright_errors(path: Path) -> set[int]:
    pytest.importorskip("basedpyright", reason="pyright (basedpyright, in the dependency group lint) is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--level", "error", "--pythonpath", sys.executable, str(path)],
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == 1, done.stderr
    return {int(each["range"]["start"]["line"]) + 1 for each in found["generalDiagnostics"] if each["severity"] == "error"}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.mark.parametrize("errors_of", [mypy_errors, pyright_errors], ids=["mypy", "pyright"])
def test_each_mistake_is_an_error_on_its_line_and_nothing_else_is(errors_of: Any, program: Path) -> None:
    lines = PROGRAM.splitlines()
    found = errors_of(program)
    assert [lines[number - 1] for number in sorted(found) if number < FIRST_WRONG] == [], "right, and called wrong"
    assert [line for number, line in enumerate(lines, 1) if number >= FIRST_WRONG and number not in found] == [], "wrong, and not found"


class Editor:
    """An editor's end of the language server protocol: asks what may stand at a place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-c", "from basedpyright.langserver import main; main()", "--stdio"]
        # a session of its own: the server is a child of this process, and must not outlive the test
        self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.number = 0
        self.ask(
            "initialize", processId=None, rootUri=folder.as_uri(), capabilities={}, workspaceFolders=[{"uri": folder.as_uri(), "name": "editor"}]
        )
        self.send("initialized")

    def send(self, method: str, number: int | None = None, **params: Any) -> None:
        assert self.process.stdin is not None
        message = {"jsonrpc": "2.0", "method": method, "params": params} | ({} if number is None else {"id": number})
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def ask(self, method: str, **params: Any) -> Any:
        self.number += 1
        self.send(method, self.number, **params)
        while True:
            said = self.read()
            if "method" in said and "id" in said:  # the server asks for its configuration: there is none
                answer = {"jsonrpc": "2.0", "id": said["id"], "result": [{} for _ in said["params"].get("items", [])]}
                body = json.dumps(answer).encode()
                self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))  # type: ignore[union-attr]
                self.process.stdin.flush()  # type: ignore[union-attr]
            elif said.get("id") == self.number:
                assert "error" not in said, said
                return said["result"]

    def read(self) -> Any:
        assert self.process.stdout is not None
        size = 0
        while (line := self.process.stdout.readline().strip()) or not size:
            assert line, "the language server has ended"
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        return json.loads(self.process.stdout.read(size))

    def completions(self, code: str) -> set[str]:
        """What may stand where the code has its `|`."""
        before, after = code.split("|")
        path = self.folder / f"edited_{self.number}.py"
        self.send("textDocument/didOpen", textDocument={"uri": path.as_uri(), "languageId": "python", "version": 1, "text": before + after})
        lines = before.split("\n")
        found = self.ask(
            "textDocument/completion", textDocument={"uri": path.as_uri()}, position={"line": len(lines) - 1, "character": len(lines[-1])}
        )
        items = found["items"] if isinstance(found, dict) else found or []
        return {item["label"].strip("\"'=") for item in items}


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    pytest.importorskip("basedpyright", reason="pyright (basedpyright, in the dependency group lint) is not installed")
    here = Path(sys.prefix)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "standard", "venvPath": str(here.parent), "venv": here.name}))
    server = Editor(tmp_path)
    yield server
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.process.pid, signal.SIGKILL)
    server.process.communicate(timeout=30)


def test_an_editor_completes_words_and_settings(editor: Editor) -> None:
    beginning = "from tokentrail import configure, track_token_usage, track_tokens\n"
    assert editor.completions(beginning + 'track_tokens(operation="|")') == {word.value for word in Operation}
    assert editor.completions(beginning + 'track_tokens("|")') == {word.value for word in Operation}
    assert editor.completions(beginning + 'track_token_usage(token_type="|")') == {word.value for word in TokenType}
    assert editor.completions(beginning + 'configure(metrics="|")') == {"latest", "legacy", "both", "none"}
    assert editor.completions(beginning + "configure(|)") >= {setting.name for setting in fields(Settings)}


@pytest.mark.parametrize(
    ("alias", "kind"),
    [
        (vocabulary.OperationLike, Operation),
        (vocabulary.TokenTypeLike, TokenType),
        (vocabulary.SourceLike, Source),
        (vocabulary.EndedLike, Ended),
    ],
)
def test_the_words_that_are_written_out_are_those_of_the_list(alias: Any, kind: type[Word]) -> None:
    member, literal = get_args(alias)
    assert member is kind
    assert get_origin(literal) is Literal
    assert list(get_args(literal)) == [word.value for word in kind]


def test_configure_has_every_setting_as_a_keyword_and_nothing_else() -> None:
    keywords = inspect.signature(tokentrail.configure).parameters
    assert list(keywords) == [setting.name for setting in fields(Settings)]
    assert {keyword.kind for keyword in keywords.values()} == {inspect.Parameter.KEYWORD_ONLY}
    hints = get_type_hints(tokentrail.configure)
    for setting in fields(Settings):
        hint, kind = hints[setting.name], str(setting.type)
        if get_origin(hint) is Literal:
            assert kind == "str"
            assert getattr(Settings(), setting.name) in get_args(hint)
        elif kind.startswith("Mapping"):
            assert get_args(hint)[0] is str
        elif kind.startswith("tuple"):
            assert get_args(hint) == (str,)
        elif kind == "Fsync":
            assert hint == Fsync
        else:
            assert (get_args(hint) or (hint,))[0].__name__ == kind, setting.name


def test_the_literals_of_settings_are_those_that_are_taken() -> None:
    for name in ("metrics", "compression", "protocol"):
        for value in get_args(get_type_hints(tokentrail.configure)[name]):
            assert getattr(Settings().with_(**{name: value}), name) == value
