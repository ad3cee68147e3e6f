"""Prices as data, and what usages cost.

| file | holds |
|---|---|
| `price.py` | a price and its rates, as the table `prices` has them |
| `files.py` | price files of one's own (TOML) |
| `public.py` | the public list of the package genai-prices |
| `store.py` | lists in ClickHouse: load one, and what is loaded |

The cost itself is a view (`clickhouse/definitions/usage_cost.sql`): the tokens of a usage by the price at the time of the call.
"""
