"""`tokentrail verify`: proves that nothing is missing, or lists the findings."""

from __future__ import annotations

import sys
from collections import Counter

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.output import print_table
from tokentrail.cli.stdout import as_json_text, say
from tokentrail.cli.tables import shown
from tokentrail.cli.working import working
from tokentrail.ledger.verify import Verification, Writer, verify
from tokentrail.wording import counted, of_number

__all__ = ["command"]


@click.command(name="verify")
@dsn_option
@click.option("--all", "all_writers", is_flag=True, help="List every writer, those that are closed and complete too.")
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
def command(*, dsn: str, all_writers: bool, as_json: bool) -> None:
    """Check that all records of every process have arrived and are still there.

    Writers (one per process) are listed while they are open, and if they have findings. Closed and complete writers are one line per service, with
    their number; --all lists them one by one. --json follows the same rule.

    Every writer numbers its records from 1 and states the highest number at its end. Exit code 1 if numbers are missing, refused or damaged, if
    rows are gone or count something else than what arrived, if records state different numbers for one key, or if records are in quarantine. Numbers
    that are still on their way are named too, until they arrive: `tokentrail journal status` shows what waits on a machine's disk.

    \b
    Example:
        tokentrail verify --json
    """
    with opened(dsn) as client, working("comparing what every process has numbered with what is there"):
        verification = verify(client, all_writers=all_writers)
    if as_json:
        say(as_json_text(verification.as_dict(), indent=2, ascii_only=False))
    else:
        _show(verification, listed=all_writers)
    sys.exit(0 if verification.ok else 1)


def _show(verification: Verification, *, listed: bool) -> None:
    if verification.writers:
        print_table(
            ["writer", "service", "state", "records", "last number", "last heard", "remarks"],
            [[w.writer_id, w.service_name, w.state, w.events, w.last_seq, w.last_heard, _remarks(w)] for w in verification.writers],
            title="writers",
            counts=["records"],
        )
    if verification.completed:
        columns = ["service_name", "writers", "events", "closed_by_others", "first_heard", "last_heard"]
        print_table(
            ["service", "writers", "records", "closed by others", "first heard", "last heard"],
            [[getattr(service, name) for name in columns] for service in verification.completed],
            title="closed and complete" if listed else "closed and complete (--all lists each)",
            counts=["writers", "records", "closed by others"],
        )
    if verification.balance:
        columns = ["service_name", "announced", "stored", "quarantined", "refused", "damaged", "absent", "lost", "altered", "removed", "added"]
        print_table(
            ["service", *columns[1:]],
            [[service[name] for name in columns] for service in verification.balance],
            title="announced = stored + quarantined + refused + damaged + absent + lost + altered + removed",
            counts=columns[1:],
        )
    if verification.conflicts:
        columns = ["key", "source", "counts", "calls", "input_tokens", "output_tokens", "tenants", "key_ts", "first_ts", "writer_id"]
        conflicts = [[conflict[name] for name in columns] for conflict in verification.conflicts]
        counts = ["calls", "input_tokens", "output_tokens"]
        print_table(columns, conflicts, title="conflicts: all that was said for a key", counts=counts)
    if verification.quarantine:
        columns = ["reason", "records", "first", "last"]
        rows = [[row[name] for name in columns] for row in verification.quarantine]
        print_table(columns, rows, title="quarantine (tokentrail quarantine list)", counts=["records"])
    states = Counter(writer.state for writer in verification.writers if not writer.settled)
    states["complete"] += sum(service.writers for service in verification.completed)
    say(
        f"{counted(states.total(), 'writer')}: {states['complete']} complete, {states['open']} open, {states['missing']} with missing numbers, "
        f"{states['lost']} with lost rows, {states['altered']} with altered rows"
    )
    for finding in verification.findings:
        say(f"✗ {shown(finding)}")
    for service in verification.not_taken:
        said = f"{counted(service['records'], 'record')} of {service['service_name'] or '(none)'}"
        say(f"· {shown(said)} arrived after being erased or expired, and {of_number(service['records'], 'was', 'were')} not taken")
    if verification.ok:
        say("✓ nothing is missing")


def _remarks(writer: Writer) -> str:
    problems = {
        "missing": writer.missing,
        "lost calls": writer.lost_calls,
        "gone from quarantine": writer.lost_quarantine,
        "altered": writer.altered,
        "added": writer.added,
        "refused": writer.refused,
        "damaged": writer.damaged,
        "heard after closing": writer.after_closing,
    }
    remarks = [f"{what} {numbers}" for what, numbers in problems.items() if numbers]
    if writer.closed_by:
        remarks.append(f"closed by {', '.join(writer.closed_by)}")
    return "; ".join(remarks)
