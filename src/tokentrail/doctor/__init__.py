"""What `tokentrail doctor` looks at; one check a file, in the order of a usage's way.

| file         | looks at                                                              |
|--------------|-----------------------------------------------------------------------|
| `sdks`       | provider SDKs, their patched functions, other instrumentations        |
| `spans`      | the OpenTelemetry SDK                                                  |
| `journal`    | the journal's folder                                                   |
| `collector`  | the address that records are shipped to                                |
| `clickhouse` | the ledger's tables                                                    |
| `hosts`      | servers that were called, and whose provider only the SDK named        |
"""
