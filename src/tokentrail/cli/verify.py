"""`tokentrail verify`: the proof that nothing is missing, or the list of what is."""

from __future__ import annotations

import json
import sys

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.output import print_table
from tokentrail.clickhouse.verify import Verification, Writer, verify

__all__ = ["command"]


@click.command(name="verify")
@dsn_option
@click.option("--all", "all_writers", is_flag=True, help="List every writer, not only open ones and those with something to say.")
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
def command(*, dsn: str, all_writers: bool, as_json: bool) -> None:
    """Check that all that every process wrote has arrived and is still there.

    Every writer numbers its records from 1 and says at its end how many there were. Exit code 1 if numbers are missing, refused or damaged, if
    rows are gone, if different numbers were said for one key, or if anything lies in quarantine. Numbers that are still on their way are named
    too, until they arrive.

    \b
    Example:
        tokentrail verify --json
    """
    with opened(dsn) as client:
        verification = verify(client)
    if as_json:
        click.echo(json.dumps(verification.as_dict(), indent=2, ensure_ascii=False))
    else:
        _show(verification, all_writers=all_writers)
    sys.exit(0 if verification.ok else 1)


def _show(verification: Verification, *, all_writers: bool) -> None:
    writers = verification.writers
    listed = [writer for writer in writers if all_writers or writer.state != "complete" or _remarks(writer)]
    if listed:
        print_table(
            ["writer", "service", "state", "records", "last number", "last heard", "remarks"],
            [[w.writer_id, w.service_name, w.state, w.events, w.last_seq, w.last_heard, _remarks(w)] for w in listed],
            title="writers",
        )
    if verification.conflicts:
        columns = ["key", "source", "counts", "calls", "input_tokens", "output_tokens", "tenants", "key_ts", "first_ts", "writer_id"]
        print_table(columns, [[said[name] for name in columns] for said in verification.conflicts], title="conflicts: all that was said for a key")
    if verification.quarantine:
        columns = ["reason", "records", "first", "last"]
        print_table(columns, [[row[name] for name in columns] for row in verification.quarantine], title="quarantine (tokentrail quarantine list)")
    states = [writer.state for writer in writers]
    click.echo(
        f"{len(writers)} writers: {states.count('complete')} complete, {states.count('open')} open, {states.count('missing')} with missing numbers, "
        f"{states.count('lost')} with lost rows"
    )
    for finding in verification.findings:
        click.echo(f"✗ {finding}")
    if verification.ok:
        click.echo("✓ nothing is missing")


def _remarks(writer: Writer) -> str:
    told = {
        "missing": writer.missing,
        "lost calls": writer.lost_calls,
        "gone from quarantine": writer.lost_quarantine,
        "refused": writer.refused,
        "damaged": writer.damaged,
        "heard after closing": writer.after_closing,
    }
    remarks = [f"{what} {numbers}" for what, numbers in told.items() if numbers]
    if writer.closed_by:
        remarks.append(f"closed by {', '.join(writer.closed_by)}")
    return "; ".join(remarks)
