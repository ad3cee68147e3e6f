"""How JSON reads: the texts of a request, the counts of an answer, the chunks of a stream. Nothing here knows a transport or an SDK.

| file                 | reads                                                                                      |
|----------------------|--------------------------------------------------------------------------------------------|
| `json_objects`       | objects by attribute, whether an SDK's models or plain JSON                                |
| `known_text`         | whether an answer is known to be text                                                      |
| `openai_chat`        | OpenAI's chat completions, and what everybody made after them                              |
| `openai_completions` | OpenAI's text completions and embeddings                                                   |
| `openai_responses`   | OpenAI's Responses                                                                         |
| `anthropic_messages` | Anthropic's Messages                                                                       |
| `ollama`             | Ollama's chat, generate and embed                                                          |
"""
