"""What a type checker knows of a function it still knows of the decorated one, and it finds the mistakes that would raise."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

pytestmark = pytest.mark.slow

PROGRAM = """
from collections.abc import AsyncIterator, Iterator
from tokentrail import Operation, Spent, track_token_usage, track_tokens

@track_tokens
def bare(number: int, *, word: str = "") -> str: ...
@track_tokens()
def empty(number: int) -> str: ...
@track_tokens("query", tenant_id="acme")
async def positional(number: int) -> str: ...
@track_tokens(operation=Operation.QUERY, tenant_id=lambda number: str(number), metadata=lambda number: {"n": number})
def generator(number: int) -> Iterator[str]: ...
@track_tokens(operation=lambda number: "query")
async def async_generator(number: int) -> AsyncIterator[str]: yield ""
class Service:
    @track_tokens
    def method(self, number: int) -> str: ...
    @classmethod
    @track_tokens("chat")
    def of_class(cls, number: int) -> str: ...
    @staticmethod
    @track_tokens("chat")
    def static(number: int) -> str: ...

reveal_type(bare)
reveal_type(empty)
reveal_type(positional)
reveal_type(generator)
reveal_type(async_generator)
reveal_type(Service().method)
reveal_type(Service.of_class)
reveal_type(Service.static)
with track_tokens("chat") as spent:
    reveal_type(spent)
async def block() -> None:
    async with track_tokens(operation="chat", tenant_id="acme") as inside:
        reveal_type(inside)
reveal_type(track_token_usage(token_type="llm", operation="query", provider="p", model="m"))
reveal_type(spent.input_tokens)
"""
REVEALED = [
    "def (number: int, *, word: str =) -> str",
    "def (number: int) -> str",
    "def (number: int) -> typing.Coroutine[Any, Any, str]",
    "def (number: int) -> typing.Iterator[str]",
    "def (number: int) -> typing.AsyncIterator[str]",
    "def (number: int) -> str",
    "def (number: int) -> str",
    "def (number: int) -> str",
    "tokentrail.attribution.Spent",
    "tokentrail.attribution.Spent",
    "str",
    "int",
]
MISTAKES = {
    'track_tokens(tenant="acme")': "call-overload",
    "track_tokens(tenant_id=7)": "call-overload",
    "track_tokens(3)": "call-overload",
    'track_tokens("chat")(3)': "type-var",
    'track_token_usage(token_type="llm", operation="query", provider="p", model="m", input_tokens="3")': "arg-type",
    'track_token_usage(token_type="llm", operation="query", provider="p")': "call-arg",
}


def checked(program: str, folder: Path) -> list[str]:
    (folder / "program.py").write_text(program)
    said, problems, _status = api.run(
        ["--strict", "--disable-error-code", "empty-body", "--cache-dir", str(folder.parent / "mypy-cache"), str(folder / "program.py")]
    )
    assert not problems
    return said.splitlines()


def test_the_types_that_mypy_sees(tmp_path: Path) -> None:
    lines = checked(PROGRAM, tmp_path)
    assert [line for line in lines if "error:" in line] == []
    revealed = [line.split('"')[1].replace("builtins.", "") for line in lines if "Revealed type" in line]
    assert [text.replace("def [", "def (") for text in revealed] == REVEALED


def test_mistakes_that_mypy_finds(tmp_path: Path) -> None:
    program = "from tokentrail import track_token_usage, track_tokens\n" + "\n".join(MISTAKES)
    lines = [line for line in checked(program, tmp_path) if "error:" in line]
    assert [line.rsplit("[", 1)[1].rstrip("]") for line in lines] == list(MISTAKES.values()), lines


@pytest.mark.parametrize("name", ["py.typed"])
def test_the_package_says_that_it_is_typed(name: str) -> None:
    import tokentrail

    assert (Path(tokentrail.__file__).parent / name).exists()
