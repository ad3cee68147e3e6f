"""FastAPI: the tenant is what a dependency returns. `argument` names the parameter; a lambda would have to name all of them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from openai import AsyncOpenAI

from tokentrail import OPERATION_QUERY, argument, track_tokens

app = FastAPI()
client = AsyncOpenAI()
KEYS = {"key-of-acme": "acme", "key-of-globex": "globex"}


@dataclass(frozen=True)
class User:
    """Whom a key belongs to."""

    name: str
    org: str


def user_of(x_api_key: Annotated[str, Header()] = "") -> User:
    if x_api_key not in KEYS:
        raise HTTPException(401)
    return User(name="somebody", org=KEYS[x_api_key])


@app.get("/answer")
@track_tokens(operation=OPERATION_QUERY, tenant_id=argument("user.org"), metadata={"user": argument("user.name")})
async def answer(question: str, user: Annotated[User, Depends(user_of)]) -> dict[str, str]:
    completion = await client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": question}])
    return {"answer": completion.choices[0].message.content or "", "for": user.name}
