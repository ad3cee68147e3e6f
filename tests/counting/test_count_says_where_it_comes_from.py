from __future__ import annotations

import copy
import json
import pickle

import pytest

from tokentrail.counting import TokenCount, count_tokens, estimate_prompt_tokens
from tokentrail.counting.tokenizers import choose
from tokentrail.vocabulary import Source


@pytest.mark.parametrize(
    ("model", "tokenizer"),
    [
        ("gpt-4o-mini", "o200k_base"),
        ("chatgpt-4o-latest", "o200k_base"),
        ("gpt-4.1-2025-04-14", "o200k_base"),
        ("gpt-5.6-sol", "o200k_base"),
        ("o1", "o200k_base"),
        ("openai/o3-mini", "o200k_base"),
        ("o4-mini-2025-04-16", "o200k_base"),
        ("openai.gpt-oss-120b-1:0", "o200k_base"),
        ("gpt-oss:20b", "o200k_base"),
        ("ft:gpt-4o-mini-2024-07-18:acme::x1", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo-2024-04-09", "cl100k_base"),
        ("ft:gpt-3.5-turbo:acme", "cl100k_base"),
        ("gpt-35-turbo", "cl100k_base"),
        ("gpt-3.5-turbo-instruct:20230824-v2", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("text-embedding-ada-002-v2", "cl100k_base"),
        ("davinci-002", "cl100k_base"),
        ("text-davinci-002", "estimate:o200k_base"),
        ("gpt-7", "estimate:o200k_base"),
        ("llama-3.3-70b-versatile", "estimate:o200k_base"),
        ("qwen3:8b", "estimate:o200k_base"),
        ("claude-sonnet-4-5", "estimate:utf8/4"),
        ("text-embedding-004", "estimate:o200k_base"),
        ("an-unheard-of-model", "estimate:utf8/4"),
        ("", "estimate:utf8/4"),
    ],
)
def test_tokenizer_is_named_and_an_estimate_is_marked(model: str, tokenizer: str) -> None:
    counted = count_tokens("How many tokens?", model=model)
    assert counted.tokenizer == tokenizer
    assert counted.exact is (not tokenizer.startswith("estimate:"))
    assert counted.source is Source.ESTIMATED
    assert counted > 0


def test_provider_decides_only_where_the_name_tells_nothing() -> None:
    assert choose("my-deployment", "azure.ai.openai").tokenizer == "estimate:o200k_base"
    assert choose("my-deployment", "").tokenizer == "estimate:utf8/4"
    assert choose("claude-sonnet-4-5", "openai").tokenizer == "estimate:utf8/4"


def test_a_count_is_an_int_that_keeps_its_provenance() -> None:
    counted = count_tokens("hello world", model="gpt-4o")
    assert counted == 2
    assert isinstance(counted, int)
    assert type(counted + 1) is int
    assert (f"{counted}", str(counted), json.dumps(counted)) == ("2", "2", "2")
    for copied in (copy.copy(counted), copy.deepcopy(counted), pickle.loads(pickle.dumps(counted))):
        assert (copied, copied.tokenizer, copied.exact) == (2, "o200k_base", True)
    with pytest.raises(AttributeError):
        counted.tokenizer = "another"  # type: ignore[misc]
    with pytest.raises(ValueError, match="-1"):
        TokenCount(-1)


def test_estimate_is_a_quarter_of_the_bytes() -> None:
    assert count_tokens("a" * 8) == 2
    assert count_tokens("a" * 9) == 3
    assert count_tokens("東京") == 2  # 6 bytes
    assert count_tokens("") == 0


def test_texts_are_summed() -> None:
    assert count_tokens(["hello world", "hello"], model="gpt-4o") == 3
    assert count_tokens((), model="gpt-4o") == 0


@pytest.mark.parametrize(
    ("model", "messages", "reported"),
    [  # OpenAI's own counts, from recordings and the cookbook's example
        ("gpt-4o-2024-08-06", [{"role": "user", "content": "hello world"}], 2 + 7),
        ("gpt-4-0613", [{"role": "system", "content": "hello"}, {"role": "user", "content": "world"}], 2 + 11),
        ("gpt-5-mini", [{"role": "user", "content": "hello world"}], 2 + 6),
        ("gpt-4o", [{"role": "user", "name": "hello", "content": [{"type": "text", "text": "hello world"}]}], 2 + 7 + 1 + 1),
    ],
)
def test_messages_cost_what_openai_documents(model: str, messages: list[dict[str, object]], reported: int) -> None:
    assert count_tokens(messages, model=model) == reported
    assert count_tokens(messages[0], model=model) <= reported


def test_a_tool_call_and_an_sdk_object_are_counted() -> None:
    class Answered:
        def model_dump(self) -> dict[str, object]:
            return {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "hello", "arguments": "hello world"}}]}

    assert count_tokens([Answered()], model="gpt-4o") == 7 + 1 + 2  # type: ignore[list-item]


@pytest.mark.parametrize("wrong", [None, 5, b"bytes", [1, 2], ["a", None], object(), {"a"}])
def test_anything_else_is_a_type_error_with_one_sentence(wrong: object) -> None:
    with pytest.raises(TypeError, match="count_tokens takes a text, texts or chat messages, not "):
        count_tokens(wrong)  # type: ignore[arg-type]


def test_old_name_counts_the_same_and_says_it_is_old() -> None:
    with pytest.warns(DeprecationWarning, match="count_tokens"):
        old = estimate_prompt_tokens("hello world", model="gpt-4o")
    assert (old, old.tokenizer) == (2, "o200k_base")
