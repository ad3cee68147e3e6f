"""`tokentrail quarantine`: lists, shows, replays and fixes records that were not understood."""

from __future__ import annotations

import json
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any, Final

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.output import echo_rows, format_option, print_table
from tokentrail.cli.stdout import as_json_text, say
from tokentrail.cli.suggest import Group
from tokentrail.cli.working import working
from tokentrail.ledger import quarantine
from tokentrail.ledger.quarantine_rules import ATTRIBUTES, FIELDS, Rule
from tokentrail.wording import counted

__all__ = ["command"]

_reason_option = click.option("--reason", default="", help="Only records whose reason starts like this.")


@click.group(name="quarantine", cls=Group)
def command() -> None:
    """Records that the ledger did not understand, kept whole, with the reason.

    \b
    Example:
        tokentrail quarantine list
        tokentrail quarantine show 3fa9
        tokentrail quarantine replay --reason "unknown schema"
        tokentrail quarantine fix --reason "bad time" --time arrival
    """


@command.command(name="list")
@dsn_option
@_reason_option
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most this many, the latest first.")
@format_option
def list_command(*, dsn: str, reason: str, limit: int, output_format: str) -> None:
    """List the records in quarantine, with all their attributes.

    \b
    Example:
        tokentrail quarantine list --reason "bad count" --json
    """
    with opened(dsn) as client:
        records = quarantine.listed(client, reason=reason, limit=limit)
        reasons = quarantine.reasons(client) if output_format == "table" else []
    columns = ["id", "reason", "event", "writer_id", "seq", "arrived_at", "ts", "service_name", "attributes"]
    if output_format != "table":
        echo_rows(columns, [[record[name] for name in columns] for record in records], output_format)
        return
    if not reasons:
        say("quarantine is empty")
        return
    summary = ["reason", "records", "first", "last"]
    print_table(summary, [[row[name] for name in summary] for row in reasons], counts=["records"])
    print_table(columns[:-1], [[record[name] for name in columns[:-1]] for record in records])
    say("--json shows all that they say")


@command.command(name="replay")
@dsn_option
@_reason_option
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
def replay_command(*, dsn: str, reason: str, as_json: bool) -> None:
    """Try the records again, after a migration that understands more. Safe to repeat: each counts once, by its key.

    \b
    Example:
        tokentrail migrate && tokentrail quarantine replay
    """
    with opened(dsn) as client, working("replaying records"):
        replayed = quarantine.replay(client, reason=reason)
    if as_json:
        say(as_json_text(asdict(replayed) | {"understood": replayed.understood}))
    else:
        say(f"{counted(replayed.records, 'record')} replayed: {replayed.understood} understood, {replayed.remaining} still in quarantine")


@command.command(name="show")
@dsn_option
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def show_command(*, dsn: str, ids: tuple[str, ...]) -> None:
    """Show records with all that arrived, as JSON, one a line. ID is what `list` shows, or how it begins.

    \b
    Example:
        tokentrail quarantine show 3fa9
    """
    found: dict[str, dict[str, Any]] = {}
    with opened(dsn) as client:
        for rows in quarantine.whole(client, ids=[_id(text) for text in ids]):
            found |= {row["id"]: row for row in rows}
    for text in ids:
        if not any(record_id.startswith(text.lower()) for record_id in found):
            raise Misuse(f"no record in quarantine has an id that begins with {text!r}: tokentrail quarantine list shows the ids")
    for record in found.values():
        say(as_json_text(record, ascii_only=False))


@command.command(name="fix")
@dsn_option
@_reason_option
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only the record with this id, or with ids that begin like this; can be repeated.")
@click.option("--time", type=click.Choice(["arrival"]), help="Give records whose own time cannot be believed the time at which they arrived.")
@click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="Set a field; VALUE is JSON, or else a text. Can be repeated.")
@click.option("--drop", "drops", multiple=True, metavar="FIELD", help="Leave a field out: a count is not stated then. Can be repeated.")
@click.option("--dry-run", is_flag=True, help="Say how many records the rule would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
def fix_command(
    *,
    dsn: str,
    reason: str,
    ids: tuple[str, ...],
    time: str | None,
    sets: tuple[str, ...],
    drops: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Change records by a rule, and put the changed records into the ledger.

    Safe to repeat, and to interrupt: the same record becomes the same, and counts once, also when further copies of it arrive. The record as it
    arrived stays in quarantine, marked. With --time arrival all records of a call get the same time, the first one that was given. What is not
    understood after the change either is in quarantine with its new reason. Exit code 1 if there are such records, or records that no rule can
    change.

    \b
    Example:
        tokentrail quarantine fix --reason "bad time" --time arrival --dry-run
        tokentrail quarantine fix --reason "bad count: input_tokens" --drop input_tokens
        tokentrail quarantine fix --id 3fa9 --set tenant_id=acme --set input_tokens=120
    """
    rule = Rule(tuple(map(_field, drops)), dict(map(_assignment, sets)), arrival=time == "arrival")
    if not (rule.drop or rule.set or rule.arrival):
        raise Misuse("give a rule: --time arrival, --set FIELD=VALUE or --drop FIELD")
    done = [0]
    with opened(dsn) as client, working("fixing records", lambda: counted(done[0], "record")):
        fixed = quarantine.fix(
            client, rule, reason=reason, ids=[_id(text) for text in ids], dry_run=dry_run, tick=lambda records: done.__setitem__(0, records)
        )
    if as_json:
        say(as_json_text(asdict(fixed) | {"understood": 0 if dry_run else fixed.changed - fixed.remaining, "dry_run": dry_run}))
    else:
        _say(fixed, dry_run=dry_run)
    if fixed.remaining or fixed.unfixable:
        raise click.exceptions.Exit(1)


def _say(fixed: quarantine.Fixed, *, dry_run: bool) -> None:
    say(f"{counted(fixed.records, 'record')} chosen, {fixed.changed} changed by the rule" + (" if it were no dry run" if dry_run else ""))
    for why, records in fixed.unfixable.items():
        say(f"✗ {counted(records, 'record')} cannot be changed: {why}")
    if not dry_run:
        say(f"{fixed.changed - fixed.remaining} understood, {fixed.remaining} still in quarantine")
    for why, records in fixed.still.items():
        say(f"✗ {counted(records, 'record')}: {why}")


_KNOWN: Final = FIELDS | ATTRIBUTES


def _field(name: str) -> str:
    if name not in _KNOWN:
        near = get_close_matches(name, sorted(_KNOWN), 1)
        raise Misuse(f"a record has no field {name!r}" + (f": did you mean {near[0]}?" if near else ", see docs/data-dictionary.md"))
    return name


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Misuse(f"--set {text!r} has no value: write FIELD=VALUE")
    try:
        return _field(name), json.loads(value)
    except ValueError:
        return _field(name), value


def _id(text: str) -> str:
    if not text or set(text.lower()) - set("0123456789abcdef"):
        raise Misuse(f"{text!r} is not how an id begins: hexadecimal digits, as tokentrail quarantine list shows them")
    return text.lower()
