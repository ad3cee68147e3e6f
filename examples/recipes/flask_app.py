"""Flask: `flask --app flask_app run`, then `curl -H 'X-Tenant-ID: acme' localhost:5000/answer?question=why`."""

from collections.abc import Iterator

from flask import Flask, Response, request
from openai import OpenAI

from tokentrail import OPERATION_CHAT, OPERATION_QUERY, track_tokens
from tokentrail.web import WSGIMiddleware, header

app = Flask(__name__)
app.wsgi_app = WSGIMiddleware(app.wsgi_app, tenant_id=header("X-Tenant-ID"))  # type: ignore[method-assign]
client = OpenAI()


@app.get("/answer")
@track_tokens(operation=OPERATION_QUERY)
def answer() -> dict[str, str]:
    question = request.args["question"]
    completion = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": question}])
    return {"answer": completion.choices[0].message.content or ""}


@app.get("/chat")
@track_tokens(operation=OPERATION_CHAT)
def chat() -> Response:
    question = request.args["question"]

    def words() -> Iterator[str]:
        messages = [{"role": "user", "content": question}]
        with client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True) as chunks:  # closed where the reader leaves
            for chunk in chunks:
                yield chunk.choices[0].delta.content or "" if chunk.choices else ""

    return Response(words(), mimetype="text/plain")
