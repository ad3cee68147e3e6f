"""Every attribute, metric, event and scope name that tokentrail emits: no other module has such a name.

`gen_ai.*`, `server.*` and `error.type` are OpenTelemetry's (semantic-conventions-genai, development status, 2026: the Python
constants are deprecated without replacement, hence this module). `tokentrail.*` are tokentrail's own names; `SCHEMA_VERSION` counts their changes.
"""

from __future__ import annotations

from typing import Final

SCOPE: Final = "tokentrail"
SCHEMA_VERSION: Final = 2

# --- log records (the ledger) -------------------------------------------------------------------------------------------------------------------
EVENT: Final = "tokentrail.event"
"""Marks a record of the ledger. The values are the three events below; the Collector routes by the attribute's presence, never by `event_name`."""
EVENT_USAGE: Final = "usage"
EVENT_CLOSING: Final = "closing"
EVENT_REFUSED: Final = "refused"
EVENT_NAME_PREFIX: Final = "tokentrail."

SCHEMA: Final = "tokentrail.schema.version"
WRITER_ID: Final = "tokentrail.writer.id"
SEQ: Final = "tokentrail.seq"

# --- attribution and the call -------------------------------------------------------------------------------------------------------------------
TENANT_ID: Final = "tokentrail.tenant_id"
OPERATION: Final = "tokentrail.operation"
OPERATION_ID: Final = "tokentrail.operation.id"
BAGGAGE_TENANT_ID: Final = "tokentrail.tenant_id"  # members of W3C baggage
BAGGAGE_OPERATION_ID: Final = "tokentrail.operation_id"

GEN_AI_OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"

# --- counts: totals, and subsets that are never added ---------------------------------------------------------------------------------------------
# every count (attributes), written by `make docs`
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
AUDIO_INPUT_TOKENS: Final = "gen_ai.usage.audio.input_tokens"
AUDIO_OUTPUT_TOKENS: Final = "gen_ai.usage.audio.output_tokens"
IMAGE_INPUT_TOKENS: Final = "gen_ai.usage.image.input_tokens"
IMAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.image.output_tokens"
CONSUMED_INPUT_TOKENS: Final = "tokentrail.usage.consumed.input_tokens"
CONSUMED_OUTPUT_TOKENS: Final = "tokentrail.usage.consumed.output_tokens"
CACHE_WRITE_1H_TOKENS: Final = "tokentrail.usage.cache_write_1h.input_tokens"
# every count, end

ENDED: Final = "tokentrail.ended"

# --- a failed attempt that is followed by another: an event of the span around them ---------------------------------------------------------------
EVENT_RETRY: Final = "tokentrail.retry"
ATTEMPT: Final = "tokentrail.attempt"
RETRY_DELAY: Final = "tokentrail.retry.delay"

# --- resource -----------------------------------------------------------------------------------------------------------------------------------
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
ENVIRONMENT: Final = "deployment.environment.name"
FORMER_ENVIRONMENT: Final = "deployment.environment"
HOST_NAME: Final = "host.name"
PROCESS_PID: Final = "process.pid"

# --- metrics ------------------------------------------------------------------------------------------------------------------------------------
TOKEN_MODALITY: Final = "gen_ai.token.modality"  # noqa: S105 - a name, not a password
GEN_AI_TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - a name, not a password
METRIC_INPUT_TOKENS: Final = "gen_ai.client.inference.usage.input_tokens"
METRIC_OUTPUT_TOKENS: Final = "gen_ai.client.inference.usage.output_tokens"
METRIC_CACHE_READ_TOKENS: Final = "gen_ai.client.inference.usage.cache_read.input_tokens"
METRIC_CACHE_WRITE_TOKENS: Final = "gen_ai.client.inference.usage.cache_write.input_tokens"
METRIC_REASONING_TOKENS: Final = "gen_ai.client.inference.usage.reasoning.output_tokens"
METRIC_DURATION: Final = "gen_ai.client.inference.duration"
METRIC_EMBEDDINGS_DURATION: Final = "gen_ai.client.embeddings.duration"
METRIC_OPERATION_INPUT_TOKENS: Final = "gen_ai.client.inference.operation.input_tokens"
METRIC_OPERATION_OUTPUT_TOKENS: Final = "gen_ai.client.inference.operation.output_tokens"
METRIC_EMBEDDINGS_OPERATION_TOKENS: Final = "gen_ai.client.embeddings.operation.input_tokens"
METRIC_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.inference.time_to_first_chunk"
METRIC_EMBEDDINGS_INPUT_TOKENS: Final = "tokentrail.embeddings.usage.input_tokens"
METRIC_LEGACY_TOKENS: Final = "gen_ai.client.token.usage"
METRIC_LEGACY_DURATION: Final = "gen_ai.client.operation.duration"
METRIC_JOURNAL_EVENTS: Final = "tokentrail.journal.events"
METRIC_JOURNAL_BYTES: Final = "tokentrail.journal.size"
METRIC_INTERNAL_ERRORS: Final = "tokentrail.internal.errors"
METRIC_COLLECTIONS: Final = "tokentrail.internal.collections"
METRIC_CONDITION_VALUE: Final = "tokentrail.condition.value"
METRIC_CONDITION_FIRING: Final = "tokentrail.condition.firing"
METRIC_CONDITION_THRESHOLD: Final = "tokentrail.condition.threshold"
METRIC_CONDITION_CLEAR: Final = "tokentrail.condition.clear"
METRIC_CONDITION_SUBJECTS: Final = "tokentrail.condition.subjects"
METRIC_CONDITION_ANSWERED: Final = "tokentrail.condition.answered"
METRIC_CHECK_TIME: Final = "tokentrail.check.timestamp"
METRIC_OVERFLOW: Final = "otel.metric.overflow"
OUTCOME: Final = "tokentrail.journal.outcome"
PLACE: Final = "tokentrail.internal.place"

DURATION_BUCKETS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BUCKETS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
