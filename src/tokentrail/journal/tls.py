"""Why a TLS connection to the Collector failed, in words; OpenSSL's own lie below the errors of the client."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Final

__all__ = ["CLIENTS_CERTIFICATE", "tls_reason"]

CLIENTS_CERTIFICATE: Final = "if the server wants a client's certificate, see the settings `client_certificate` and `client_key`"
_MOST_ERRORS: Final = 10


def tls_reason(error: BaseException) -> str:
    """Returns the cause and the setting to look at; empty if TLS is not what failed."""
    for each in _chain(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted ({each.reason or 'CERTIFICATE_VERIFY_FAILED'}: {each.verify_message}){_advice(each.verify_message)}"
            )
        if isinstance(each, ssl.SSLError):
            return f"TLS failed ({each.reason or 'the server hung up'}){_client_advice(each.reason or 'CERTIFICATE')}"
    return ""


def _advice(said: str) -> str:
    if "expired" in said or "not yet valid" in said:
        return ": it has to be renewed there, or this machine's clock is wrong"
    if "ismatch" in said:
        return ": the address has to name a host of the certificate"
    return ": the setting `certificate` (OTEL_EXPORTER_OTLP_CERTIFICATE) names the file of the authority that signed it"


def _client_advice(reason: str) -> str:
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "HANDSHAKE_FAILURE" in reason:
        return f": {CLIENTS_CERTIFICATE}"
    return ": is it http:// there?" if "WRONG_VERSION" in reason or "RECORD_LAYER" in reason else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and those below it: causes, contexts, and errors that urllib3 keeps as `reason` or among the arguments."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _MOST_ERRORS:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        below = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        waiting += [found for found in below if isinstance(found, BaseException)]
