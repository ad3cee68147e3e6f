"""`tokentrail demo`: runs an example service against all parts on this machine."""

from __future__ import annotations

import importlib.util
import os

import click

from tokentrail.cli.errors import Misuse

__all__ = ["command"]

_NEEDED = ("chdb", "lz4", "uvicorn", "openai", "groq", "ollama", "opentelemetry.sdk")
"""The modules that the demo's child processes (server and example) import."""


@click.command(name="demo")
@click.option("--keep", is_flag=True, envvar="KEEP", help="Leave everything running until Ctrl-C, to look around. [env: KEEP=1]")
@click.option("--live", default="", envvar="LIVE", metavar="openai,groq,ollama", help="Call the real provider instead of the replay. [env: LIVE]")
def command(keep: bool, live: str) -> None:
    """Run an example service against everything on this machine, without a key, and show what the ledger holds.

    Starts the embedded ClickHouse, a small real model and a server that replays recorded provider answers; runs examples/quickstart.py; compares
    what the SDKs answered with what ClickHouse holds. Meanwhile the official Collector is built, once, and then the example runs again
    through the Collector; if the Collector was built before, only that run. At a terminal the demo ends with the address of the dashboard, which
    is there until Enter. Exit code 1 if anything differs or is missing.

    \b
    Example:  tokentrail demo
              KEEP=1 tokentrail demo
              OPENAI_API_KEY=… LIVE=openai tokentrail demo
    """
    missing = [module for module in _NEEDED if not _is_there(module)]
    if missing:
        raise Misuse(f'`tokentrail demo` needs {", ".join(missing)}, which is not installed: pip install "tokentrail[demo]".')
    from tokentrail.demo.example import LIVE_PROVIDERS, ExampleFailed  # noqa: PLC0415 - what help and completion do not need
    from tokentrail.demo.screen import DemoScreen  # noqa: PLC0415 - same
    from tokentrail.demo.show import start_and_run  # noqa: PLC0415 - same
    from tokentrail.embedded.errors import CannotStart  # noqa: PLC0415 - same

    wanted = [name.strip() for name in live.split(",") if name.strip()]
    for name in wanted:
        if name not in LIVE_PROVIDERS:
            raise Misuse(f"LIVE={live}: {name!r} is not one of {', '.join(LIVE_PROVIDERS)}.")
        variable = LIVE_PROVIDERS[name]
        if variable and not os.environ.get(variable):
            raise Misuse(f"LIVE={live} calls the real {name}, and {variable} is not set.")
    screen = DemoScreen()
    try:
        ok = start_and_run(screen, live=wanted, keep=keep)
    except CannotStart as error:
        raise Misuse(str(error)) from None
    except ExampleFailed as error:
        raise click.ClickException(str(error)) from None
    if not keep:
        screen.show_next()
    click.get_current_context().exit(0 if ok else 1)


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
