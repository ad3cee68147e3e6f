"""Clients of ClickHouse (a server over HTTP, or the engine in this process), and migrations. The queries are in `tokentrail.ledger`.

`client.py` has the protocol `Client` and both clients, with `dsn.py`, `errors.py`, `literals.py`, `rows.py`, `values.py` and `streams.py`.
`migrate.py` brings a database up to date: `steps.py` lists the files, `migrations/` for tables (history), `definitions/` for views (today's text,
by `definitions.py`); `in_place.py` reads the tables and views of a database, `objects.py` lists the tables and views that the files create.
`bridge/` holds the views of the bridge, `parts/` what several files have in common.
`sqlfiles.py` reads and renders `.sql` files, with the named lists of `lists.py`. The call path imports none of these modules.
"""
