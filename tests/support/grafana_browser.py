"""What Grafana's browser does to a query before the backend sees it: variables, their formats, and its own macros.

The rules are those of @grafana/scenes (packages/scenes/src/variables: constants.ts, formatRegistry.ts, MultiValueVariable.ts, timeMacros.ts) and of the
plugin's applyConditionalAll: read in scenes of August 2026, plugin 4.20.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote

ALL = "$__all"
Value = str | list[str]
_VARIABLE = re.compile(r"""\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)((?:\.[^:^{}\[\]]+|\["[^"]*"\]|\['[^']*'\]|\[[^\]"']*\])*)(?::([^}]+))?\}""")


def encode_strictly(text: str) -> str:
    """encodeURIComponentStrict: encodeURIComponent, and `!'()*` too."""
    return quote(text, safe="-_.~")


@dataclass
class Browser:
    """A dashboard that is open in a browser: the values of its variables, the zone and the time range (milliseconds since 1970)."""

    dashboard: Mapping[str, Any]
    start: int
    end: int
    zone: str = "utc"
    values: dict[str, Value] = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for variable in self.variables:
            self.values.setdefault(variable["name"], variable["current"]["value"])

    @property
    def variables(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.dashboard["templating"]["list"]
        return found

    def variable(self, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.variables if each["name"] == name)
        return found

    def open_link(self, query: str) -> None:
        """Takes the variables of an address, as the dashboard does that is opened by it."""
        given: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            given.setdefault(name, []).append(value)
        for variable in self.variables:
            if f"var-{variable['name']}" in given:
                values = given[f"var-{variable['name']}"]
                if variable.get("includeAll") and values in (["All"], [variable.get("allValue")]):
                    values = [ALL]
                self.values[variable["name"]] = values if variable.get("multi") else values[0]

    def query(self, sql: str) -> str:
        """Returns the SQL that the browser sends to the backend."""
        return self.text(self._conditional_all(sql))

    def text(self, text: str) -> str:
        """Replaces variables in any text."""

        def replaced(match: re.Match[str]) -> str:
            plain, square, square_format, braced, path, braced_format = match.groups()
            name, wanted = plain or square or braced, square_format or braced_format
            macros = {"__timezone": self.zone, "__from": str(self.start), "__to": str(self.end)}
            if name == "__url_time_range":
                return f"from={self.start}&to={self.end}"
            if name in macros:
                return _formatted(name, macros[name], wanted)
            if name not in self.values or path:
                return match[0]
            value = self.values[name]
            if wanted == "queryparam":
                return "&".join(f"var-{name}={encode_strictly(each)}" for each in (value if isinstance(value, list) else [value]))
            if ALL in (value, value[:1][0] if isinstance(value, list) and value else ""):
                custom = self.variable(name).get("allValue")
                if custom:
                    return encode_strictly(custom) if wanted == "percentencode" else self.text(custom)
                value = self.options[name]
            return _formatted(name, value, wanted)

        return _VARIABLE.sub(replaced, text)

    def _conditional_all(self, sql: str) -> str:
        assert "$__conditionalAll" not in sql, "the plugin's browser part replaces it by text, and mangles what is quoted"
        return sql


def _formatted(name: str, value: Value, wanted: str | None) -> str:
    several = isinstance(value, list)
    values: Sequence[str] = value if isinstance(value, list) else [value]
    if wanted == "percentencode":
        return encode_strictly("{" + ",".join(values) + "}") if several else encode_strictly(values[0])
    if wanted == "sqlstring":
        return ",".join("'" + each.replace("'", "''") + "'" for each in values)
    if wanted == "singlequote":
        return ",".join("'" + each.replace("'", "\\'") + "'" for each in values)
    if wanted in (None, "glob"):
        return "{" + ",".join(values) + "}" if len(values) > 1 else "".join(values)
    if wanted == "csv":
        return ",".join(values)
    raise AssertionError(f"the format {wanted} of {name} is none of those that dashboards use")
