"""The calls of litellm that ask for recordings. litellm writes requests of its own: of a recorded one the call has the model, a text, and the stream."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from tests.support.planted import KEY
from tokentrail.testing import Recording

__all__ = ["Call", "call_of"]

AWS = {"aws_access_key_id": KEY, "aws_secret_access_key": "none", "aws_region_name": "us-east-1"}
OPENAI_SHAPED = {"openai": "openai", "groq": "groq", "mistral": "mistral", "ollama": "openai"}
Call = tuple[str, dict[str, Any]]


def call_of(recording: Recording, url: str, text: str = "lorem") -> Call | None:  # noqa: C901, PLR0912 - a table
    """The function of litellm and its arguments; None for what litellm does not ask in this way."""
    path, kind = recording.path.partition("?")[0], (recording.provider, recording.endpoint)
    model = (recording.request or {}).get("model") or "m"
    given: dict[str, Any] = {"api_key": KEY, "max_retries": 0, "timeout": 20}
    streamed = {"stream": True} if recording.stream else {}
    asked = {**given, "messages": [{"role": "user", "content": text}], **streamed}
    match kind:
        case (("openai" | "groq" | "mistral" | "ollama") as name, "chat"):
            return "completion", {**asked, "model": f"{OPENAI_SHAPED[name]}/{model}", "api_base": f"{url}/v1"}
        case ("openai", "completions"):
            return "text_completion", {**given, **streamed, "model": f"text-completion-openai/{model}", "prompt": text, "api_base": f"{url}/v1"}
        case ("mistral", "fim"):
            named = f"text-completion-codestral/{model}"
            return "text_completion", {**given, **streamed, "model": named, "prompt": text, "api_base": f"{url}{path}"}
        case ("openai", "responses") if not (recording.request or {}).get("background"):
            return "responses", {**given, **streamed, "model": f"openai/{model}", "input": text, "api_base": f"{url}/v1"}
        case (("openai" | "mistral") as name, "embeddings"):
            return "embedding", {**given, "model": f"{name}/{model}", "input": [text], "api_base": f"{url}/v1"}
        case ("anthropic", "messages"):
            return "completion", {**asked, "model": f"anthropic/{model}", "max_tokens": 10, "api_base": url}
        case ("google_genai", "generate_content"):
            named = path.rpartition(":")[0].rpartition("/")[2]
            return "completion", {**asked, "model": f"gemini/{named}", "api_base": f"{url}/v1beta/models/{named}"}
        case ("cohere", "cohere_chat") if not (recording.stream and path.startswith("/v2")):  # litellm fails at the names of its events
            version = path.split("/")[1]
            return "completion", {**asked, "model": f"cohere/{model}", "api_base": f"{url}/{version}/chat"}
        case (("cohere" | "voyage") as name, "embeddings") if path not in {"/v1/contextualizedembeddings", "/v1/multimodalembeddings"}:
            return "embedding", {**given, "model": f"{name}/{model}", "input": [text], "api_base": f"{url}{path}"}
        case (("cohere" | "voyage") as name, "rerank"):
            return "rerank", {**given, "model": f"{name}/{model}", "query": text, "documents": ["ipsum"], "api_base": f"{url}{path}"}
        case ("ollama", "ollama_chat") if (recording.request or {}).get("messages"):  # without any, a model is only loaded
            return "completion", {**asked, "stream": recording.stream, "model": f"ollama_chat/{model}", "api_base": url}
        case ("bedrock", "converse"):
            named = unquote(path.split("/model/")[1].split("/")[0])
            if named.startswith("ai21.") and recording.stream:
                return None  # litellm asks for a whole answer
            end = "converse-stream" if recording.stream else "converse"
            return "completion", {**asked, **AWS, "api_key": None, "model": f"bedrock/converse/{named}", "api_base": f"{url}/model/{named}/{end}"}
    return None
