"""Writes docs/command-line.md from the commands themselves: `python scripts/command_line_page.py` (a test fails when the page is stale)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tokentrail.cli.group import cli

PAGE = Path(__file__).parent.parent / "docs" / "command-line.md"
INTRODUCTION = """# The command line

```sh
pip install "tokentrail[cli]"                       # or "tokentrail[embedded]", with ClickHouse on this machine
eval "$(tokentrail completion bash)"                # TAB completes commands, options, questions, dimensions; zsh and fish too
tokentrail report --by tenant_id,model --from 7d --share --change
tokentrail top                                      # who spends now
tokentrail tail --tenant acme                       # calls, as they arrive
```

This page is generated from the commands by `make docs`; a test fails when the page is stale. `tokentrail COMMAND --help` says the same.

**Times** (`--from`, `--to`, parameters of questions): `2026-11-01`, `2026-11-01T12:30:00Z`, `2026-11`, `2026`, `today`, `yesterday`, `week` (from
Monday), `month`, `year`, `now`, or `30m`, `24h`, `7d`, `2w` for so long ago. Days begin in `--timezone`, else in UTC. The end of a range is
excluded, so that neighbouring ranges count nothing twice.

**Tables** are as wide as the terminal. No word is cut: headings are folded first, then texts between words; what does not fit stands as one block a
row. `report` and `query` leave out columns that are empty or 0 in every row; `query` and `sql` name them. Numbers stand right, decimal points below
each other; a dash is a number that nobody stated. Control characters, marks of direction and invisible characters are shown (`\\x1b`, `\\u202e`),
not obeyed. Tables show 1,000 rows unless `--limit` says otherwise, and state that there are more; a report sums the rest in one line.

**Formats** (`--format`): `table`, `vertical` (one block a row), `json` (a list of objects), `csv`, `markdown`; `report` and `query` write `parquet`
too, and `sql` every format of ClickHouse, by `--format` or a FORMAT clause. In `csv` a text that a spreadsheet would take for a formula begins with
an apostrophe (`FORMAT CSV` leaves texts as they are); in `markdown` no name has a meaning.

**Errors** are one sentence on standard error, with the closest word where one was mistyped.

| exit code | means |
|---|---|
| 0 | done |
| 1 | done, and something was found: `verify`, `doctor`, `migrate --check`, `journal status`, … |
| 2 | misuse: nothing was done |
| 130 | Ctrl-C: what was done stays done, and the command can be run again |
| 141 | the reader of a pipe has gone (`\\| head`) |

**Long work** shows on standard error that it goes on: at a terminal one line, which disappears; elsewhere a line after 10, 20, 40 … seconds.
"""
FILTERS = """
## Filters

The commands that name them below take them all. Each may be given several times: a usage has any of the values of one filter, and fits every filter.
A value that no usage has is named, with the closest one, when nothing is found. Questions take the same: `-p tenants=acme`, `-p where=endpoint=chat`.

"""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Each command with its whole name, in the order of the help."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command
        for part, each in command.commands.items() if isinstance(command, click.Group) else ():
            yield f"{name} {part}", each


def is_filter(param: click.Parameter) -> bool:
    """Whether a parameter is a filter, which stands in the section of filters."""
    return not param.expose_value and param.multiple


def paragraphs(text: str) -> Iterator[str]:
    """A help text as Markdown: paragraphs whose lines click keeps are code."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield f"```\n{inspect.cleandoc(paragraph.removeprefix(chr(8)).strip(chr(10)))}\n```"
        else:
            yield paragraph.replace("<", "&lt;")


def row(param: click.Parameter) -> str:
    """An option's or argument's row."""
    names = ", ".join(f"`{name.strip()}`" for name in (*param.opts, *param.secondary_opts) if name.strip())
    metavar = "" if isinstance(param, click.Option) and (param.is_flag or param.count) else metavar_of(param)
    option = param if isinstance(param, click.Option) else None
    default = (
        f" Default: `{param.default}`." if option and option.show_default and isinstance(param.default, (str, int, float)) and param.default else ""
    )
    if option and isinstance(param.default, bool):
        default = f" Default: {'yes' if param.default else 'no'}." if option.show_default else ""
    variable = f" Variable: `{param.envvar}`." if option and isinstance(param.envvar, str) else ""
    text = f"{option.help or '' if option else ''}{default}{variable}"
    return f"| {names}{f' {metavar}' if metavar else ''} | {' '.join(text.split())} |\n".replace("<", "&lt;")


def metavar_of(param: click.Parameter) -> str:
    """What a value is."""
    if isinstance(param.type, click.Choice):
        return ", ".join(f"`{each}`" for each in param.type.choices)
    return (param.metavar or getattr(param.type, "name", "")).upper().replace("|", "\\|") if isinstance(param, click.Option) else ""


def table(params: list[Any]) -> str:
    """The table of some parameters."""
    return "| option | |\n|---|---|\n" + "".join(map(row, params))


def page() -> str:
    """The whole page."""
    sections = [INTRODUCTION]
    filters: dict[str, click.Parameter] = {}
    listed = []
    for name, command in commands():
        filters |= {param.opts[0]: param for param in command.params if is_filter(param)}
        arguments = "".join(f" {argument(param)}" for param in command.params if isinstance(param, click.Argument))
        depth = "###" if " " in name else "##"
        options = [param for param in command.params if isinstance(param, click.Option) and not is_filter(param) and not param.hidden]
        text = "\n\n".join(paragraphs(command.help or ""))
        taken = "\nIt takes the [filters](#filters).\n" if any(map(is_filter, command.params)) else ""
        listed.append(f"\n{depth} tokentrail {name}{arguments}\n\n{text}\n{taken}" + (f"\n{table(options)}" if options else ""))
    return "".join([*sections, FILTERS, table(list(filters.values())), *listed])


def argument(param: click.Argument) -> str:
    """An argument as it is written in a usage line."""
    name = param.metavar or (param.name or "").upper()
    return name if param.required or name.startswith("[") else f"[{name}]"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name}: {len(list(commands()))} commands")
