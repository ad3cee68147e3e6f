"""The group of all commands, which imports a command when it is called."""

from __future__ import annotations

import importlib
from typing import Any

import click
from click.shell_completion import CompletionItem

from tokentrail import __version__
from tokentrail.cli.errors import Misuse
from tokentrail.cli.stdout import BROKEN_PIPE, INTERRUPTED, close_quietly, filled
from tokentrail.cli.suggest import Group

__all__ = ["cli"]

_EXTRAS = {
    "chdb": "embedded",
    "clickhouse_cityhash": "embedded",
    "clickhouse_connect": "cli",
    "click": "cli",
    "rich": "cli",
    "h2": "grpc",
    "lz4": "embedded",
    "uvicorn": "embedded",
    "backports": "embedded",
    "anyio": "mcp",
    "mcp": "mcp",
    "mcp_types": "mcp",
    "genai_prices": "prices",
    "pyarrow": "parquet",
    "apprise": "notify",
    "anthropic": "anthropic",
    "mistralai": "mistralai",
    "openai": "openai",
    "groq": "groq",
    "ollama": "ollama",
    "tiktoken": "tokenizers",
    "ijson": "import",
    "psycopg": "import",
}

_COMMANDS = {
    "serve": "Run ClickHouse and an OTLP receiver on this machine, in one process.",
    "migrate": "Bring a ClickHouse's tables to this version.",
    "report": "Tokens by provider, model, tenant, operation, day …",
    "query": "Ask the ledger a question that is written down: losses, latency, repetitions …",
    "top": "Who spends now: a live table of the last minutes.",
    "tail": "Calls, as they arrive.",
    "sql": "Run a query on the ledger.",
    "prices": "What tokens cost: a public price list, and your own.",
    "rollup": "Bring the sums by day up to date, which make long ranges quick.",
    "budgets": "What may be spent, in tokens or money, and what is.",
    "mcp": "Offer the questions to an assistant, over the Model Context Protocol.",
    "check": "Ask whether anything is wrong, and tell: for cron, with each alert once.",
    "verify": "Prove that nothing is missing, or name what is.",
    "reconcile": "Compare with a provider's bill, journals and metrics: what differs, why, and its correction.",
    "journal": "What waits on this machine's disk, and ship it.",
    "import": "Take over what something else has recorded: a table of your own, LiteLLM, Langfuse, OpenLLMetry, an exported ledger.",
    "backup": "Every table of the database as a backup of ClickHouse's, whole or on top of a former one.",
    "restore": "A database from a backup, compared with what the backup states.",
    "retention": "How long usages are kept, by tenant.",
    "erase": "A tenant out of every table, with a proof.",
    "quarantine": "Events that do not fit the ledger: list them, try them again.",
    "grafana": "Dashboards and alert rules for Grafana, whose numbers are those of the questions.",
    "export": "Write the Collector's files, costs for FinOps tools (FOCUS), roles of ClickHouse, the whole ledger.",
    "count": "Count the tokens of a text.",
    "completion": "The script by which bash, zsh or fish completes all this.",
    "doctor": "Check everything from the SDKs to ClickHouse.",
    "lint": "Find what counts tokens past the library, in Python files.",
    "demo": "See it all work on this machine, without a key.",
}

_MODULES = {"import": "imports"}
"""Modules of commands whose name is a word of Python."""


class LazyGroup(Group):
    """Lists commands without importing their modules, so that `--help` is quick, and a command needs only its own packages."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature of click
        """Returns all commands, in the order of their use."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command's module and returns its `command`."""
        if cmd_name not in _COMMANDS:
            return None
        try:
            found: Any = importlib.import_module(f"tokentrail.cli.{_MODULES.get(cmd_name, cmd_name)}").command
        except ImportError as error:
            if ctx.resilient_parsing:
                return None  # a shell completes, and prints no error
            raise missing(error, cmd_name) from None
        return _check_texts(found) if isinstance(found, click.Command) else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completes a command from the list above, or an option."""
        names = [CompletionItem(name, help=text) for name, text in _COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - same
        """Writes the commands from the list above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command. Handles a closed pipe and Ctrl-C by the usual exit codes, and a missing extra by one sentence."""
        try:
            return super().invoke(ctx)
        except ImportError as error:
            raise missing(error, ctx.invoked_subcommand or "this command") from None
        except click.UsageError as error:
            if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # the help of a group, since click 8.2
                raise
            sentence = filled(f"Error: {error.format_message()}").removeprefix("Error: ")
            raise click.UsageError(sentence, error.ctx) from None
        except BrokenPipeError:
            close_quietly()
            ctx.exit(BROKEN_PIPE)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


class _Text(click.types.StringParamType):
    """A text of an argument or option: UTF-8, also in a locale with ASCII arguments."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx).encode("utf-8", "surrogateescape").decode()
        except UnicodeDecodeError as error:
            return self.fail(f"it is no UTF-8 text: byte {error.start + 1} does not fit.", param, ctx)


_TEXT = _Text()


def _check_texts(command: click.Command) -> click.Command:
    """Makes a command check that its texts are UTF-8. Paths have another type, and may be any bytes."""
    for parameter in command.params:
        if parameter.type is click.STRING:
            parameter.type = _TEXT
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        _check_texts(each)
    return command


def missing(error: ImportError, command: str) -> Misuse:
    """Returns the error that names the extra of a missing module. Raises any other import error again, since that error is a bug."""
    module = (error.name or "").partition(".")[0]
    if module not in _EXTRAS:
        raise error
    return Misuse(f'`tokentrail {command}` needs {module}, which is not installed: pip install "tokentrail[{_EXTRAS[module]}]".')


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="tokentrail")
def cli() -> None:
    """Count every token a service spends on language models, once.

    \b
    On a laptop:       tokentrail serve        then, in another terminal:
                       tokentrail report --by tenant_id,model
                       tokentrail sql "SELECT * FROM usage LIMIT 10"
                       tokentrail verify
    """
