"""Middlewares of web services: the calls of a request are attributed to the tenant that the request names.

    app.add_middleware(ASGIMiddleware, tenant_id=header("X-Tenant-ID"))                        # FastAPI, Starlette
    app.wsgi_app = WSGIMiddleware(app.wsgi_app, tenant_id=header("X-Tenant-ID"))               # Flask
    application = WSGIMiddleware(get_wsgi_application(), tenant_id=bearer_claim("org", decode=verified_claims))  # Django

| file | holds |
|---|---|
| `request` | what a source reads: `Request`, `header`, `bearer_claim` |
| `asgi`, `wsgi` | the middlewares |

Nothing of a framework is imported. Where a framework finds the tenant itself (a session, a dependency), `track_tokens` on the view is simpler.
"""

from tokentrail.web.asgi import ASGIMiddleware
from tokentrail.web.request import Request, bearer_claim, header
from tokentrail.web.wsgi import WSGIMiddleware

__all__ = ["ASGIMiddleware", "Request", "WSGIMiddleware", "bearer_claim", "header"]
