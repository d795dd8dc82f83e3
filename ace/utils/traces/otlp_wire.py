"""OTLP/HTTP 1.x on the wire: bodies in, compressed or not, protobuf or JSON; answers out.

What a body may become is bounded before it is made: a small body that would unpack into a large one is refused.
The answers are two messages of two fields, written here, so that only reading protobuf needs the extra `otel`.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ace.errors import BatchTooLarge, InvalidInput, MissingExtra
from ace.utils.json_lines import STRICT, json_type

if TYPE_CHECKING:
    from google.protobuf.message import Message

PROTOBUF, JSON = "application/x-protobuf", "application/json"
ENCODINGS = ("", "identity", "gzip")
GZIP_WBITS = 31
IDS = ("traceId", "spanId", "parentSpanId")


class Signal(StrEnum):
    """What is sent: the last word of the address."""

    TRACES = "traces"
    LOGS = "logs"


def body(data: bytes, signal: Signal, *, content_type: str, encoding: str, limit: int) -> dict[str, Any]:
    """What a request says, in OTLP's JSON form. Raises InvalidInput, BatchTooLarge, MissingExtra."""
    plain = unpacked(data, limit) if encoding == "gzip" else data
    return from_protobuf(plain, signal) if content_type == PROTOBUF else _from_json(plain)


def unpacked(data: bytes, limit: int) -> bytes:
    """The bytes that were compressed, at most `limit` of them."""
    parts: list[bytes] = []
    size = 0
    while data:
        stream = zlib.decompressobj(GZIP_WBITS)
        try:
            parts.append(stream.decompress(data, limit + 1 - size))
        except zlib.error:
            raise InvalidInput("body", "is not gzip", "Compress it as Content-Encoding says") from None
        size += len(parts[-1])
        if size > limit or stream.unconsumed_tail:
            raise BatchTooLarge(f"The body unpacks to more than {limit:,} bytes. Export fewer spans at a time.")
        if not stream.eof:
            raise InvalidInput("body", "ends too early", "Send all of it")
        data = stream.unused_data
    return b"".join(parts)


def from_protobuf(data: bytes, signal: Signal = Signal.TRACES) -> dict[str, Any]:
    """An export in its JSON form, ids as hexadecimal digits."""
    try:
        from google.protobuf.json_format import MessageToDict
        from google.protobuf.message import DecodeError

        request = _empty(signal)
    except ModuleNotFoundError as error:
        raise MissingExtra("opentelemetry-proto", "otel") from error
    try:
        request.ParseFromString(data)
    except DecodeError:
        raise InvalidInput("body", f"is no export of {signal}", "Send OTLP as protobuf") from None
    told: dict[str, Any] = MessageToDict(request, use_integers_for_enums=True)
    for one in _items(told):
        one |= {name: base64.b64decode(one[name]).hex() for name in IDS if name in one}
    return told


def accepted(content_type: str, signal: Signal = Signal.TRACES, rejected: int = 0, why: str = "") -> bytes:
    """The answer to an export: all was taken, or how many were not, and why."""
    if content_type == JSON:
        name = "rejectedSpans" if signal == Signal.TRACES else "rejectedLogRecords"
        partial = {name: str(rejected), "errorMessage": why}
        return json.dumps({"partialSuccess": partial} if why else {}).encode()
    return _field(1, _number(1, rejected) + _field(2, why.encode())) if why else b""


def refused(content_type: str, message: str) -> bytes:
    """A google.rpc.Status with this message."""
    return json.dumps({"message": message}).encode() if content_type == JSON else _field(2, message.encode())


def _from_json(data: bytes) -> dict[str, Any]:
    try:
        found = STRICT.decode(data.decode())
    except UnicodeDecodeError as error:
        raise InvalidInput("body", f"is not UTF-8 (byte {error.start + 1})", "Send JSON as UTF-8") from None
    except json.JSONDecodeError as error:
        raise InvalidInput("body", f"is not JSON ({error.msg}, character {error.pos})", "Send valid JSON") from None
    except ValueError as error:
        raise InvalidInput("body", str(error), "Send valid JSON") from None
    except RecursionError:
        raise InvalidInput("body", "is nested too deeply", "Send OTLP as its JSON form has it") from None
    if not isinstance(found, dict):
        raise InvalidInput("body", f"is {json_type(found)}, not an object", "Send an ExportTraceServiceRequest")
    return found


def _empty(signal: Signal) -> Message:
    if signal == Signal.TRACES:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        return ExportTraceServiceRequest()
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    return ExportLogsServiceRequest()


def _items(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every span and every record of a log."""
    for resource in (*told.get("resourceSpans", ()), *told.get("resourceLogs", ())):
        for scope in (*resource.get("scopeSpans", ()), *resource.get("scopeLogs", ())):
            yield from (*scope.get("spans", ()), *scope.get("logRecords", ()))


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes in protobuf's encoding."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
