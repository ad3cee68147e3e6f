"""Who answers: a provider is known by the host that a client talks to, whatever package asks.

| file     | holds                                                                                        |
|----------|----------------------------------------------------------------------------------------------|
| `table`  | the providers, one row each: their addresses, and what is known of each                      |
| `lookup` | the rule that reads the table, the setting `provider_hosts` first: from a URL to a `Server`  |
"""
