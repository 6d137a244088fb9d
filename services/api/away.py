"""What it looks like when the database, the log or the read models are away for a moment."""

import asyncpg
import structlog
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from services.eventlog.connection import LOST
from services.eventlog.log import LogUnavailable
from services.eventlog.store import StoreUnavailable
from services.eventlog.transact import Contended
from services.operation.logs import describe
from services.operation.problems import INVALID_PARAMETER, Problem, Text, unavailable

_FOR_A_MOMENT = (
    *LOST,
    LogUnavailable,
    StoreUnavailable,
    # No rule refused it: others kept deciding on the same.
    Contended,
    # The runner has not made the read models yet, or is putting others in their place.
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.SerializationError,
)

logger = structlog.get_logger()


def install(app: FastAPI) -> None:
    """What is away is answered with 503 and Retry-After from now on."""
    for error in _FOR_A_MOMENT:
        app.add_exception_handler(error, _away)
    app.add_exception_handler(asyncpg.DataError, _no_value)


async def _away(_request: Request, error: Exception) -> Response:
    logger.warning("away", error=describe(error))
    return unavailable(
        Text("ระบบจัดเก็บยังไม่ตอบ", "A part of the network does not answer"), retry_after_seconds=2
    ).response()


async def _no_value(_request: Request, _error: Exception) -> Response:
    """A null character, say: the database knows best what no text of its can be."""
    return Problem(INVALID_PARAMETER).response()
