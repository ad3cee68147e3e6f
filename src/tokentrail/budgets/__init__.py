"""Budgets: what may be spent on which usages, in tokens or money, in a day, week, month, quarter or year.

| file | holds |
|---|---|
| `budget.py` | a budget, and what fits together |
| `files.py` | files of budgets (TOML) |
| `store.py` | budgets in ClickHouse: each version of each |

What is spent is an answer of the question `budgets` (`ledger/questions/budgets.sql`), for commands, alerts and guards alike.
"""
