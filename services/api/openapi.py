"""The gateway's OpenAPI 3.1: what the framework derives, with an example for every operation."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.api.problems import ProblemBody, documented
from services.identity.origin import COOKIE, LOOPBACK_COOKIE

type Document = dict[str, Any]

EXAMPLES = Path(__file__).parent / "examples"

_SESSION = {
    "type": "apiKey",
    "in": "cookie",
    "name": COOKIE,
    "description": "What `POST /v1/session` sets for a browser. With it, what changes something "
    f"must be sent by a page of this origin. On `http://127.0.0.1` it is `{LOOPBACK_COOKIE}`.",
}
_RATE_HEADERS = {
    "RateLimit-Policy": {
        "description": "The quota of one identity, `q` in `w` seconds "
        "(draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left of it (`r`), and after how many seconds all of it is (`t`).",
        "schema": {"type": "string"},
    },
}
_RETRY_AFTER = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
_BEARER = {"type": "http", "scheme": "bearer", "description": "`kamkap token IDENTITY` prints one."}


def install(app: FastAPI) -> None:
    """`/openapi.json` is this module's document from now on."""

    def document() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = document_of(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # the framework's own way to replace it


def document_of(app: FastAPI) -> Document:
    """The document of everything the app serves."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        openapi_version="3.1.0",
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = ProblemBody.model_json_schema()
    components.setdefault("securitySchemes", {}).update(bearer=_BEARER, session=_SESSION)
    for path in document["paths"].values():
        for operation in path.values():
            operation.setdefault("security", [{"bearer": []}, {"session": []}])
            _complete(operation)
    return document


@cache
def example_of(operation: str) -> Any:  # noqa: ANN401 -- whatever JSON the operation answers
    """The example of an operation's answer; None when it states its own."""
    file = EXAMPLES / f"{operation}.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else None


def _complete(operation: Document) -> None:
    """Put the example in, and take out what the framework says and no endpoint does."""
    responses = operation["responses"]
    responses.setdefault("429", documented(429)[429])
    for status, response in responses.items():
        waiting = {"Retry-After": _RETRY_AFTER} if status == "429" else {}
        response["headers"] = response.get("headers", {}) | _RATE_HEADERS | waiting
    example = example_of(operation["operationId"])
    if example is not None:
        success = next(status for status in responses if status.startswith("2"))
        responses[success]["content"]["application/json"]["example"] = example
    # A parameter that is not valid is 400 here; the framework documents 422 of its own accord.
    if "HTTPValidationError" in json.dumps(responses.get("422", {})):
        del responses["422"]
