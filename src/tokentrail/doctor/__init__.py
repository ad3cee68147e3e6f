"""What `tokentrail doctor` looks at; one check a file, in the order of a usage's way.

| file         | looks at                                                              |
|--------------|-----------------------------------------------------------------------|
| `hooks`      | whether `opentelemetry-instrument` has armed the hooks                 |
| `sdks`       | provider SDKs, their patched functions, other instrumentations        |
| `spans`      | the OpenTelemetry SDK                                                  |
| `journal`    | the journal's folder                                                   |
| `collector`  | the address that records are shipped to                                |
| `clickhouse` | the ledger's tables                                                    |
| `hosts`      | servers that were called, and whose provider only the SDK named        |

`inside` runs those of the service's own interpreter (all but the last two), in this interpreter or in the application's: `application` starts that
one, and the folder `injected` is what makes it answer.
"""
