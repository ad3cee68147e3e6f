"""Providers, which answer calls: a provider is identified by the host of a client's base URL, whatever the SDK.

| file     | holds                                                                                     |
|----------|-------------------------------------------------------------------------------------------|
| `table`  | the providers, one row each: addresses and accepted options                               |
| `lookup` | finds the `Server` of a URL, first by the setting `provider_hosts`, then by the table     |
"""
