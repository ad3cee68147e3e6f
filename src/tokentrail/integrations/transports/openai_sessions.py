"""The sessions of OpenAI's SDK over websockets: Realtime (also of the beta), Responses, Live with what watches or forks a session of Live.

A session of translations (`realtime.translations`) states no usage, and is not followed.
"""

from __future__ import annotations

from tokentrail.instrumentation.contract import Endpoint, Hook
from tokentrail.integrations.shapes.openai_realtime import REALTIME, live, responses_over_websocket
from tokentrail.integrations.transports.websockets import close_hooks, hooks_of

__all__ = ["session_hooks"]


def session_hooks(responses: Endpoint) -> tuple[Hook, ...]:
    """Returns the hooks of all sessions; `responses` is the endpoint of the Responses API."""
    over_websocket, delegated = responses_over_websocket(responses), live(responses)
    return (
        *hooks_of("openai.resources.realtime.realtime", "Realtime", "openai", REALTIME),
        *hooks_of("openai.resources.beta.realtime.realtime", "Realtime", "openai", REALTIME),
        *hooks_of("openai.resources.responses.responses", "Responses", "openai", over_websocket),
        *hooks_of("openai.resources.beta.responses.responses", "Responses", "openai", over_websocket),
        *hooks_of("openai.resources.live.live", "Live", "openai", delegated),
        *hooks_of("openai.resources.live.sideband", "Sideband", "openai", delegated),
        *hooks_of("openai.resources.live.forks", "Forks", "openai", delegated),
        *close_hooks("openai._websocket_connection", "WebSocketConnectionBase"),
    )
