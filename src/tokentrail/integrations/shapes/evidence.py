"""The marks of an answer that prove which provider, or which server's software, has made the answer, on a host that nothing names.

| mark                                                                      | proves                      | source                                   |
|---------------------------------------------------------------------------|-----------------------------|------------------------------------------|
| `system_fingerprint` is `fp_ollama`                                       | `ollama`                    | in recordings; Ollama's package `openai` |
| `timings` with `prompt_n`; a fingerprint as in `b4719-0a1b2c3d`           | `llama_cpp`                 | llama.cpp, tools/server/README.md        |
| `stats` with `model_info` and `runtime`, or with the model as fingerprint | `lm_studio`                 | lmstudio.ai/docs, REST API               |
| `prompt_logprobs` with `kv_transfer_params`                               | `vllm`                      | in recordings; vLLM, `protocol.py`       |
| `stop_reason` in a choice, and an id of 32 hexadecimal digits             | `vllm`                      | in recordings; vLLM, `protocol.py`       |
| `matched_stop` in a choice                                                | `sglang`                    | SGLang, `protocol.py`                    |
| a fingerprint as in `3.0.1-native`, `2.4.0-sha-0a1b2c3`                   | `text_generation_inference` | in recordings; its Messages API          |
| `x_groq`                                                                  | `groq`                      | in recordings, also behind a gateway     |
| `provider` is a text, and the id begins with `gen-`                       | `openrouter`                | in recordings; openrouter.ai/docs        |
| `pydantic_ai_gateway` in the usage                                        | `pydantic_ai_gateway`       | in recordings                            |
| headers `x-litellm-…`                                                     | `litellm`                   | docs.litellm.ai, Response headers        |
| headers `x-portkey-…`                                                     | `portkey`                   | portkey.ai/docs, Response schema         |
| headers `helicone-…`                                                      | `helicone`                  | docs.helicone.ai, Header directory       |
| headers `cf-aig-…`                                                        | `cloudflare`                | developers.cloudflare.com/ai-gateway     |

A mark that several servers set (an id's form alone, `stop_reason` alone) proves nothing. What proves the provider behind a gateway comes before what
proves the gateway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tokentrail.integrations.shapes.json_objects import fields_of, items_of

__all__ = ["proven_by_answer", "proven_by_headers"]

_BUILD: Final = re.compile(r"b[0-9]{3,6}-[0-9a-f]{7,10}").fullmatch
_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(-dev[0-9]*)?-(native|sha-[0-9a-f]{7,10})").fullmatch
_ID_OF_VLLM: Final = re.compile(r"(chatcmpl|chat|cmpl)-[0-9a-f]{32}").fullmatch
_HEADERS: Final = {"x-litellm-": "litellm", "x-portkey-": "portkey", "helicone-": "helicone", "cf-aig-": "cloudflare"}


def proven_by_answer(answer: Any) -> str:
    """Returns the provider that an answer, or a chunk of a stream, proves: an SDK's model or a JSON object. An empty text: none."""
    fields = fields_of(answer)
    if not fields:
        return ""
    found = _by_fingerprint(fields) or _by_fields(fields) or _by_choices(fields)
    return found or ("pydantic_ai_gateway" if "pydantic_ai_gateway" in fields_of(fields.get("usage")) else "")


def proven_by_headers(names: Iterable[str]) -> str:
    """Returns the gateway that the names of a response's headers prove. An empty text: none."""
    for name in names:
        for prefix, provider in _HEADERS.items():
            if name.lower().startswith(prefix):
                return provider
    return ""


def _by_fingerprint(fields: Mapping[str, Any]) -> str:
    stated = fields.get("system_fingerprint")
    if not isinstance(stated, str):
        return ""
    if stated == "fp_ollama":
        return "ollama"
    if _BUILD(stated):
        return "llama_cpp"
    return "text_generation_inference" if _VERSION(stated) else ""


def _by_fields(fields: Mapping[str, Any]) -> str:
    if "prompt_n" in fields_of(fields.get("timings")):
        return "llama_cpp"
    if "stats" in fields and (("model_info" in fields and "runtime" in fields) or _is_text_of(fields, "system_fingerprint", "model")):
        return "lm_studio"
    if fields.get("x_groq"):
        return "groq"
    if isinstance(fields.get("provider"), str) and str(fields.get("id")).startswith("gen-"):
        return "openrouter"
    return "vllm" if "prompt_logprobs" in fields and "kv_transfer_params" in fields else ""


def _is_text_of(fields: Mapping[str, Any], name: str, other: str) -> bool:
    return bool(fields.get(name)) and fields.get(name) == fields.get(other)


def _by_choices(fields: Mapping[str, Any]) -> str:
    for choice in map(fields_of, items_of(fields.get("choices"))):
        if "matched_stop" in choice:
            return "sglang"
        if "stop_reason" in choice and isinstance(fields.get("id"), str) and _ID_OF_VLLM(fields["id"]):
            return "vllm"
    return ""
