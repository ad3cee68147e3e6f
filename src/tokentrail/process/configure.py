"""`configure()`: settings by name, with their types, for editors and type checkers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokentrail.environment import Fsync
from tokentrail.process.current import current
from tokentrail.settings import Compression, DeliveryName, MetricNames, Protocol, Settings
from tokentrail.vocabulary import OperationLike

__all__ = ["configure"]

_UNCHANGED: Any = object()


def configure(
    *,
    disabled: bool = _UNCHANGED,
    tenant_id: str = _UNCHANGED,
    operations: Mapping[str, OperationLike] = _UNCHANGED,
    provider_hosts: Mapping[str, str] = _UNCHANGED,
    baggage_hosts: Sequence[str] = _UNCHANGED,
    include_usage: bool = _UNCHANGED,
    estimate: bool = _UNCHANGED,
    tokenizer_download: bool = _UNCHANGED,
    content_hash_secret: str = _UNCHANGED,
    spans: bool = _UNCHANGED,
    metrics: MetricNames = _UNCHANGED,
    all_histograms: bool = _UNCHANGED,
    delivery: DeliveryName = _UNCHANGED,
    journal_dir: str | Path = _UNCHANGED,
    journal_max_bytes: int = _UNCHANGED,
    journal_segment_bytes: int = _UNCHANGED,
    journal_fsync: Fsync = _UNCHANGED,
    ship: bool = _UNCHANGED,
    ship_interval: float = _UNCHANGED,
    adopt_interval: float = _UNCHANGED,
    exit_timeout: float = _UNCHANGED,
    endpoint: str = _UNCHANGED,
    insecure: bool = _UNCHANGED,
    headers: Mapping[str, str] = _UNCHANGED,
    protocol: Protocol = _UNCHANGED,
    certificate: str | Path = _UNCHANGED,
    client_certificate: str | Path = _UNCHANGED,
    client_key: str | Path = _UNCHANGED,
    timeout: float = _UNCHANGED,
    compression: Compression = _UNCHANGED,
    service_name: str = _UNCHANGED,
    environment: str = _UNCHANGED,
    resource: Mapping[str, str] = _UNCHANGED,
    budget_dsn: str = _UNCHANGED,
    budget_interval: float = _UNCHANGED,
    budget_max_age: float = _UNCHANGED,
    otel_sdk_disabled: bool = _UNCHANGED,
) -> Settings:
    """Changes settings by name, before or between calls; docs/settings.md lists all settings. Settings that are left out keep their values.

    Raises `ValueError` or `TypeError` with one sentence for an unknown setting or an invalid value; no setting is changed then.
    """
    changes = {name: value for name, value in locals().items() if value is not _UNCHANGED}
    return current.configure(changes)
