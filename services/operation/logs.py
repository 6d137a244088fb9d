"""The structured log: one JSON object a line on stderr, with ids, never with bodies or tokens.

Events are named in snake_case, what varies is a field: `logger.info("batch_applied", slot=7)`.
"""

import logging
import sys
import traceback

import structlog
from structlog.types import EventDict, Processor

OURS = ("services.", "schemas.", "deploy.")

_SELDOM_SECONDS = 10.0
_MOST_MESSAGES = 1_000


def configure(level: str) -> None:
    """Log from here on, the libraries' own messages included, at this level and above."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        explain_exception,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=False, default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    handler.addFilter(Seldom())
    root = logging.getLogger()
    root.handlers = [handler]
    # A library's own `info` tells of its insides, and may tell of what it carries.
    root.setLevel(max(logging.getLevelNamesMapping()[level.upper()], logging.WARNING))


class Seldom(logging.Filter):
    """Lets a library say the same thing once in ten seconds, with how often it said it meanwhile.

    With two of three brokers away a Kafka client says so some fifty times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is written."""
        message = record.getMessage()
        key = (record.name, message)
        at, held_back = self._said.get(key, (float("-inf"), 0))
        if record.created - at < _SELDOM_SECONDS:
            self._said[key] = (at, held_back + 1)
            return False
        if len(self._said) >= _MOST_MESSAGES:
            self._said.clear()
        self._said[key] = (record.created, 0)
        if held_back:
            record.msg, record.args = f"{message} (and {held_back} times before)", None
        return True


def explain_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the exception's type, its trace, and its message where that is safe."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = describe(error)
        event["trace"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
    return event


def describe(error: BaseException) -> str:
    """The error in one line: its type, and its message unless that may repeat what was sent."""
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, BaseExceptionGroup):
        return f"{name}({', '.join(describe(inner) for inner in error.exceptions)})"
    if isinstance(error, OSError) or kind.__module__.startswith(OURS):
        return f"{name}: {error}"
    # The server's messages quote values; its code says enough to look the error up.
    state = getattr(error, "sqlstate", None)
    return f"{name}: SQLSTATE {state}" if state else name
