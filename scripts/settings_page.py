"""Writes docs/settings.md from the settings themselves: `python scripts/settings_page.py` (a test fails when the page is stale)."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from tokentrail.settings import Settings, default_journal_dir

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
INTRODUCTION = """# Settings

```python
import tokentrail

tokentrail.configure(tenant_id="acme", service_name="search", endpoint="http://collector:4318/v1/logs")
```

Every setting can be given in three ways; the first one that is there wins:

1. a keyword argument of `tokentrail.configure()`, at any time; a wrong one raises `ValueError` or `TypeError` with one sentence and changes nothing;
2. the variable `TOKENTRAIL_` and the setting's name in capitals (`TOKENTRAIL_TENANT_ID`), read at the first use;
3. the standard `OTEL_*` variables named below, the first one that is set.

A variable that is empty is as good as not set. One that cannot be read is left out, with one warning in the log `tokentrail`, and the application
goes on.
In variables, yes and no are `true` and `false` (also `1 yes on`, `0 no off`), lists are `name=value,name=value` with percent-encoded values, of hosts
`host,host`.
`OTEL_SDK_DISABLED=true` stops spans and metrics but not the ledger; `TOKENTRAIL_DISABLED=true` stops everything.

| setting | type | default | standard variables | what it does |
|---|---|---|---|---|
"""
KINDS = {
    "bool": "yes or no",
    "int": "whole number",
    "float": "number",
    "str": "text",
    "Fsync": "text or whole number",
    "tuple[str, ...]": "list of hosts",
    "Mapping[str, str]": "list",
}


def default_of(setting: Field[Any]) -> str:
    """A setting's default as the page shows it."""
    if setting.default_factory is default_journal_dir:
        return "`$XDG_STATE_HOME/tokentrail/journal`, or `~/.local/state/tokentrail/journal`"
    value = setting.default_factory() if setting.default_factory is not MISSING else setting.default
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`" if value else "empty"


def page() -> str:
    """The whole page."""
    rows = []
    for setting in fields(Settings):
        standard = ", ".join(f"`{variable}`" for variable in setting.metadata["standard"])
        docs = setting.metadata["docs"]
        rows.append(f"| `{setting.name}` | {KINDS[str(setting.type)]} | {default_of(setting)} | {standard} | {docs} |\n")
    return INTRODUCTION + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name}: {len(fields(Settings))} settings")
