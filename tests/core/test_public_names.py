"""What users import stands in `tokentrail.__all__`, is there, and is loaded only when it is used."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

import tokentrail
from tokentrail import vocabulary

SORTED_AS_RUFF_DOES = sorted(tokentrail.__all__, key=lambda name: (0 if name.isupper() else 1 if name[0].isupper() else 2, name))


def test_the_list_is_sorted_and_has_nothing_twice() -> None:
    assert list(tokentrail.__all__) == SORTED_AS_RUFF_DOES
    assert len(set(tokentrail.__all__)) == len(tokentrail.__all__)


@pytest.mark.parametrize("name", tokentrail.__all__)
def test_every_name_is_there_and_has_a_docstring(name: str) -> None:
    value = getattr(tokentrail, name)
    assert name in dir(tokentrail)
    if callable(value):
        assert value.__doc__


def test_what_type_checkers_see_is_what_is_there() -> None:
    """The names imported for type checkers, the list, and the homes from which names are loaded agree."""
    tree = ast.parse(Path(tokentrail.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported.keys() == set(tokentrail.__all__)
    for name, module in imported.items():
        assert module is not None
        assert getattr(importlib.import_module(module), name) is getattr(tokentrail, name)
        assert module == f"tokentrail.{tokentrail.HOMES.get(name, 'vocabulary')}"


def test_every_constant_of_the_vocabulary_is_public() -> None:
    constants = {name for name in vocabulary.__all__ if name.isupper()}
    assert constants == {name for name in tokentrail.__all__ if name.isupper()}
    assert constants == {f"OPERATION_{word.name}" for word in vocabulary.Operation} | {f"TOKEN_TYPE_{word.name}" for word in vocabulary.TokenType}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trak_tokens'"):
        tokentrail.trak_tokens  # type: ignore[attr-defined]  # noqa: B018 - the access is the point
    with pytest.raises(ImportError):
        from tokentrail import nothing  # type: ignore[attr-defined]  # noqa: F401


def test_a_star_import_brings_them_all() -> None:
    namespace: dict[str, object] = {}
    exec("from tokentrail import *", namespace)
    assert set(tokentrail.__all__) <= namespace.keys()


def test_importing_loads_nothing_heavy(run_python: Callable[..., str]) -> None:
    heavy = "'aiobotocore', 'anthropic', 'botocore', 'cohere', 'mistralai', 'openai', 'groq', 'ollama', 'opentelemetry', 'wrapt', 'msgspec', 'urllib3', 'google', 'tiktoken', 'asyncio', 'importlib.metadata'"
    run_python(f"import sys; import tokentrail; assert not {{name for name in sys.modules}} & {{{heavy}}}, sys.modules.keys()")


def test_the_decorator_loads_no_provider_and_no_sdk(run_python: Callable[..., str]) -> None:
    program = """
import sys
import tokentrail
@tokentrail.track_tokens
def work(): ...
work()
loaded = [name for name in sys.modules if name.split(".")[0] in ("aiobotocore", "anthropic", "botocore", "cohere", "mistralai", "openai", "groq", "ollama", "tiktoken") or name.startswith("opentelemetry.sdk")]
assert not loaded, loaded
"""
    run_python(program)


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version

    assert tokentrail.__version__ == version("tokentrail")
