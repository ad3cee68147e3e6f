"""The durable journal: a usage is on disk before the wrapped call returns, and the record stays there until the Collector has acknowledged it.

Format: `frames` the layout of a frame · `records` the contents of a frame · `folder` the journal's files and the cursor · `locks` file locks and
forks · `places` folders that block a file's path · `volume` limits of the volume and the process.
Writing: `writer` appends records · `files` a writer's folder and current segment · `refusals` numbers of refused records.
Reading and shipping: `reader` reads records and skips torn bytes · `otlp` encodes records as OTLP · `endpoint` the Collector's address · `exporter`
one request over HTTP · `deadline` the time limit of an HTTP exchange · `grpc_exporter`, `grpc_call` one request over gRPC · `shipper` sends a folder
to the Collector, `progress` the result · `aside` records that the Collector refuses for good · `adoption` the folders of dead writers.
One process: `process` the journal as a delivery · `ends` current and retired writers · `background` the shipping thread · `flush` waits for
acknowledgement · `status` a report of a journal's contents.
"""
