"""`tokentrail import`: usages that something else has recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from tokentrail.cli.address import opened as opened_ledger
from tokentrail.cli.archive import import_command
from tokentrail.cli.errors import Misuse
from tokentrail.cli.importing import Importing, import_options
from tokentrail.cli.paths import NamedPath
from tokentrail.cli.suggest import Group
from tokentrail.wording import did_you_mean

__all__ = ["command"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


@click.group(name="import", cls=Group)
def command() -> None:
    """Take over usages that something else has recorded: a table of your own, LiteLLM, Langfuse, OpenLLMetry; or a ledger that was exported.

    Each record has a key that follows from where it comes from, and its own time, and is sent through this machine's journal like any other. So a
    second run changes no total, and an interrupted one is completed by the next. No text of a prompt or an answer is read.

    Exit code 1 if a row is malformed, or if the Collector did not take everything: the rest waits in the journal.

    \b
    Example:  tokentrail import litellm spend_logs.jsonl --dry-run
              tokentrail import postgres --dsn postgresql://app@db/app --table token_usage
    """


command.add_command(import_command)
_file = click.argument("file", type=NamedPath())


@command.command()
@click.option(
    "--dsn",
    envvar="TOKENTRAIL_IMPORT_DSN",
    default="",
    help="PostgreSQL: postgresql://user:password@host:5432/database. Left out: PGHOST, PGUSER, PGPASSWORD … and ~/.pgpass.",
    show_envvar=True,
)
@click.option("--table", required=True, help="The table or view: token_usage, or billing.token_usage.")
@click.option("--mapping", type=NamedPath(), help="A file (TOML) that says which column is which field.")
@click.option("--key", metavar="COLUMN,…", help="The columns that make a row one. [default: the primary key]")
@import_options
def postgres(importing: Importing, *, dsn: str, table: str, mapping: Path | None, key: str | None) -> None:
    """Take the rows of a PostgreSQL table, with enums or texts of the same names.

    Columns are found by their names (prompt_tokens, created_at, org_id, …). A row's key is its own idempotency key, where the table has such a
    column; else its database, table and primary key. What names do not tell, a mapping file says:

    \b
    source = "billing"                   # in the keys, in place of database and table
    [columns]
    input_tokens = "prompt_toks"         # field = column; "" for none
    key = ["tenant", "request_no"]
    metadata = ["team", "request_no"]
    [values.operation]
    RAG = "query"                        # the table's word = the ledger's
    [constants]
    provider = "openai"
    """
    from tokentrail.importing.mapping import MappingFile, mapped, read_mapping  # noqa: PLC0415 - the driver belongs to an extra
    from tokentrail.importing.postgres import opened  # noqa: PLC0415 - same
    from tokentrail.importing.table_rows import rows_of  # noqa: PLC0415 - same

    with importing.sentences():
        file = read_mapping(mapping) if mapping is not None else MappingFile()
        if key:
            file = replace(file, key=[name.strip() for name in key.split(",") if name.strip()])
        with opened(dsn, table) as found:
            columns = mapped(found.shown, found.types, found.primary_key, file)
            source = file.source or f"{found.database}.{found.shown}"
            importing.take(f"{found.shown}", found.name, lambda: rows_of(found, columns, source, importing.selection))


def _tenants(default: str, known: str) -> Callable[[_Decorated], _Decorated]:
    return click.option(
        "--tenant-from", default=default, show_default=True, metavar="FIELD,…", help=f"What the tenant is; the first that is stated counts: {known}."
    )


def _split(given: str) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise Misuse("--tenant-from names no field.")
    return names


@command.command()
@_file
@_tenants("team_id", "team_id, organization_id, end_user, user, api_key, team_alias, key_alias")
@import_options
def litellm(importing: Importing, *, file: Path, tenant_from: str) -> None:
    """Take LiteLLM's spend logs: rows of LiteLLM_SpendLogs in FILE (JSON, JSONL, CSV; .gz too; Parquet).

    The answers of /spend/logs, and what `psql -c '\\copy "LiteLLM_SpendLogs" TO spend_logs.csv CSV HEADER'` writes. Answers from LiteLLM's own cache,
    requests that the proxy refused, and calls for files and tools are no calls of a model, and are not taken.
    """
    from tokentrail.importing import litellm as source  # noqa: PLC0415 - loads the integrations' tables
    from tokentrail.importing.files import rows_of  # noqa: PLC0415 - a package of an extra

    tenants = _split(tenant_from)
    for name in tenants:
        if name not in source.TENANTS:
            raise Misuse(
                f"--tenant-from: {name!r} is no field of a tenant.{did_you_mean(name, source.TENANTS)} There are {', '.join(source.TENANTS)}."
            )
    importing.check(lambda: rows_of(file))
    importing.take(f"LiteLLM, {file.name}", "litellm", lambda: source.records(rows_of(file), importing.selection, tenants))


@command.command()
@_file
@_tenants("user_id", "user_id, session_id, environment, trace_name, project_id, metadata.NAME")
@import_options
def langfuse(importing: Importing, *, file: Path, tenant_from: str) -> None:
    """Take Langfuse's observations in FILE (JSON, JSONL, CSV; .gz too; Parquet): generations and embeddings.

    An export of its interface, its files in blob storage (observations, observations_v2), and pages of /api/public/observations. Langfuse does not
    say who answered: --provider 'claude-*=anthropic' --provider 'gpt-*=openai' does.
    """
    from tokentrail.importing import langfuse as source  # noqa: PLC0415 - loads the integrations' tables
    from tokentrail.importing.files import rows_of  # noqa: PLC0415 - a package of an extra

    tenants = _split(tenant_from)
    importing.check(lambda: rows_of(file))
    importing.take(f"Langfuse, {file.name}", "langfuse", lambda: source.records(rows_of(file), importing.selection, tenants))


@command.command()
@click.argument("file", type=NamedPath(), required=False)
@click.option("--from-clickhouse", metavar="DSN", help="In place of FILE: a ClickHouse with a table of spans.")
@click.option("--table", default="otel_traces", show_default=True, help="With --from-clickhouse: the table of spans.")
@click.option("--tenant-from", default="", metavar="ATTRIBUTE,…", help="What the tenant is. [default: traceloop.association.properties.tenant_id, …]")
@import_options
def openllmetry(importing: Importing, *, file: Path | None, from_clickhouse: str | None, table: str, tenant_from: str) -> None:
    """Take the spans of OpenLLMetry, with attributes gen_ai.* or llm.*: OTLP as JSON in FILE, rows of otel_traces in FILE, or the table itself.

    They count as bridged calls, under the keys of the bridge: what `tokentrail migrate --bridge on` takes of the same spans counts once. A span
    around others that state tokens themselves is not taken.

    \b
    Example:  tokentrail import openllmetry spans.jsonl
              tokentrail import openllmetry --from-clickhouse http://clickhouse:8123/otel --to 2026-11-01
    """
    from tokentrail.importing import openllmetry as source  # noqa: PLC0415 - loads OpenTelemetry

    if (file is None) == (from_clickhouse is None):
        raise Misuse("give FILE or --from-clickhouse, one of them.")
    tenants = _split(tenant_from) if tenant_from else list(source.TENANTS)
    if file is not None:
        from tokentrail.importing.files import rows_of  # noqa: PLC0415 - a package of an extra

        importing.check(lambda: rows_of(file))
        importing.take(f"OpenLLMetry, {file.name}", "openllmetry", lambda: source.records(lambda: rows_of(file), importing.selection, tenants))
        return
    from tokentrail.importing import stored_spans  # noqa: PLC0415 - with ClickHouse alone

    with opened_ledger(from_clickhouse or "") as client:
        importing.take(
            f"OpenLLMetry, {table}",
            "openllmetry",
            lambda: source.records(lambda: stored_spans.rows_of(client, table, importing.selection, tenants), importing.selection, tenants),
        )
