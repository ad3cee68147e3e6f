"""OpenAI's SDK, with any provider at the base URL, Azure included: sync, async, streams, raw responses, sessions over websockets.

The endpoints are those of OpenAI's API, also used for the SDKs of other providers that answer on OpenAI's paths.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from tokentrail.instrumentation.contract import Integration
from tokentrail.integrations.openai_endpoints import BACKGROUND, CHAT, COMPLETIONS, EMBEDDINGS, RERANK, RESPONSES
from tokentrail.integrations.shapes.job_endpoints import AT_HAND, NAMED, NEW_BATCH, NEW_TUNING
from tokentrail.integrations.shapes.openai_audio import AUDIO_PATHS
from tokentrail.integrations.shapes.openai_images import IMAGE_PATHS
from tokentrail.integrations.shapes.openai_realtime import DECISION
from tokentrail.integrations.shapes.openai_runs import RUN
from tokentrail.integrations.transports.openai_sessions import session_hooks
from tokentrail.integrations.transports.probes import probe_stainless
from tokentrail.integrations.transports.routes import Routes
from tokentrail.integrations.transports.stainless import hooks_of

__all__ = ["CHAT", "COMPLETIONS", "EMBEDDINGS", "INTEGRATION", "RESPONSES", "ROUTES", "openai_routes"]


def openai_routes(prefix: str = "") -> Routes:
    """Returns the routes of OpenAI's endpoints; `prefix` is the start of the SDK's own paths."""
    return Routes(
        {
            "chat/completions": CHAT,
            "responses": RESPONSES,
            "responses/compact": RESPONSES,
            "completions": COMPLETIONS,
            "embeddings": EMBEDDINGS,
            "decisions": DECISION,
            "runs": RUN,  # /threads/runs, /threads/{id}/runs
            "submit_tool_outputs": RUN,
            "batches": NEW_BATCH,
            "fine_tuning/jobs": NEW_TUNING,
            **AUDIO_PATHS,
            **IMAGE_PATHS,
        },
        jobs={"responses": BACKGROUND, "runs": RUN},  # a retrieved or cancelled response counts only if the response is a job
        no_ids=("input_tokens", "compact"),
        named=NAMED,
        queries=("beta=true",),  # of the beta's responses
        models_after=("deployments", "engines"),  # Azure's paths name the model: /openai/deployments/gpt-4o/chat/completions
        prefix=prefix,
    )


ROUTES: Final = openai_routes()

INTEGRATION: Final = Integration(
    name="openai",
    package="openai",
    supports=">=1.50,<4",
    hooks=(*hooks_of("openai._base_client", "openai", ROUTES), *session_hooks(RESPONSES)),
    clashes=(
        "opentelemetry-instrumentation-openai",
        "opentelemetry-instrumentation-openai-v2",
        "opentelemetry-instrumentation-genai-openai",
        "openinference-instrumentation-openai",
        "openlit",
        "langfuse",
        "logfire",
    ),
    probe=partial(probe_stainless, "openai", "OpenAI"),
    answers={"*": (CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS, RERANK, *AUDIO_PATHS.values(), *dict.fromkeys(IMAGE_PATHS.values()), RUN, AT_HAND)},
)
