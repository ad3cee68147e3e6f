"""OTLP's log messages with attributes, bodies, resources and scopes as bytes: protobuf then creates one object a record, none an attribute.

On the wire a message within a message is the same as bytes. Of a message that comes twice where it may come once protobuf merges both, and the merged
message is what the joined bytes contain: such a message (resource, scope, body) is therefore a list of bytes here.
Source: opentelemetry/proto/logs/v1/logs.proto.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

__all__ = ["LogsOnWire"]

PACKAGE: Final = "tokentrail.wire"
ONCE: Final = FieldDescriptorProto.LABEL_OPTIONAL
MANY: Final = FieldDescriptorProto.LABEL_REPEATED
BYTES: Final = FieldDescriptorProto.TYPE_BYTES
MESSAGE: Final = FieldDescriptorProto.TYPE_MESSAGE
FIXED64: Final = FieldDescriptorProto.TYPE_FIXED64
FIXED32: Final = FieldDescriptorProto.TYPE_FIXED32
UINT32: Final = FieldDescriptorProto.TYPE_UINT32

# name, number, label, type; the message type of a field has the field's name
MESSAGES: Final = {
    "log_records": (
        ("time_unix_nano", 1, ONCE, FIXED64),
        ("severity_number", 2, ONCE, UINT32),
        ("severity_text", 3, ONCE, BYTES),
        ("body", 5, MANY, BYTES),
        ("attributes", 6, MANY, BYTES),
        ("flags", 8, ONCE, FIXED32),
        ("trace_id", 9, ONCE, BYTES),
        ("span_id", 10, ONCE, BYTES),
        ("observed_time_unix_nano", 11, ONCE, FIXED64),
        ("event_name", 12, ONCE, BYTES),
    ),
    "scope_logs": (("scope", 1, MANY, BYTES), ("log_records", 2, MANY, MESSAGE), ("schema_url", 3, ONCE, BYTES)),
    "resource_logs": (("resource", 1, MANY, BYTES), ("scope_logs", 2, MANY, MESSAGE), ("schema_url", 3, ONCE, BYTES)),
    "request": (("resource_logs", 1, MANY, MESSAGE),),
}


def _logs_on_wire() -> Any:
    file = FileDescriptorProto(name="tokentrail/wire.proto", package=PACKAGE, syntax="proto3")
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, label, kind in fields:
            of = f".{PACKAGE}.{name}" if kind == MESSAGE else None
            described.field.add(name=name, number=number, label=label, type=kind, type_name=of)
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.request"))


LogsOnWire: Final = _logs_on_wire()
"""The type of an ExportLogsServiceRequest of this kind."""
