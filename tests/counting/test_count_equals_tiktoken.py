from __future__ import annotations

import hashlib
import types
from typing import Any

import pytest
import tiktoken
import tiktoken_ext.openai_public as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from tokentrail.counting import count_tokens, vocabularies
from tokentrail.counting.vocabularies import CL100K, O200K, Vocabulary

TEXTS = {
    # how many tokens the provider itself reported, seen in recordings and in OpenAI's cookbook
    "tiktoken is great!": {"gpt-4": 6, "gpt-4o": 6},
    "antidisestablishmentarianism": {"gpt-4": 6, "gpt-4o": 6},
    "2 + 2 = 4": {"gpt-4": 7, "gpt-4o": 7},
    "お誕生日おめでとう": {"gpt-4": 9, "gpt-4o": 8},
    "": {"gpt-4": 0, "gpt-4o": 0},
}


def constructed_by_tiktoken(vocabulary: Vocabulary) -> tuple[dict[str, Any], dict[str, str]]:
    """What tiktoken's own constructor says about an encoding, its loader replaced by ours; and what it asked that loader for."""
    asked: dict[str, str] = {}

    def loader(address: str, expected_hash: str) -> dict[bytes, int]:
        asked.update(address=address, expected_hash=expected_hash)
        data = vocabularies.find(vocabulary)
        assert data is not None
        return vocabularies.parse_ranks(data)

    constructor = getattr(theirs, vocabulary.name)
    return types.FunctionType(constructor.__code__, constructor.__globals__ | {"load_tiktoken_bpe": loader})(), asked


@pytest.fixture(scope="module", params=[CL100K, O200K], ids=lambda vocabulary: vocabulary.name)
def both(request: pytest.FixtureRequest) -> tuple[tiktoken.Encoding, tiktoken.Encoding]:
    ours = vocabularies.load(request.param)
    assert ours is not None, "the test environment has tokenizers-offline"
    return ours, tiktoken.Encoding(**constructed_by_tiktoken(request.param)[0])


@pytest.mark.parametrize("vocabulary", [CL100K, O200K], ids=lambda vocabulary: vocabulary.name)
def test_the_facts_about_an_encoding_are_tiktokens(vocabulary: Vocabulary) -> None:
    facts, asked = constructed_by_tiktoken(vocabulary)
    assert vocabulary.sha256 == asked["expected_hash"]
    assert vocabulary.cache_name == hashlib.sha1(asked["address"].encode()).hexdigest()
    assert vocabulary.pattern == facts["pat_str"]


@pytest.mark.parametrize("text", TEXTS)
def test_known_texts_have_known_counts(text: str) -> None:
    for model, tokens in TEXTS[text].items():
        counted = count_tokens(text, model=model)
        assert (counted, counted.exact) == (tokens, True)


@settings(deadline=None, max_examples=300)
@given(text=st.text(max_size=400) | st.text("ab '\n\r\t.,/7日²🙂é", max_size=400))
@pytest.mark.slow
def test_any_text_counts_as_tiktoken_counts_it(both: tuple[tiktoken.Encoding, tiktoken.Encoding], text: str) -> None:
    ours, tiktokens = both
    assert vocabularies.count(ours, text) == len(tiktokens.encode(text, disallowed_special=()))


@settings(deadline=None, max_examples=300)
@given(
    words=st.lists(
        st.sampled_from(["word", "naïve", "東京", "it's", "12", "1234567", "²", "()", "\n\n", "...", "/", "  ", "🙂", "École"]), max_size=80
    )
)
@pytest.mark.parametrize("between", [" ", ", ", "\n", "。"])
@pytest.mark.slow
def test_where_a_long_text_is_cut_no_token_changes(both: tuple[tiktoken.Encoding, tiktoken.Encoding], words: list[str], between: str) -> None:
    ours, tiktokens = both
    text = between.join(f"{word} so" for word in words)  # a cut is possible in every window
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabularies, "WINDOW", 40)
        assert vocabularies.count(ours, text) == len(tiktokens.encode_ordinary(text))


@pytest.mark.slow
def test_ten_megabytes_count_as_tiktoken_counts_them(both: tuple[tiktoken.Encoding, tiktoken.Encoding]) -> None:
    ours, tiktokens = both
    text = "The quarterly report shows that revenue grew 12.4% in every region; naïve déjà-vu 東京 🙂 def f(x): return x**2\n" * 90_000
    assert vocabularies.count(ours, text) == len(tiktokens.encode_to_numpy(text, disallowed_special=()))
