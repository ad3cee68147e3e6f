"""The packages that tokentrail patches: one small file of data each, found by its entry point in the group `tokentrail.integrations`.

    integrations/<package>.py    which functions, which endpoints, which versions; who else patches them
    transports/                  how an SDK moves bytes: what its functions are given, what they return, what is followed
    shapes/                      how JSON reads: texts of a request, counts of an answer, chunks of a stream

An integration puts endpoints, made of a shape's functions, over a transport. A shape knows neither transport nor SDK, so one shape arrives by many
transports. What all three are made of is said in `tokentrail.instrumentation.contract`; who answers, in `tokentrail.providers`.
"""
