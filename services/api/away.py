"""What it looks like when the database, the log or the read models are away for a moment."""

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.requests import Request
from starlette.responses import Response

from services.eventlog.connection import LOST
from services.eventlog.log import LogUnavailable
from services.operation.logs import describe
from services.operation.problems import INVALID_PARAMETER, Problem, Text, unavailable

_TRANSIENT_CLASSES = ("08", "53", "57", "58")
"""SQLSTATE classes: connection, resources, operator (a statement's time among them), system."""

_NOT_MADE_YET = ("3F000", "42P01")
"""A schema or table is missing: the runner has not made it, or is putting another in its place."""

_SERIALIZATION = "40001"
_DATA = "22"

logger = structlog.get_logger()


def install(app: FastAPI) -> None:
    """What is away is answered with 503 and Retry-After from now on."""
    app.add_exception_handler(DBAPIError, _of_database)
    for lost in (*LOST, LogUnavailable, NoConnectionFree):
        app.add_exception_handler(lost, _away)


def is_transient(error: DBAPIError) -> bool:
    """Whether the same question may be answered a little later."""
    state = _state(error)
    return (
        error.connection_invalidated
        or state.startswith(_TRANSIENT_CLASSES)
        or state in (*_NOT_MADE_YET, _SERIALIZATION)
    )


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


async def _of_database(request: Request, error: Exception) -> Response:
    if isinstance(error, DBAPIError) and is_transient(error):
        return await _away(request, error)
    if isinstance(error, DBAPIError) and _state(error).startswith(_DATA):
        # A null character, say: the database knows best what no text of its can be.
        return Problem(INVALID_PARAMETER).response()
    raise error


async def _away(_request: Request, error: Exception) -> Response:
    logger.warning("away", error=describe(error))
    return unavailable(
        Text("ระบบจัดเก็บยังไม่ตอบ", "A part of the network does not answer"), retry_after_seconds=2
    ).response()
