"""The address of a ClickHouse: `http(s)://user:password@host:port/database`, or `chdb:///folder` for the embedded engine's folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

__all__ = ["DEFAULT_DATABASE", "DEFAULT_DSN", "LOCK_FILE", "Dsn", "DsnError", "parse_dsn"]

DEFAULT_DSN: Final = "http://127.0.0.1:8123/tokentrail"
"""The address that `tokentrail serve` opens by default."""

LOCK_FILE: Final = "tokentrail.lock"
"""The lock file in an embedded engine's folder: locked by the process that serves the folder, and contains that process's id."""

DEFAULT_DATABASE: Final = "tokentrail"
"""The database of an address that names none."""
_PORTS: Final = {"http": 8123, "https": 8443}
_OPTIONS: Final = {"chdb": ("database",), "http": ("ca_cert", "verify"), "https": ("ca_cert", "verify")}
_FORMS: Final = "http://user:password@host:8123/tokentrail, or chdb:///path/to/folder"


class DsnError(ValueError):
    """An invalid DSN: one sentence with the cause, never with the password."""


@dataclass(frozen=True, slots=True)
class Dsn:
    """A DSN's parts. `shown` is the DSN without user and password, for messages."""

    scheme: str
    shown: str
    database: str = DEFAULT_DATABASE
    host: str = ""
    port: int = 0
    user: str = "default"
    password: str = field(default="", repr=False)
    folder: str = ""
    verify: bool = True
    ca_cert: str | None = None


def parse_dsn(text: str) -> Dsn:
    """Parses a DSN. Raises `DsnError` with a sentence: the cause, and what to write instead."""
    try:
        parts = urlsplit(text.strip())
    except ValueError as error:
        raise DsnError(f"the ClickHouse address cannot be read ({error}): write {_FORMS}") from None
    if parts.scheme in ("clickhouse", "clickhouses", "tcp", "native"):
        raise DsnError(f"{parts.scheme}:// is ClickHouse's native protocol, tokentrail speaks HTTP: write {_FORMS}")
    if parts.scheme not in _OPTIONS:
        raise DsnError(f"the ClickHouse address has no scheme that tokentrail knows: write {_FORMS}")
    if parts.scheme != "chdb" and "@" in f"{parts.path}{parts.query}{parts.fragment}" and "@" not in parts.netloc:
        raise DsnError(f"the ClickHouse address has an @ behind its host: in a user or password / is written %2F, ? %3F and # %23, as in {_FORMS}")
    try:
        port = parts.port
    except ValueError:
        raise DsnError(f"the ClickHouse address cannot be read (its port is no number from 0 to 65535): write {_FORMS}") from None
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    for name in options:
        if name not in _OPTIONS[parts.scheme]:
            raise DsnError(f"a {parts.scheme}:// address has no option {name!r}: it knows {', '.join(_OPTIONS[parts.scheme])}")
    return _engine(parts, options) if parts.scheme == "chdb" else _server(parts, port, options)


def _engine(parts: SplitResult, options: dict[str, str]) -> Dsn:
    folder = unquote(parts.path)
    if parts.netloc or not folder.strip("/"):
        raise DsnError("the embedded engine's address names an absolute folder: write chdb:///path/to/folder")
    return Dsn(scheme="chdb", shown=f"chdb://{parts.path}", folder=folder, database=options.get("database", DEFAULT_DATABASE))


def _server(parts: SplitResult, port: int | None, options: dict[str, str]) -> Dsn:
    if not parts.hostname:
        raise DsnError(f"the ClickHouse address names no host: write {_FORMS}")
    database = unquote(parts.path.strip("/")) or DEFAULT_DATABASE
    if "/" in database:
        raise DsnError(f"the ClickHouse address ends in /database, not in a path ({parts.path}): write {_FORMS}")
    if options.get("verify", "true") not in ("true", "false"):
        raise DsnError("verify is true or false")
    port = _PORTS[parts.scheme] if port is None else port
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Dsn(
        scheme=parts.scheme,
        shown=f"{parts.scheme}://{host}:{port}/{database}",
        database=database,
        host=parts.hostname,
        port=port,
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        verify=options.get("verify", "true") == "true",
        ca_cert=options.get("ca_cert"),
    )
