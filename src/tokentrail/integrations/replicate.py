"""Replicate's SDK (replicate): predictions whose model counts tokens, once each, when an answer shows their end; sync and async.

A stream (`replicate.stream`) shows no counts: the prediction counts when the program, or another one, asks for it after its end.
"""

from __future__ import annotations

from typing import Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.shapes.replicate import read_prediction, texts_of_input
from tokentrail.integrations.transports.replicate import hooks_of

__all__ = ["INTEGRATION"]

PREDICTION: Final = Endpoint(
    name="predictions",
    gen_ai_operation="text_completion",
    operation="generation",
    texts=texts_of_input,
    read=read_prediction,
    deferred=True,
)

INTEGRATION: Final = Integration(
    name="replicate",
    package="replicate",
    supports=">=0.25,<2",
    hooks=hooks_of("replicate", "replicate", PREDICTION),
    clashes=("opentelemetry-instrumentation-replicate", "openlit"),
    answers={"replicate": (PREDICTION,)},
)
