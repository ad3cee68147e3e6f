"""Hooks on the SDKs: what an integration is, how its functions are patched, and how one call of such a function becomes a usage.

| file           | holds                                                                                             |
|----------------|---------------------------------------------------------------------------------------------------|
| `contract`     | what an integration is made of; imports nothing of tokentrail                                     |
| `registry`     | `instrument()`, `uninstrument()`, and the integrations that are installed, found by entry points  |
| `patching`     | one function patched, one function restored                                                       |
| `transplant`   | a function that runs other code and stays the object that it was                                  |
| `versions`     | whether an installed version is one that its integration supports                                 |
| `around`       | what happens around one call of a patched function                                                |
| `streams`      | streams and bodies, followed while the caller reads them                                          |
| `layers`       | other tools' wrappers over a patched function, for `tokentrail doctor`                            |
| `instrumentor` | OpenTelemetry's door: `opentelemetry-instrument`, `TokentrailInstrumentor().instrument()`         |
| `distro`       | what `opentelemetry-instrument` configures before any instrumentor                                |

The arrows run down: `registry` → `patching` → `around` → `contract`, and `streams` → `around`. Nothing here knows an SDK: which packages are
patched is said in `tokentrail.integrations`.
"""
