"""The embedded default: ClickHouse's HTTP interface and an OTLP/HTTP receiver over chDB, the real engine, in one process.

    lock, library, engine   the lock of a data folder; the import of chDB; the engine's life, one session per request
    listener, exchange      the HTTP server; one request and its answer, for blocking code
    frames, statement       compressed frames and encodings; the boundary between a statement and its data
    front, pieces           ClickHouse's HTTP interface; answers that are streamed while the engine computes them
    dashboard               /dashboard: the page of `tokentrail.pages`, live
    inserts, spool          INSERTs with data; the files that hold the data until they are complete
    otlp, _rows, _values    the receiver; messages into rows as the Collector's exporter writes them
    server, run, process    both ports as a context manager; `tokentrail serve`; the same as a child process
    errors                  ClickHouse's codes, their HTTP status, why a server cannot start

The embedded server is for laptops, tests and the demo. ClickHouse's own server has more: users, roles, TLS.
"""
