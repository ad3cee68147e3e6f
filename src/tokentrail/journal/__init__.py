"""The durable journal: a usage is on disk before the wrapped call returns, and stays there until the Collector has taken it.

`frames` how a record lies in a file · `records` what it says · `folder` which files there are, and the cursor · `locks` who lives, and forks ·
`volume` what a disk and a process allow · `refusals` what could not be written · `files` a writer's folder and the file in use · `writer` append ·
`reader` read, skipping what is torn · `otlp` records as OTLP · `exporter` one request over HTTP, and what its answer means · `grpc_exporter`,
`grpc_call` the same over gRPC · `endpoint` where to · `shipper` from folder to Collector · `aside` what it refuses for good · `adoption` what dead
writers left · `background` the thread · `ends` the writers of a process, former ones too · `status` what lies where.
"""
