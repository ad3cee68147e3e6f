"""How an SDK moves bytes: from the arguments of its one function that sends, to what its caller gets.

| file                | holds                                                                                         |
|---------------------|-----------------------------------------------------------------------------------------------|
| `stainless`         | SDKs that Stainless generates (openai, groq, anthropic): the request, before it is sent       |
| `stainless_answers` | what such a client returns: models, streams, raw responses, HTTP responses                    |
| `routes`            | from a request's path to its endpoint                                                         |
| `bodies`            | HTTP bodies that no SDK parsed: JSON, or server-sent events                                   |
| `ollama`            | Ollama's SDK: one function, and generators as streams                                         |
| `probes`            | small calls at a listener of this machine, for `tokentrail doctor`                            |
"""
