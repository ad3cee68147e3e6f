"""Django in one file: `python django_app.py runserver`. The tenant is the organisation of the user whom Django's own authentication found."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import execute_from_command_line
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.urls import path
from openai import OpenAI

from tokentrail import OPERATION_CHAT, OPERATION_QUERY, argument, track_tokens

Handler = Callable[[HttpRequest], Any]


def authentication(get_response: Handler) -> Handler:
    """Stands for Django's `AuthenticationMiddleware` and a user with an organisation."""

    def middleware(request: HttpRequest) -> Any:
        request.organisation = request.headers.get("X-Signed-In-As", "")  # type: ignore[attr-defined]
        return get_response(request)

    return middleware


def attribution(get_response: Handler) -> Handler:
    """Attributes the calls of a request. It stands behind the authentication in `MIDDLEWARE`."""
    return track_tokens(tenant_id=argument("request.organisation"))(get_response)


@track_tokens(operation=OPERATION_QUERY)
def answer(request: HttpRequest) -> JsonResponse:
    completion = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": request.GET["question"]}])
    return JsonResponse({"answer": completion.choices[0].message.content})


@track_tokens(operation=OPERATION_CHAT)
def chat(request: HttpRequest) -> StreamingHttpResponse:
    def words() -> Iterator[str]:
        messages: Any = [{"role": "user", "content": request.GET["question"]}]
        with client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True) as chunks:  # closed where the reader leaves
            for chunk in chunks:
                yield chunk.choices[0].delta.content or "" if chunk.choices else ""

    return StreamingHttpResponse(words(), content_type="text/plain")


urlpatterns = [path("answer", answer), path("chat", chat)]
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY=os.environ.get("SECRET_KEY", "only for this example"),
    MIDDLEWARE=[f"{__name__}.authentication", f"{__name__}.attribution"],
)
django.setup()
client = OpenAI()
application = WSGIHandler()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
