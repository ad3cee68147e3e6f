"""The embedded default: ClickHouse's HTTP interface and an OTLP/HTTP receiver over chDB, the real engine, in one process.

    engine     the folder's lock, the engine's life, one session per request
    exchange   one HTTP request and its answer, for code that blocks
    frames     ClickHouse's compressed frames, content encodings
    statement  what a request asks for: where a statement ends and its data begin
    front      ClickHouse's HTTP interface
    otlp       messages into rows as the Collector's exporter writes them; the receiver
    server     both listeners as a context manager; process starts them as a child

It serves laptops, tests and the demo. It is not ClickHouse's server: no users, no TLS, loopback only.
"""
