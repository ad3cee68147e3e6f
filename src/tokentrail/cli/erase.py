"""`tokentrail erase`: a tenant out of every table, with a proof."""

from __future__ import annotations

import sys
from typing import Any

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.output import print_table
from tokentrail.cli.stdout import as_json_text, say
from tokentrail.cli.tables import shown
from tokentrail.cli.working import working
from tokentrail.ledger.erasure import Share, erase, erase_again, erasures, share
from tokentrail.ledger.proof import Proof
from tokentrail.wording import counted, of_number

__all__ = ["command"]


@click.command(name="erase")
@click.option("--tenant", help="The tenant, as the column tenant_id has it.")
@click.option("--why", default="", help="Why, kept with the erasure: the number of the request. Do not name the tenant.")
@click.option("--dry-run", is_flag=True, help="Only count what would be erased.")
@click.option("--yes", is_flag=True, help="Erase. There is no way back but a backup.")
@click.option("--again", is_flag=True, help="Remove what has arrived again of tenants that were erased; names no tenant.")
@click.option("--list", "listed", is_flag=True, help="List the erasures.")
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
@dsn_option
def command(*, tenant: str | None, why: str, dry_run: bool, yes: bool, again: bool, listed: bool, as_json: bool, dsn: str) -> None:
    """Erase a tenant from every table, and prove that nothing of the tenant is left.

    The ledger, arrivals, quarantine, sums by day, claimed keys, jobs, budgets, alerts, logs, spans and metrics. The identities of the calls (a
    process's id and numbers) stay, so `verify` is as right as before. What arrives again of the tenant from before the erasure is not taken; what
    the tenant spends from now on counts.

    Afterwards every column that can hold text is searched. Where the tenant's text stands by itself and states no tenant (in metadata, in a
    message), it is listed and left. Exit code 1 if a row still states the tenant.

    Not erased: backups, exported files, journals and queues on their way, and a server's own logs of queries.

    \b
    Example:  tokentrail erase --tenant acme --dry-run
              tokentrail erase --tenant acme --why "request 17" --yes
    """
    if sum((tenant is not None, again, listed)) != 1:
        raise Misuse("give one of --tenant, --again and --list.")
    if tenant is None:
        if listed:
            _list(dsn, as_json=as_json)
        else:
            _again(dsn, as_json=as_json)
        return
    if not tenant:
        raise Misuse("the tenant is empty: usages of nobody are not erased, `tokentrail retention` removes what is old.")
    if not (dry_run or yes):
        raise Misuse("nothing was erased: --dry-run counts what would be, --yes erases.")
    if not dry_run and not why.strip():
        raise Misuse("nothing was erased: --why says why, for those who ask later.")
    with opened(dsn) as client:
        if dry_run:
            with working("counting"):
                had = share(client, tenant)
            say(as_json_text(_share_dict(had), indent=2)) if as_json else _show_share(had, "would be erased")
            return
        begun: list[str] = []
        with working("erasing", lambda: begun[-1] if begun else ""):
            erased = erase(client, tenant, why, began=begun.append)
    if as_json:
        proof = {
            "gone": erased.proof.gone,
            "tables": erased.proof.tables,
            "columns": erased.proof.columns,
            "standing": erased.proof.standing,
            "mentions": erased.proof.mentions,
        }
        say(as_json_text({"erased": _share_dict(erased.share), "proof": proof}, indent=2))
    else:
        _show_share(erased.share, "erased")
        _show_proof(erased.proof)
    sys.exit(0 if erased.proof.gone else 1)


def _share_dict(had: Share) -> dict[str, Any]:
    return {"until": had.until, "usages": dict(had.usages), "rows": dict(had.rows)}


def _show_share(had: Share, what: str) -> None:
    if had.rows:
        print_table(["table", "rows"], [[name, rows] for name, rows in had.rows.items()], title=what, counts=["rows"])
    usages = had.usages
    span = f", from {usages['first'][:10]} to {usages['last'][:10]}" if usages["usages"] else ""
    say(f"{what}: {counted(usages['usages'], 'usage')}, {counted(int(usages['tokens']), 'token')}{span}")


def _show_proof(proof: Proof) -> None:
    if proof.mentions:
        rows = [[table, column, number] for table, columns in proof.mentions.items() for column, number in columns.items()]
        print_table(["table", "column", "rows"], rows, title="the same text, where it states no tenant: left", counts=["rows"])
    looked = f"searched {counted(proof.columns, 'column')} of {counted(proof.tables, 'table')}"
    if proof.gone:
        say(f"✓ {looked}: no row states the tenant")
        return
    for table, number in proof.standing.items():
        say(f"✗ {shown(table)}: {counted(number, 'row')} {of_number(number, 'states', 'state')} the tenant")
    say(f"{looked}: run the command again")


def _list(dsn: str, *, as_json: bool) -> None:
    with opened(dsn) as client:
        found = erasures(client)
    if as_json:
        say(as_json_text(found, indent=2))
    elif found:
        print_table(["at", "until", "why", "tenant"], [[each["at"], each["until"], each["why"], each["tenant"]] for each in found])
    else:
        say("nothing was erased")


def _again(dsn: str, *, as_json: bool) -> None:
    with opened(dsn) as client, working("erasing what has arrived again"):
        rows = erase_again(client)
    if as_json:
        say(as_json_text({"rows": rows}))
    else:
        say(f"{counted(rows, 'row')} of erased tenants had arrived again, and {of_number(rows, 'is', 'are')} erased")
