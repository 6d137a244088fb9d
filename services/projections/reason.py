"""Why something was set aside, without a word of what it says: operators read the reason."""

import asyncpg
from pydantic import ValidationError

_MOST = 2_000
_PLACES = 10
_OF_THE_DRIVER = "invalid input for query argument"


def reason_of(problem: Exception) -> str:
    """The failure's name, and what of its message is not content."""
    return f"{type(problem).__name__}: {_message(problem)}"[:_MOST].replace("\x00", "\\u0000")


def _message(problem: Exception) -> str:
    match problem:
        case ValidationError():
            errors = problem.errors(include_url=False, include_context=False, include_input=False)
            return "; ".join(
                f"{'/'.join(map(str, error['loc'])) or 'data'}: {error['msg']}"
                for error in errors[:_PLACES]
            )
        case asyncpg.PostgresError():
            return _of_postgres(problem)
        case _:
            return str(problem)


def _of_postgres(problem: asyncpg.PostgresError) -> str:
    """The driver quotes the value and says why in brackets; the server quotes it anywhere."""
    text = str(problem)
    if text.startswith(_OF_THE_DRIVER):
        _, bracket, why = text.rpartition("(")
        return why.removesuffix(")") if bracket else _OF_THE_DRIVER
    told = problem.as_dict()
    names = (told.get(name) for name in ("table_name", "column_name", "constraint_name"))
    return " ".join([f"SQLSTATE {problem.sqlstate}", *(name for name in names if name)])
