"""Shapes: how a provider's JSON reads. Texts of a request, counts of an answer, chunks of a stream. No shape imports a transport or an SDK.

| file                 | reads                                                                                      |
|----------------------|--------------------------------------------------------------------------------------------|
| `json_objects`       | objects by attribute: an SDK's models, or plain JSON                                       |
| `known_text`         | whether an answer can only be text                                                         |
| `openai_chat`        | OpenAI's chat completions, and compatible APIs of other providers                          |
| `openai_completions` | OpenAI's text completions and embeddings                                                   |
| `openai_responses`   | OpenAI's Responses                                                                         |
| `openai_images`      | OpenAI's images                                                                            |
| `openai_audio`       | OpenAI's transcriptions, translations and speech                                           |
| `openai_runs`        | OpenAI's Assistants: runs                                                                  |
| `openai_realtime`    | OpenAI's sessions: Realtime, Responses, Live                                               |
| `sessions`           | how a session's events read: what begins and ends a call                                   |
| `anthropic_messages` | Anthropic's Messages                                                                       |
| `converse`           | Bedrock's Converse, and Amazon Nova                                                        |
| `bedrock_models`     | Bedrock's InvokeModel, for each family of models                                           |
| `bedrock_streams`    | the chunks of InvokeModel's streams                                                        |
| `gemini`             | Gemini's generate_content and embeddings, also on Vertex                                   |
| `huggingface`        | Hugging Face's chat, text generation and vectors                                           |
| `cohere`             | Cohere's API, versions 1 and 2                                                             |
| `voyage`             | Voyage's embeddings and rerank                                                             |
| `watsonx`            | watsonx.ai: chat, generated text, embeddings, rerank                                       |
| `xai`                | xAI's chat over gRPC: protobuf messages                                                    |
| `claude_agent`       | the results of Claude's command line, of each model                                        |
| `replicate`          | Replicate's predictions                                                                    |
| `interactions`       | Google's Interactions                                                                      |
| `mistral`            | Mistral's chats, agents, fill-in-the-middle, embeddings, OCR and audio                     |
| `mistral_conversations` | Mistral's conversations                                                                 |
| `ollama`             | Ollama's chat, generate and embed                                                          |
"""
