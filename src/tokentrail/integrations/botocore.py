"""botocore, and so boto3: Amazon Bedrock's Converse and InvokeModel, and their streams, for every family of models.

A batch inference job states no tokens (`GetModelInvocationJob` states numbers of records); its files in S3 do, and are read at hand. So the job's
creation alone is observed, for the attribution of the results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.shapes.bedrock_events import ConversedEvents, InvokedEvents
from tokentrail.integrations.shapes.bedrock_models import is_embedding, is_of_tokens, read_invoked, texts_of_invoked
from tokentrail.integrations.shapes.bedrock_streams import InvokedMessages
from tokentrail.integrations.shapes.converse import ConverseMessages, read_converse, texts_of_converse
from tokentrail.integrations.shapes.job_endpoints import BATCH
from tokentrail.integrations.shapes.stored_batches import find_bedrock_result, find_new_bedrock_batch
from tokentrail.integrations.transports.botocore import Operation, hooks_of
from tokentrail.integrations.transports.probes import probe_botocore

__all__ = ["CLASHES", "INTEGRATION", "OPERATIONS"]

CONVERSE: Final = Endpoint(
    name="converse", gen_ai_operation="chat", operation="chat", texts=texts_of_converse, read=read_converse, chunks=ConverseMessages
)
INVOKE: Final = Endpoint(
    name="invoke_model", gen_ai_operation="chat", operation="chat", texts=texts_of_invoked, read=read_invoked, chunks=InvokedMessages
)
COMPLETE: Final = replace(INVOKE, gen_ai_operation="text_completion", operation="generation")
EMBED: Final = replace(
    INVOKE,
    name="embeddings",
    gen_ai_operation="embeddings",
    operation="vector_search",
    token_type="embedding",  # noqa: S106 - a kind of token
)
NEW_BATCH: Final = replace(BATCH, findings=find_new_bedrock_batch)
RESULT: Final = replace(BATCH, findings=find_bedrock_result)
EMBEDDED: Final = replace(
    RESULT,
    gen_ai_operation="embeddings",
    token_type="embedding",  # noqa: S106 - a kind of token
)
OTHER: Final = replace(COMPLETE, deferred=True)


def _invoked(model: str, body: Mapping[str, Any]) -> Endpoint:
    """Returns the endpoint of a model: messages, a text to go on with, vectors, or what is counted only if the answer states tokens."""
    if is_embedding(model, body):
        return EMBED
    if not is_of_tokens(model, body):
        return OTHER
    return INVOKE if "messages" in body or "message" in body else COMPLETE


def _invoked_at_hand(model: str, body: Mapping[str, Any]) -> Endpoint:
    """Returns the endpoint of an answer that no client of botocore has read."""
    return replace(_invoked(model, body), chunks=InvokedEvents)


def _batched(model: str, _line: Mapping[str, Any]) -> Endpoint:
    """Returns the endpoint of a batch's results: a manifest does not show what its model has made."""
    return EMBEDDED if is_embedding(model, {}) else RESULT


def _created(_model: str, _body: Mapping[str, Any]) -> Endpoint:
    return NEW_BATCH


def _conversed(_model: str, _body: Mapping[str, Any]) -> Endpoint:
    return CONVERSE


OPERATIONS: Final = {
    "Converse": Operation(endpoint=_conversed),
    "ConverseStream": Operation(endpoint=_conversed, payload="stream", streams=True),
    "InvokeModel": Operation(endpoint=_invoked, payload="body"),
    "InvokeModelWithResponseStream": Operation(endpoint=_invoked, payload="body", streams=True),
    "CreateModelInvocationJob": Operation(endpoint=_created, creates=True),
}
CLASHES: Final = (
    "opentelemetry-instrumentation-bedrock",
    "opentelemetry-instrumentation-botocore",
    "openinference-instrumentation-bedrock",
    "openlit",
)

INTEGRATION: Final = Integration(
    name="botocore",
    package="botocore",
    supports=">=1.35,<2",
    hooks=hooks_of("botocore.endpoint", "Endpoint", OPERATIONS, is_async=False),
    clashes=CLASHES,
    probe=probe_botocore,
    answers={
        "aws.bedrock": (
            replace(CONVERSE, chunks=ConversedEvents),
            replace(INVOKE, chunks=InvokedEvents, chosen=_invoked_at_hand),
            replace(EMBED, chunks=None),
            replace(RESULT, chosen=_batched),
        )
    },
)
