"""aiobotocore, and so aioboto3: the operations of botocore, awaited."""

from __future__ import annotations

from typing import Final

from tokentrail.instrumentation.contract import Integration
from tokentrail.integrations.botocore import CLASHES, OPERATIONS
from tokentrail.integrations.transports.botocore import hooks_of
from tokentrail.integrations.transports.probes import probe_aiobotocore

__all__ = ["INTEGRATION"]

INTEGRATION: Final = Integration(
    name="aiobotocore",
    package="aiobotocore",
    supports=">=2.14,<4",
    hooks=hooks_of("aiobotocore.endpoint", "AioEndpoint", OPERATIONS, is_async=True),
    clashes=CLASHES,
    probe=probe_aiobotocore,
)
