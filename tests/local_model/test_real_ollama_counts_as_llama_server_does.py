"""Two servers over the same weights and the same chat format: what they say of one prompt must be the same. Runs by `make test-ollama`."""

from __future__ import annotations

from collections.abc import Iterator

import ollama
import openai
import pytest

from tests.support.ollama import CHAT_MODEL, EMBEDDING_MODEL, Ollama
from tokentrail.local.local_model import MODEL_NAME, LocalModel

MESSAGES = [{"role": "user", "content": "Say hello in five words."}]
SHORT = {"num_predict": 8, "temperature": 0}


@pytest.fixture
def client(ollama_server: Ollama) -> Iterator[ollama.Client]:
    return ollama.Client(host=ollama_server.url, timeout=120)


def test_chat_prompt_and_answer(client: ollama.Client, local_model: LocalModel) -> None:
    other = openai.OpenAI(base_url=local_model.base_url, api_key="none", max_retries=0).chat.completions.create(
        model=MODEL_NAME, messages=MESSAGES, max_tokens=8, temperature=0
    )
    for _ in range(2):  # the second time the prompt comes from the cache, and must cost the same
        answer = client.chat(CHAT_MODEL, MESSAGES, options=SHORT)
        assert (answer.prompt_eval_count, answer.eval_count) == (other.usage.prompt_tokens, other.usage.completion_tokens)


def test_stream_states_the_same_in_its_last_chunk_only(client: ollama.Client) -> None:
    whole = client.chat(CHAT_MODEL, MESSAGES, options=SHORT)
    chunks = list(client.chat(CHAT_MODEL, MESSAGES, options=SHORT, stream=True))
    assert (chunks[-1].prompt_eval_count, chunks[-1].eval_count) == (whole.prompt_eval_count, whole.eval_count)
    assert all(chunk.prompt_eval_count is None for chunk in chunks[:-1])


def test_its_openai_door_states_the_same_as_its_own(ollama_server: Ollama, client: ollama.Client) -> None:
    own = client.chat(CHAT_MODEL, MESSAGES, options=SHORT)
    usage = (
        openai.OpenAI(base_url=f"{ollama_server.url}/v1", api_key="none", max_retries=0)
        .chat.completions.create(model=CHAT_MODEL, messages=MESSAGES, max_tokens=8, temperature=0)
        .usage
    )
    assert (usage.prompt_tokens, usage.completion_tokens) == (own.prompt_eval_count, own.eval_count)


def test_embeddings_state_their_input(client: ollama.Client, local_model: LocalModel) -> None:
    other = openai.OpenAI(base_url=local_model.base_url, api_key="none", max_retries=0).embeddings.create(model=MODEL_NAME, input="one two three")
    answer = client.embed(EMBEDDING_MODEL, "one two three")
    assert answer.prompt_eval_count == other.usage.prompt_tokens
    assert len(answer.embeddings[0]) == len(other.data[0].embedding)
