"""The error of a misused command: one sentence, exit code 2."""

from __future__ import annotations

import click

__all__ = ["Misuse"]


class Misuse(click.ClickException):
    """One sentence: what is wrong, where, and what to do."""

    exit_code = 2
