"""Instrumentation of the SDKs: the contract of an integration, the patches, and the recording of each call of a patched function.

| file           | holds                                                                                                 |
|----------------|-------------------------------------------------------------------------------------------------------|
| `contract`     | the types of an integration; imports nothing of tokentrail                                            |
| `registry`     | `instrument()`, `uninstrument()`, and the installed integrations, found by entry points               |
| `patching`     | patches and restores one function                                                                     |
| `transplant`   | replaces the code of a function; the function object stays the same                                   |
| `versions`     | compares an installed version with the range that its integration supports                            |
| `around`       | the wrapper around one call of a patched function                                                     |
| `streams`      | streams and response bodies, followed while the caller reads them                                     |
| `layers`       | wrappers of other tools over a patched function, for `tokentrail doctor`                              |
| `instrumentor` | the OpenTelemetry instrumentor: `opentelemetry-instrument`, `TokentrailInstrumentor().instrument()`   |
| `distro`       | the OpenTelemetry distro, which `opentelemetry-instrument` configures before any instrumentor         |

Imports go in one direction: `registry` → `patching` → `around` → `contract`, and `streams` → `around`. No module of this folder refers to an SDK:
the patched packages are listed in `tokentrail.integrations`.
"""
