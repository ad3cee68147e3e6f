"""Starlette: the tenant is a claim of a verified token. Unverified claims say what their sender likes."""

import hashlib
import hmac
import json
import os
from base64 import urlsafe_b64decode
from typing import Any

from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tokentrail import OPERATION_QUERY, track_tokens
from tokentrail.web import ASGIMiddleware, bearer_claim

SECRET = os.environ.get("TOKEN_SECRET", "only for this example").encode()
client = AsyncOpenAI()


def verified_claims(token: str) -> dict[str, Any]:
    """Returns the claims of a JSON Web Token with HMAC-SHA256; a service has a library for that: `jwt.decode(token, key, algorithms=["HS256"])`."""
    signed, _, signature = token.rpartition(".")
    expected = hmac.new(SECRET, signed.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(urlsafe_b64decode(signature + "=="), expected):
        raise PermissionError("the signature is not ours")
    return json.loads(urlsafe_b64decode(signed.partition(".")[2] + "=="))  # type: ignore[no-any-return]


@track_tokens(operation=OPERATION_QUERY)
async def answer(request: Request) -> JSONResponse:
    question = request.query_params["question"]
    completion = await client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": question}])
    return JSONResponse({"answer": completion.choices[0].message.content})


attributed = Middleware(ASGIMiddleware, tenant_id=bearer_claim("org", decode=verified_claims))
app = Starlette(routes=[Route("/answer", answer)], middleware=[attributed])
