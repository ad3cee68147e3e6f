"""`tokentrail lint`: finds what counts tokens past the library."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tokentrail.cli.errors import Misuse
from tokentrail.cli.json_flag import json_flag, json_if_asked
from tokentrail.cli.paths import NamedPath
from tokentrail.cli.stdout import note, write_text
from tokentrail.cli.suggest import Choice
from tokentrail.linting.files import Chosen, Looked, look
from tokentrail.linting.rules import RULES, Finding
from tokentrail.toml_files import FileError
from tokentrail.wording import counted

__all__ = ["command"]


@click.command(name="lint")
@click.argument("paths", nargs=-1, type=NamedPath())
@click.option("--counts-nothing", multiple=True, type=NamedPath(), help="A file or folder that counts nothing itself. Several times.")
@click.option("--select", multiple=True, type=Choice(list(RULES)), metavar="RULE", help="Only this rule. Several times.")
@click.option("--ignore", multiple=True, type=Choice(list(RULES)), metavar="RULE", help="Not this rule. Several times.")
@click.option("--config", type=NamedPath(), help="The pyproject.toml. [default: the nearest one above each PATH]")
@click.option("--rules", "list_rules", is_flag=True, help="List the rules.")
@json_flag
@click.option("--format", "output_format", type=Choice(["text", "json", "github"]), default="text", show_default=True, callback=json_if_asked)
def command(
    *,
    paths: tuple[Path, ...],
    counts_nothing: tuple[Path, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    config: Path | None,
    list_rules: bool,
    output_format: str,
) -> None:
    """Find what counts tokens past the library, in Python files below PATHS. No code is run.

    That is: texts in place of the vocabulary's constants, usages of answers that are read by hand, estimates from lengths, and counting in code that
    counts nothing itself, such as an agent.

    Such code is named in pyproject.toml, by --counts-nothing, or names itself in a comment: # tokentrail: counts-nothing

    \b
    [tool.tokentrail.lint]
    counts-nothing = ["services/agent"]
    exclude = ["tests"]
    ignore = ["TT302"]

    A line is passed over with # tokentrail: ignore, or # tokentrail: ignore[TT201].

    Exit code 1 if something is found, 2 if a path or a setting is wrong, or a file is no Python (the others are looked at).

    \b
    Example:  tokentrail lint services
              tokentrail lint --format github .
    """
    if list_rules:
        write_text("".join(f"{number}  {meaning}\n" for number, meaning in RULES.items()))
        return
    if not paths:
        raise Misuse("give the files and folders to look at: tokentrail lint src")
    for each in counts_nothing:
        if not each.exists():
            raise Misuse(f"--counts-nothing: there is no {each}.")
    rules = (frozenset(select) or frozenset(RULES)) - frozenset(ignore)
    try:
        looked = look(paths, Chosen(counts_nothing=[each.resolve() for each in counts_nothing], rules=rules), config=config)
    except FileError as error:
        raise Misuse(f"{error}.") from None
    _print(looked, output_format)
    click.get_current_context().exit(2 if looked.unread else 1 if looked.findings else 0)


def _print(looked: Looked, output_format: str) -> None:
    if output_format == "json":
        write_text(
            json.dumps([{name: value for name, value in asdict(each).items() if name != "last_line"} for each in looked.findings], indent=2) + "\n"
        )
    else:
        shown = _as_github if output_format == "github" else _as_text
        write_text("".join(f"{shown(each)}\n" for each in looked.findings))
    for sentence in looked.unread:
        note(sentence)
    if output_format == "text":
        note(f"{counted(len(looked.findings), 'finding')} in {counted(looked.files, 'file')}")


def _as_text(found: Finding) -> str:
    return f"{found.path}:{found.line}:{found.column}: {found.rule} {found.sentence}"


def _as_github(found: Finding) -> str:
    """Returns a command of GitHub Actions, which marks the line of a pull request."""
    place = f"file={_escaped(found.path, ':,')},line={found.line},col={found.column},title={found.rule}"
    return f"::error {place}::{_escaped(found.sentence)}"


def _escaped(text: str, more: str = "") -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for sign in more:
        escaped = escaped.replace(sign, f"%{ord(sign):02X}")
    return escaped
