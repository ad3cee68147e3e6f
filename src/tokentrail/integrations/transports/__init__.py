"""Transports: how an SDK moves bytes, from the arguments of the SDK's sending function to the result for the caller.

| file                 | holds                                                                                     |
|----------------------|-------------------------------------------------------------------------------------------|
| `stainless`          | SDKs that Stainless generates (openai, groq, anthropic): the request, before it is sent   |
| `stainless_answers`  | the results of such a client: models, streams, raw responses, HTTP responses              |
| `websockets`         | sessions of such a client over a websocket: each call of the session's model is followed  |
| `openai_sessions`    | the sessions of OpenAI's SDK                                                              |
| `routes`             | finds the endpoint of a request's path                                                    |
| `bodies`             | HTTP bodies that no SDK parsed: JSON, server-sent events, AWS frames                      |
| `ollama`             | Ollama's SDK: one function, and generators as streams                                     |
| `botocore`           | botocore and aiobotocore: one function of the endpoint below all clients                  |
| `botocore_bodies`    | the bodies that botocore's callers read after the call                                    |
| `botocore_responses` | replaces methods of one response, without a reference from the response to itself         |
| `botocore_errors`    | the exceptions that botocore's bodies raise above the HTTP client                         |
| `aws_frames`         | AWS's event-stream frames that no SDK decoded                                             |
| `google_genai`       | Google's SDK: four functions of one class, sync and async                                 |
| `huggingface`        | Hugging Face's SDK: one function of each client, and a stream's lines                     |
| `voyageai`           | Voyage's SDK: one function below the methods, which try again                             |
| `watsonx`            | IBM's SDK: the clients of httpx that it makes, and its tries                              |
| `watsonx_threads`    | the caller's context in the threads of IBM's SDK                                          |
| `xai`                | xAI's SDK: a chat's methods over gRPC                                                     |
| `claude_agent`       | Anthropic's agent SDK: the messages of a process                                          |
| `replicate`          | Replicate's SDK: one function of the client                                               |
| `fern`               | SDKs that Fern generates (cohere): two functions of one class, below those that parse     |
| `lines`              | streams of JSON lines, or of server-sent events with JSON, parsed from their bytes        |
| `urls`               | base URLs that an SDK holds as texts                                                      |
| `speakeasy`          | SDKs that Speakeasy generates (mistralai, Google's interactions): one function, and bytes |
| `events`             | server-sent events from bytes, many at once                                               |
| `generators`         | streams that an SDK returns as a generator                                                |
| `probes`             | small calls to a listener on this machine, for `tokentrail doctor`                        |
| `http_errors`        | exceptions of the HTTP client below an SDK                                                |
"""
