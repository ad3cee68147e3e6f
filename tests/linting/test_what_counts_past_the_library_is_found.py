"""`tokentrail lint`: each rule finds what it is for, at its place, and nothing beside it; what is wrong with the files or the settings is a sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tokentrail.linting.files import Chosen, look
from tokentrail.linting.rules import RULES

ROOT = Path(__file__).parents[2]

FOUND = {
    "TT001": (
        'track_tokens(»"query")',
        '@track_tokens(operation=»"chat", tenant_id="acme")\ndef f(): ...',
        'with track_tokens(»"chat", tenant_id="acme") as spent: ...',
        'tokentrail.track_token_usage(token_type=»"llm", operation=OPERATION_QUERY)',
        'track_token_usage(TOKEN_TYPE_LLM, »"OPERATION_QUERY", "acme")',
        'from tokentrail import track_tokens as t\nt(»"query")',
        'track_tokens(operation=»"query" if fast else Operation.CHAT)',
        'track_response("groq", "chat", body, operation=»"chat")',
        'idempotency_key(»"query", "acme", "text", timestamp=now)',
    ),
    "TT002": ('track_tokens(»"querry")', 'track_token_usage(token_type=»"vision", operation=Operation.CHAT)', 'track_tokens(operation=»"")'),
    "TT201": (
        "total = »response.usage.total_tokens",
        "total += »completion.usage.prompt_tokens",
        'total = »response["usage"]["prompt_tokens"]',
        'total = »response.json().get("usage", {})["completion_tokens"]',
        "total = »usage.cache_read_input_tokens",
        'total = »usage["prompt_tokens_details"]["cached_tokens"]',
        "total = »r.usage_metadata.total_token_count",
        "log(»response.usage)",
        "usage = body.usage\nspend(»usage.input_tokens)",
        "total = (»(response.usage or other).prompt_tokens)",
    ),
    "TT301": ("»import tiktoken", "»from tiktoken import encoding_for_model", "def f():\n    »import tiktoken.core"),
    "TT302": (
        "n = »len(text) // 4",
        "n = »len(prompt) / 4.0",
        "n = »len(self.message.content) // 3",
        "tokens = »len(x) // 4",
        "spend(input_tokens=»len(x) / 4)",
        "token_count = »len(x) // 4",
        "maxToken = »len(x) // 4",
        "def estimate_tokens(s):\n    return int(»len(s) / 4)",
        "n = int(»len(text.split()) * 1.3)",
        "n = »1.3 * len(text.split())",
        "n = »len(words.split()) / 0.75",
    ),
}
COUNTS_NOTHING = {
    "TT101": ("»track_token_usage(token_type=TOKEN_TYPE_LLM)", "»tokentrail.track_response('groq', 'chat', body)"),
    "TT102": (
        "»import openai",
        "»from groq import Groq",
        "»from google import genai",
        "»import google.genai as g",
        "»from azure.ai.inference import X",
    ),
}
CLEAN = (
    "track_tokens(Operation.QUERY)",
    "track_tokens(operation)",
    '@track_tokens(tenant_id="query")\ndef f(): ...',
    'track_token_usage("acme", "llama", 3)',  # a hand-made function in another order
    'queue(operation="copy")',
    "usage.total_tokens = 3",
    "shutil.disk_usage(path).usage",
    "spent.input_tokens",
    "usage.input_tokens",  # of a tokentrail.Usage
    "limits.usage.requests",
    "psutil.usage",
    "n = len(rows) // 4",
    "def csrf_token(raw):\n    return len(raw) // 4",
    "access_token = raw[: len(raw) // 4]",
    "n = len(texts) // 4",
    "n = len(text) // 100",
    "n = len(text) - 4",
    "half = len(pages) / 4",
    "padded = len(chunk) // 4",  # of base64
    "words = len(text.split()) * 3",
    "import openai\nclient = openai.OpenAI()",
    "from . import openai",
    "import tiktokens",
    "track_tokens(operation=f'{x}')",
)


def places(folder: Path, code: str, **options: Any) -> list[tuple[str, int, int]]:
    """What is found in a file: rule, line, column."""
    path = folder / "module.py"
    path.write_text(code.replace("»", ""), encoding="utf-8")
    looked = look([path], Chosen(**options))
    assert looked.unread == []
    return [(found.rule, found.line, found.column) for found in looked.findings]


def marked(code: str) -> tuple[int, int]:
    """Line and column of the mark."""
    before = code[: code.index("»")]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


@pytest.mark.parametrize(("rule", "code"), [(rule, code) for rule, codes in FOUND.items() for code in codes])
def test_each_rule_finds_its_place(tmp_path: Path, rule: str, code: str) -> None:
    assert places(tmp_path, code) == [(rule, *marked(code))]


@pytest.mark.parametrize(("rule", "code"), [(rule, code) for rule, codes in COUNTS_NOTHING.items() for code in codes])
def test_code_that_counts_nothing_is_held_to_it(tmp_path: Path, rule: str, code: str) -> None:
    assert places(tmp_path, code) == []
    for declared in ([tmp_path], [tmp_path / "module.py"]):
        assert places(tmp_path, code, counts_nothing=[each.resolve() for each in declared]) == [(rule, *marked(code))]
    line, column = marked(code)
    assert places(tmp_path, f"# tokentrail: counts-nothing\n{code}") == [(rule, line + 1, column)]


@pytest.mark.parametrize("code", CLEAN)
def test_nothing_else_is_found(tmp_path: Path, code: str) -> None:
    assert places(tmp_path, code) == []


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_column_is_one_of_characters(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "module.py"
    path.write_bytes(f"# -*- coding: {encoding} -*-\r\nñandú = 'é', len(text) // 4\r\n".encode(encoding))
    (found,) = look([path], Chosen()).findings
    assert (found.rule, found.line, found.column) == ("TT302", 2, 14)


def test_each_of_several_places_in_a_line_has_its_column(tmp_path: Path) -> None:
    line = "x = ['é', len(text) // 4, 'ñandú', a.usage['prompt_tokens'] + len(prompt) // 4, f(len(text) // 4, \"🙂\", len(text) / 4)]"
    expected = [line.index(written) + 1 for written in ("len(text) // 4", "a.usage", "len(prompt)", 'len(text) // 4, "', "len(text) / 4")]
    assert [column for _rule, _line, column in places(tmp_path, line)] == expected


def test_code_that_nests_deeply_is_looked_at(tmp_path: Path) -> None:
    assert len(places(tmp_path, f"x = {' + '.join(['len(text) // 4'] * 900)}\n")) == 900


def test_an_expression_of_several_lines_is_found_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "n = len(\n    text\n) // 4\nn = len(a_text_with_a_name_that_is_longer_than_a_sentence) // 4\ntrack_tokens('" + "x" * 9_000 + "')"
    )
    found = look([path], Chosen()).findings
    assert [each.line for each in found] == [1, 4, 5]
    assert all(each.sentence.startswith("this estimates tokens from a length") for each in found[:2])
    assert len(found[2].sentence) < 250


def test_a_files_own_warnings_are_its_own(tmp_path: Path) -> None:
    assert places(tmp_path, "x = '\\d'\nn = len(text) // 4") == [("TT302", 2, 5)]  # a warning is an error here


def test_a_file_that_is_named_twice_counts_once(project: Path) -> None:
    (project / "services/query/same.py").symlink_to("main.py")
    done = run(".", "services", "services/query/main.py", cwd=project)
    assert done.stderr == "2 findings in 2 files\n"


def test_every_rule_is_tried() -> None:
    assert set(FOUND) | set(COUNTS_NOTHING) == set(RULES)


@pytest.mark.parametrize(
    ("comment", "rules"),
    [
        ("# tokentrail: ignore", []),
        ("# tokentrail: ignore[TT001]", ["TT201"]),
        ("# type: ignore  # tokentrail: ignore[TT001, TT201]", []),
        ("# tokentrail: ignore[TT302]", ["TT001", "TT201"]),
        ("# noqa", ["TT001", "TT201"]),
    ],
)
def test_a_comment_passes_a_line_over(tmp_path: Path, comment: str, rules: list[str]) -> None:
    code = f'track_tokens("query", metadata={{"n": response.usage.total_tokens}})  {comment}'
    assert [rule for rule, *_ in places(tmp_path, code)] == rules
    split = f'track_tokens(\n    "query",  {comment}\n)\ntext = "# tokentrail: ignore"\nn = len(text) // 4\n'
    assert ("TT302" in [rule for rule, *_ in places(tmp_path, split)]) is True
    assert ("TT001" in [rule for rule, *_ in places(tmp_path, split)]) is ("TT001" in rules)


def run(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tokentrail", "lint", *args], cwd=cwd, check=False, capture_output=True, text=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Services, one of which is declared to count nothing, and files that are left out."""
    files = {
        "pyproject.toml": '[tool.tokentrail.lint]\ncounts-nothing = ["services/agent"]\nexclude = ["tests", "*_pb2.py"]\nignore = ["TT302"]\n',
        "services/agent/main.py": "import openai\n",
        "services/query/main.py": 'import openai\ntrack_tokens("query")\nn = len(text) // 4\n',
        "services/query/made_pb2.py": 'track_tokens("query")\n',
        "services/query/.venv/x.py": 'track_tokens("query")\n',
        "tests/test_x.py": 'track_tokens("query")\n',
        "notes.txt": 'track_tokens("query")',
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_a_project_says_what_counts_nothing(project: Path) -> None:
    done = run(".", cwd=project)
    assert done.returncode == 1
    assert done.stdout == (
        "services/agent/main.py:1:1: TT102 this code counts nothing itself, and openai would be a call of a model: ask the service that makes such calls\n"
        "services/query/main.py:2:14: TT001 operation 'query' is a text: write Operation.QUERY, or OPERATION_QUERY\n"
    )
    assert done.stderr == "2 findings in 2 files\n"
    assert run("services/query", "--ignore", "TT001", cwd=project).returncode == 0
    assert "TT102" not in run("services", "--select", "TT001", cwd=project).stdout
    assert "services/query/main.py:1:1: TT102" in run("services", "--counts-nothing", "services/query", cwd=project).stdout
    assert "TT302" in run("services/query/main.py", "--config", str(ROOT / "pyproject.toml"), cwd=project).stdout


def test_other_formats_are_for_programs(project: Path) -> None:
    found = json.loads(run("services", "--json", cwd=project).stdout)
    assert [(each["path"], each["line"], each["column"], each["rule"]) for each in found] == [
        ("services/agent/main.py", 1, 1, "TT102"),
        ("services/query/main.py", 2, 14, "TT001"),
    ]
    (project / "a,b.py").write_text("n = len(prompt) // 4")
    (project / "pyproject.toml").unlink()
    said = run("a,b.py", "--format", "github", cwd=project)
    assert said.stdout.startswith("::error file=a%2Cb.py,line=1,col=5,title=TT302::len(prompt) // 4 estimates tokens")
    assert said.returncode == 1
    assert json.loads(run("services/agent", "--json", cwd=project).stdout) == []


@pytest.mark.parametrize(
    ("args", "settings", "sentence"),
    [
        ((), None, "give the files and folders to look at"),
        (("nowhere",), None, "there is no nowhere"),
        (("/dev/null",), None, "/dev/null is neither a file nor a folder"),
        (("",), None, "a path is empty: name a file or a folder"),
        (("services", "--config", ""), None, "a path is empty: name a file or a folder"),
        (("a" * 300,), None, "cannot be looked at: File name too long"),
        (("loop",), None, "loop cannot be looked at: Too many levels of symbolic links"),
        (("services", "--counts-nothing", "nowhere"), None, "--counts-nothing: there is no nowhere"),
        (("services", "--select", "TT999"), None, "'TT999' is not one of them"),
        (("services", "--config", "missing.toml"), None, "missing.toml cannot be read"),
        (("services",), "[tool.tokentrail.lint]\ncount-nothing = []", "Did you mean counts-nothing?"),
        (("services",), '[tool.tokentrail.lint]\ncounts-nothing = "agent"', "write a list of texts"),
        (("services",), '[tool.tokentrail.lint]\ncounts-nothing = ["agnet"]', "there is no such file or folder"),
        (("services",), '[tool.tokentrail.lint]\nignore = ["TT9"]', "ignore has 'TT9'"),
        (("services",), "[tool.tokentrail]\nlint = 3", "is a table"),
        (("services",), "this is [no toml", "this is no TOML"),
    ],
)
def test_misuse_is_one_sentence(project: Path, args: tuple[str, ...], settings: str | None, sentence: str) -> None:
    if settings is not None:
        (project / "pyproject.toml").write_text(settings)
    (project / "loop").symlink_to("loop")
    done = run(*args, cwd=project)
    assert done.returncode == 2, done.stdout
    assert sentence in done.stderr
    assert (done.stdout, "Traceback" in done.stderr) == ("", False)


@pytest.mark.parametrize("content", [b"def f(:\n", b"x = '\xff'\n", b"\0", b"(" * 5_000, b"x = 1\n  y = 2\n"])
def test_a_file_that_is_no_python_stops_no_other(project: Path, content: bytes) -> None:
    (project / "services/query/broken.py").write_bytes(content)
    done = run("services", cwd=project)
    assert done.returncode == 2
    assert "services/query/broken.py" in done.stderr
    assert "it is no Python" in done.stderr
    assert "services/query/main.py:2:14: TT001" in done.stdout


@pytest.mark.parametrize("content", ["-" * 200_000 + "1", "x = " + "+".join("1" * 40_000)])
def test_a_file_that_nests_too_deeply_for_python_stops_no_other(project: Path, content: str) -> None:
    (project / "services/query/deep.py").write_text(content)
    done = run("services", cwd=project)
    assert done.returncode == 2
    assert "services/query/deep.py: it cannot be read: it nests too deeply\n" in done.stderr
    assert "services/query/main.py:2:14: TT001" in done.stdout


def test_the_rules_are_listed(project: Path) -> None:
    assert run("--rules", cwd=project).stdout.splitlines() == [f"{number}  {meaning}" for number, meaning in RULES.items()]


def test_the_example_services_count_by_the_library_alone() -> None:
    services = ROOT / "examples" / "services"
    looked = look([services], Chosen(counts_nothing=[services / "agent", services / "ingestion"]))
    assert (looked.findings, looked.unread) == ([], [])
    assert looked.files > 5


def test_the_recipe_of_a_former_module_is_found_to_count_by_texts() -> None:
    found = [each.rule for each in look([ROOT / "examples" / "coming_from"], Chosen()).findings]
    assert found == ["TT001", "TT001"]


def test_a_pipe_in_a_folder_is_passed_over(project: Path) -> None:
    os.mkfifo(project / "services" / "pipe.py")  # to read it would wait for a writer
    (project / "services" / "gone.py").symlink_to("nowhere.py")
    done = run("services", cwd=project)
    assert (done.returncode, done.stderr.splitlines()[:-1]) == (1, [])
