"""The embedded default: ClickHouse's HTTP interface and an OTLP/HTTP receiver over chDB, the real engine, in one process.

    lock, library, engine   one owner of a folder; chDB, loaded apart from all around; the engine's life, one session per request
    listener, exchange      the HTTP server; one request and its answer, for code that blocks
    frames, statement       compressed frames and encodings; where a statement ends and its data begin
    front, pieces           ClickHouse's HTTP interface; an answer while the engine makes it
    otlp, _rows, _values    the receiver; messages into rows as the Collector's exporter writes them
    server, run, process    both ports as a context manager; `tokentrail serve`; the same as a child process
    errors                  ClickHouse's codes, their HTTP status, why a server cannot start

It serves laptops, tests and the demo. It is not ClickHouse's server: no users, no TLS, loopback only.
"""
