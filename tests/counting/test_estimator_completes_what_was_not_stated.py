from __future__ import annotations

import msgspec
import pytest

from tokentrail.counting.estimator import complete
from tokentrail.usage import Usage, source_of

CALL = Usage(key="chat:acme:0:0", call=7, ts=1, provider="openai", request_model="gpt-4o", gen_ai_operation="chat", endpoint="chat")
EMBEDDING = Usage(
    key="k", call=7, ts=1, provider="openai", request_model="text-embedding-3-small", gen_ai_operation="embeddings", token_type="embedding"
)


def replaced(usage: Usage, **changes: object) -> Usage:
    return msgspec.structs.replace(usage, **changes)


def test_both_halves_are_counted_as_the_provider_counts_them() -> None:
    better = complete(CALL, ["hello world"], ["hello world"])
    assert better == replaced(
        CALL, input_tokens=9, input_source="estimated", output_tokens=2, output_source="estimated", tokenizer="o200k_base"
    )  # a chat of one message: 7 tokens beside its text


def test_what_was_reported_stays() -> None:
    reported = replaced(CALL, input_tokens=1000, input_source="reported", cache_read_tokens=900)
    better = complete(reported, ["hello world"], ["hello world"])
    assert better is not None
    assert (better.input_tokens, better.input_source, better.cache_read_tokens) == (1000, "reported", 900)
    assert (better.output_tokens, better.output_source, better.source) == (2, "estimated", "estimated")
    assert complete(replaced(reported, output_tokens=0, output_source="reported"), ["a"], ["a"]) is None


def test_nothing_is_appended_that_does_not_raise_the_rank() -> None:
    assert complete(CALL, [], []) is None
    assert complete(CALL, [""], [""]) is None


def test_each_half_is_counted_on_its_own_and_the_other_stays_unknown() -> None:
    image_alone = complete(CALL, [], ["hello world"])
    assert image_alone == replaced(CALL, output_tokens=2, output_source="estimated", tokenizer="o200k_base")
    no_text_came = complete(CALL, ["hello world"], [])
    assert no_text_came == replaced(CALL, input_tokens=9, input_source="estimated", tokenizer="o200k_base")
    for half in (image_alone, no_text_came):
        assert half is not None
        assert half.source == "unknown"
        assert CALL.rank < half.rank < replaced(CALL, input_source="estimated", output_source="estimated").rank
        assert complete(half, [], []) is None


def test_an_abandoned_stream_has_the_output_it_had() -> None:
    cut = replaced(CALL, ended="partial", stream=True, output_chars=0)
    better = complete(cut, ["hello world"], [])
    assert better is not None
    assert (better.input_tokens, better.output_tokens, better.source) == (9, 0, "estimated")
    for unproven in (replaced(cut, output_chars=None), replaced(cut, ended="complete"), replaced(cut, ended="error")):
        half = complete(unproven, ["hello world"], [])
        assert half is not None
        assert (half.input_tokens, half.output_tokens, half.output_source) == (9, None, "unknown"), "what is not known to be text is not 0"


def test_an_embedding_has_no_output_and_still_rises() -> None:
    better = complete(EMBEDDING, ["hello world", "hello"], ["never an answer"])
    assert better is not None
    assert (better.input_tokens, better.output_tokens, better.tokenizer) == (3, None, "cl100k_base")
    assert source_of(better.input_source, better.output_source) == "estimated"
    assert complete(replaced(EMBEDDING, input_tokens=3, input_source="reported"), ["hello world"], []) is None


def test_the_answered_model_counts_unless_its_name_tells_nothing() -> None:
    plain = replaced(CALL, gen_ai_operation="generate_content")
    for answered, tokenizer in (("gpt-4-0613", "cl100k_base"), ("/opt/ml/model", "o200k_base"), ("claude-haiku-4-5", "estimate:utf8/4")):
        better = complete(replaced(plain, response_model=answered), ["hi"], ["hi"])
        assert better is not None
        assert better.tokenizer == tokenizer


@pytest.mark.usefixtures("no_data_package")
def test_without_a_vocabulary_the_row_says_so() -> None:
    better = complete(CALL, ["a" * 8], ["b" * 8])
    assert better is not None
    assert (better.input_tokens, better.output_tokens, better.tokenizer) == (9, 2, "estimate:utf8/4")
