"""Groq's SDK: chat and embeddings, in OpenAI's shape. Its streams state their usage unasked, in `x_groq` of the last chunk."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from tokentrail.providers import Provider
from tokentrail.providers.openai import CHAT, EMBEDDINGS
from tokentrail.providers.probes import probe_stainless
from tokentrail.providers.stainless import Endpoint, hooks_of

__all__ = ["PROVIDER"]

_BY_PATH: Final = {"/openai/v1/chat/completions": CHAT, "/openai/v1/embeddings": EMBEDDINGS}


def find(options: Any) -> Endpoint | None:
    """Find the endpoint of a request by its path."""
    return _BY_PATH.get(options.url) if options.method.lower() == "post" else None


PROVIDER: Final = Provider(
    name="groq",
    package="groq",
    hooks=hooks_of("groq._base_client", "groq", find),
    clashes=("opentelemetry-instrumentation-groq", "openinference-instrumentation-groq", "openlit"),
    probe=partial(probe_stainless, "groq", "Groq"),
)
