"""Options that choose usages, the same for every command that counts: times, their zone, and a filter for each dimension."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from functools import wraps
from typing import Any, Final, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from tokentrail.cli.stdout import note
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.dimensions import COLUMNS, DIMENSIONS, METADATA, UnknownDimensionError, column, parse_where
from tokentrail.ledger.query import answer, read
from tokentrail.ledger.times import end_of, parse_time, parse_zone
from tokentrail.wording import did_you_mean

__all__ = ["Dimensions", "FilteredCommand", "chosen", "filter_options", "hints", "note_period", "range_options", "time_options"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

_LISTS: Final = {"tenants": "tenant_id", "operations": "operation_name", "providers": "provider", "models": "model"} | {
    "services": "service_name",
    "environments": "environment",
}
"""Parameters of the query `filters`, and their columns."""
_FIRST: Final = {name.removesuffix("s"): name for name in _LISTS}
_REST: Final = tuple(name for name in COLUMNS if name not in (*_LISTS.values(), "operation"))
_TEXTS: Final = {
    "source": "Only counts from this source: reported, estimated, unknown.",
    "ended": "Only calls that ended so: complete, partial, error.",
    "stream": "Only streams (true), or the others (false).",
    "origin": "Only calls that this one told of: recorded, bridged.",
}
_CHOSEN: Final = "tokentrail.filters"
_PERIOD: Final = "tokentrail.period"


class Dimensions(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3
    """Names of dimensions, separated by commas, or a single one."""

    name = "dimensions"

    def __init__(self, *, single: bool = False) -> None:
        self.single = single

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """Returns the whole names. Raises `BadParameter` for a word that is no dimension, with the closest one."""
        if isinstance(value, list):
            return value
        names = [value.strip()] if self.single else [name.strip() for name in value.split(",") if name.strip()]
        try:
            return list(dict.fromkeys(map(column, names)))
        except UnknownDimensionError as error:
            return self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """Completes the name after the last comma."""
        before, comma, begun = incomplete.rpartition("," if not self.single else "\0")
        given = before.split(",") if comma else []
        return [CompletionItem(f"{before}{comma}{name}") for name in (*DIMENSIONS, METADATA) if name.startswith(begun) and name not in given]


class _Where(click.ParamType):  # type: ignore[type-arg]  # same
    """A filter NAME=VALUE."""

    name = "where"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the filter with the dimension's whole name."""
        try:
            return parse_where(value)
        except ValueError as error:
            return self.fail(f"{str(error).rstrip('.')}.", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """Completes the name."""
        return [CompletionItem(name) for name in (*(f"{name}=" for name in COLUMNS), METADATA) if name.startswith(incomplete)]


class FilteredCommand(click.Command):
    """A command whose help shows the filters apart from the other options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options, then the filters."""
        records = [(param, param.get_help_record(ctx)) for param in self.get_params(ctx)]
        for title, wanted in (("Options", False), ("Filters (each may be repeated: any of the values)", True)):
            with formatter.section(title):
                formatter.write_dl([record for param, record in records if record and (not param.expose_value and param.multiple) == wanted])


def filter_options(function: _Decorated) -> _Decorated:
    """Adds a filter for each dimension, and `--where`; `chosen` returns what was given."""
    options: list[tuple[str, Any, Any, str]] = [(f"--{name}", _keep(every), click.STRING, f"Only this {name}.") for name, every in _FIRST.items()]
    options += [
        (f"--{name.replace('_', '-')}", _keep("where", f"{name}="), click.STRING, _TEXTS.get(name, f"Only this {name.replace('_', ' ')}."))
        for name in _REST
    ]
    options += [("--where", _keep("where"), _Where(), "Only usages with this value of a dimension, such as metadata.team=search.")]
    for name, callback, kind, text in reversed(options):
        metavar = "NAME=VALUE" if name == "--where" else "VALUE"
        function = click.option(name, multiple=True, expose_value=False, callback=callback, type=kind, metavar=metavar, help=text)(function)
    return function


def _keep(parameter: str, before: str = "") -> Callable[[click.Context, click.Parameter, Sequence[str]], None]:
    def callback(ctx: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> None:
        if values:
            ctx.meta.setdefault(_CHOSEN, {}).setdefault(parameter, []).extend(f"{before}{value}" for value in values)

    return callback


def chosen() -> dict[str, Parameter]:
    """Returns the filters that were given to the running command, as parameters of the query `filters`."""
    return {name: list(values) for name, values in click.get_current_context().meta.get(_CHOSEN, {}).items()}


def _zone(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        parse_zone(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None
    return value


def _time(context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else parse_time(value, parse_zone(context.params.get("timezone", "UTC")), now=_now(context))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _now(context: click.Context) -> datetime:
    """Returns the present moment, the same for all times of one command."""
    now: datetime = context.meta.setdefault("tokentrail.now", datetime.now(timezone.utc))
    return now


def _start(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    moment = _time(context, parameter, value)
    context.meta[_PERIOD] = value, end_of(value or "", parse_zone(context.params.get("timezone", "UTC")))
    return moment


def range_options(function: _Decorated) -> _Decorated:
    """Adds `--from` and `--to`: `start` and `end` are UTC times in ClickHouse's notation, or `None`. `--from` a month alone is this month."""

    @wraps(function)
    def ranged(*args: Any, end: str | None, **others: Any) -> Any:
        text, period_ends = click.get_current_context().meta[_PERIOD]
        if end is None and period_ends is not None:
            note_period(text, period_ends)
            end = period_ends
        return function(*args, end=end, **others)

    moments = "2026-11-01, today, yesterday, week, month, 7d, 24h, …; 2026-11 alone is the whole month"
    start = click.option("--from", "start", callback=_start, metavar="TIME", help=f"From this time on: {moments}.")
    end = click.option("--to", "end", callback=_time, metavar="TIME", help="Up to this time, itself excluded.  [default: now and later]")
    return cast("_Decorated", start(end(ranged)))


def note_period(text: str, end: str) -> None:
    """Says where a month or a year ends that is over, for those who meant all that has been since."""
    if datetime.fromisoformat(f"{end}+00:00") <= datetime.now(timezone.utc):
        note(f"from {text} is the whole of {text} and no more; with to=now all since")


def time_options(function: _Decorated) -> _Decorated:
    """Adds `--from`, `--to` and `--timezone`, the zone of their days."""
    zone = click.option(
        "--timezone", default="UTC", show_default=True, is_eager=True, callback=_zone, metavar="ZONE", help="Whose days and hours: Europe/Madrid, …"
    )
    return range_options(zone(function))


def hints(client: Client, filters: Mapping[str, Parameter]) -> list[str]:
    """Returns a sentence for each filter's value that no usage has, with the closest value that some usage has."""
    wanted = [(_LISTS[name], value) for name, values in filters.items() if name in _LISTS and isinstance(values, list) for value in values]
    where = filters.get("where")
    wanted += [(name, value) for name, _, value in (each.partition("=") for each in (where if isinstance(where, list) else []))]
    choices = next(each.choices for each in read("tokens").parameters if each.name == "by")
    sentences = []
    for name in dict.fromkeys(name for name, _ in wanted):
        asked = "operation" if name == "operation_name" else name
        if asked not in choices:
            continue
        known = [row["name"] for row in answer(client, "tokens", {"by": asked}).dicts()]
        missing = [value for each, value in wanted if each == name and value not in known and _word(each, value) not in known]
        sentences += [f"no usage has the {asked} {value!r}.{did_you_mean(value, known)}" for value in missing]
    return sentences


def _word(name: str, value: str) -> str:
    """Returns what a filter takes a value for: OPERATION_CHAT is chat."""
    return value.removeprefix("OPERATION_").lower() if name == "operation_name" and value.startswith("OPERATION_") else value
