from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokentrail.counting import count_tokens, vocabularies

pytestmark = pytest.mark.slow

MODELS = ["gpt-4", "gpt-4o", "llama3", ""]
HOSTILE = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)  # lone surrogates too


@settings(deadline=None, max_examples=300)
@given(text=HOSTILE, model=st.sampled_from(MODELS) | st.text(max_size=30), provider=st.text(max_size=10))
def test_no_text_and_no_model_name_raises(text: str, model: str, provider: str) -> None:
    tokens = count_tokens(text, model=model, provider=provider)
    assert 0 <= tokens <= 4 * len(text)
    assert (tokens == 0) is (text == "")


@settings(deadline=None, max_examples=200)
@given(text=HOSTILE, more=HOSTILE, model=st.sampled_from(MODELS))
def test_more_text_is_not_fewer_tokens(text: str, more: str, model: str) -> None:
    # merging over the seam saves tokens, but never more than the seam's word has
    assert count_tokens(text + "\n" + more, model=model) >= max(count_tokens(text, model=model), count_tokens(more, model=model)) - 3
    both = count_tokens([text, more], model=model)
    assert both == count_tokens(text, model=model) + count_tokens(more, model=model)


keys = st.sampled_from(["role", "content", "text", "type", "name", "function", "arguments"])
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
json_values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=12)


@settings(deadline=None, max_examples=200)
@given(messages=st.lists(st.dictionaries(st.sampled_from(["role", "content", "name", "tool_calls"]), json_values), max_size=4))
def test_no_message_however_malformed_raises(messages: list[dict[str, object]]) -> None:
    assert count_tokens(messages, model="gpt-4o") >= 4 * len(messages)


@pytest.mark.parametrize("special", ["<|endoftext|>", "<|endofprompt|>", "<|fim_prefix|>", "<|start|>assistant<|message|>"])
def test_special_tokens_are_text(special: str) -> None:
    for model in ("gpt-4", "gpt-4o", "gpt-oss-120b"):
        assert count_tokens(special, model=model) > 3


@pytest.mark.parametrize("unit", [" ", "a", "\n", "季", "\ud800", "🙂", ".", "a ", "\u3000"], ids=ascii)
def test_a_long_run_of_anything_is_counted_in_bounded_time(unit: str) -> None:
    text = unit * (2_000_000 // len(unit))  # a million blanks overflow tiktoken's stack in one piece
    started = time.process_time()
    counted = count_tokens(text, model="gpt-4o")
    assert counted.exact
    assert 0 < counted <= 3 * len(text)
    assert time.process_time() - started < 30


def test_where_tiktoken_panics_the_text_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    panic = type("PanicException", (BaseException,), {})

    class Panicking:
        def encode_ordinary(self, text: str) -> list[int]:
            raise panic

    monkeypatch.setattr(vocabularies, "load", lambda vocabulary, download: Panicking())
    counted = count_tokens(["a" * 8, "b" * 8], model="gpt-4o")
    assert (counted, counted.tokenizer, counted.exact) == (4, "estimate:utf8/4", False)


def test_an_interrupt_while_counting_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def encode_ordinary(self, text: str) -> list[int]:
            raise KeyboardInterrupt

    monkeypatch.setattr(vocabularies, "load", lambda vocabulary, download: Interrupted())
    with pytest.raises(KeyboardInterrupt):
        count_tokens("a", model="gpt-4o")
