"""The room that speaks to ClickHouse: a server over HTTP, or the engine in this process. What is asked is in `tokentrail.ledger`.

`client.py` is the protocol with both behind it, with `dsn.py`, `errors.py`, `literals.py`, `rows.py`, `values.py` and `streams.py`. `migrate.py`
brings a database up to date: `steps.py` are the files, `migrations/` for what is stored (tables, history), `definitions/` for what is computed
(views, today's text, read by `definitions.py`); `in_place.py` says what the database has, `objects.py` what the files make. `sqlfiles.py` reads and
fills in `.sql` files, by the named lists of `lists.py`. The call path reads none of these.
"""
