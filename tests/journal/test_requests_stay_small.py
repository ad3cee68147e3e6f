"""No request is larger than 6 MB before compression, whatever waits (3 MB over gRPC, whose servers take 4 MiB), and what is too large is halved."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.support.journal import abandon, adopt, append, usage, writer
from tests.support.otlp_receiver import Otlp, hang, ok, status
from tokentrail.journal.records import encode_usage

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_backlog_of_30_mb(root: Path, otlp: Otlp, compression: str) -> None:
    service = writer(root, segment_bytes=8 << 20)
    records = append(service, 1900, metadata='{"text": "' + "m" * 16_000 + '"}')
    abandon(service)
    assert sum(path.stat().st_size for path in service.folder.glob("*.journal")) > 30_000_000
    assert adopt(root, otlp, compression=compression).done
    assert otlp.numbers(service.writer_id) == records
    assert max(request.size for request in otlp.requests) <= 6_000_000
    assert len(otlp.requests) < 8
    encodings = {request.headers.get("content-encoding") for request in otlp.requests}
    assert encodings == ({"gzip"} if compression == "gzip" else {None})


def test_many_small_records(root: Path, otlp: Otlp) -> None:
    service = writer(root)
    append(service, 12000)
    abandon(service)
    assert adopt(root, otlp).done
    assert max(request.size for request in otlp.requests) <= 6_000_000
    assert max(len(request.records) for request in otlp.requests) <= 5000
    assert len(otlp.requests) < 5


def test_every_attribute_at_its_largest(root: Path, otlp: Otlp) -> None:
    """Attribute names are longer than field names: the size that counts is that of the request."""
    texts = dict.fromkeys(("tenant_id", "operation", "request_model", "response_model", "error_type", "operation_id"), "😀" * 100000)
    numbers = dict.fromkeys(("cache_read_tokens", "reasoning_tokens", "duration_ns", "input_chars", "texts"), 2**62)
    service = writer(root)
    for number in range(1, 501):
        assert service.append(encode_usage(usage(number, metadata="m" * 20_000, **texts, **numbers))) == number
    abandon(service)
    assert adopt(root, otlp).done
    assert otlp.numbers(service.writer_id) == list(range(1, 501))
    assert max(request.size for request in otlp.requests) <= 6_000_000
    assert otlp.taken[0].fields["metadata_cut"] is True


def test_a_proxy_takes_a_megabyte(root: Path, otlp: Otlp) -> None:
    service = writer(root)
    records = append(service, 6000, metadata='{"text": "' + "m" * 500 + '"}')
    abandon(service)
    otlp.policy = lambda received: status(413) if received.size > 1_000_000 else ok()
    assert adopt(root, otlp).done
    assert otlp.numbers(service.writer_id) == records
    assert list(root.iterdir()) == []


def test_a_server_that_takes_long_gets_less(root: Path, otlp: Otlp) -> None:
    """What is not answered in time is halved, a few times in a pass: also a line that is slow with megabytes moves the journal."""
    service = writer(root)
    records = append(service, 3000)
    abandon(service)
    never = threading.Event()
    otlp.policy = lambda received: hang(never) if len(received.records) > 800 else ok()
    assert adopt(root, otlp, timeout=0.3).done
    never.set()
    assert set(otlp.numbers(service.writer_id)) == set(records)


def test_a_server_that_never_answers_holds_a_pass_for_some_tries_only(root: Path, otlp: Otlp) -> None:
    service = writer(root)
    append(service, 3000)
    abandon(service)
    never = threading.Event()
    otlp.policy = lambda _received: hang(never)
    progress = adopt(root, otlp, timeout=0.1)
    assert not progress.done
    assert "not whole after" in progress.reason
    assert len(otlp.requests) == 4
    never.set()
