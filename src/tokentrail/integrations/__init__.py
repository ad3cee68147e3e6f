"""The packages that tokentrail patches: one small file of data each, found by its entry point in the group `tokentrail.integrations`.

    integrations/<package>.py    the integration: patched functions, endpoints, supported versions, other tools that patch the SDK
    transports/                  how an SDK moves bytes: arguments and results of the patched functions, and the streams to follow
    shapes/                      how JSON reads: texts of a request, counts of an answer, chunks of a stream

An integration combines a transport with endpoints, which consist of a shape's functions. A shape depends on no transport and no SDK, so many
transports share one shape. The types of all three are defined in `tokentrail.instrumentation.contract`; the providers in `tokentrail.providers`.
"""
