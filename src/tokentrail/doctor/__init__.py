"""The checks of `tokentrail doctor`; one check per file, in the order of a usage's path.

| file         | checks                                                                |
|--------------|-----------------------------------------------------------------------|
| `hooks`      | whether `opentelemetry-instrument` has armed the hooks                 |
| `sdks`       | provider SDKs, their patched functions, other instrumentations        |
| `spans`      | the OpenTelemetry SDK                                                  |
| `bridge`     | whether calls of other instrumentations are taken                     |
| `journal`    | the journal's folder                                                   |
| `collector`  | the address that records are shipped to                                |
| `log_delivery` | with `delivery="otel"`, in place of these two: the LoggerProvider     |
| `clickhouse` | the ledger's tables, and the bridge there                             |
| `hosts`      | called servers whose provider is known only from the SDK              |

`inside` runs the checks of a service's interpreter (all but the last two), in this interpreter or in the application's: `application` starts the
application's interpreter, and the folder `injected` makes that interpreter run the checks instead of the program.
"""
