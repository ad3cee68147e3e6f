"""Conditions that a team wants to hear of, and how it hears of them.

| file | holds |
|---|---|
| `conditions.py` | the conditions as data, and the questions (`ledger/questions/condition_*.sql`) that find what fires |
| `once.py` | what several conditions ask of the ledger, asked once |
| `thresholds.py` | one's own thresholds (TOML) |
| `states.py` | what an alert is between two checks: pending, firing, resolved; and who was told of it |
| `store.py` | the states in ClickHouse, and the lease by which one check at a time tells |
| `messages.py` | the texts, harmless whatever tenants and models are called |
| `targets.py`, `alertmanager.py` | who is told: apprise's services, and Alertmanager |
| `check.py` | a check: ask, compare, tell, remember |
| `metrics.py`, `rules.py` | what a check has found as Prometheus's text, and Prometheus's rules over it |
| `runbooks.py` | the page that says what to do |
| `page.py` | the table of conditions in the docs |
"""
