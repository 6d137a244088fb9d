"""What schemathesis does beside its own: bodies of NDJSON, and every case asked by others too."""

import json
import os
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response
from schemathesis.checks import CheckFunction
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import ignored_auth

OTHERS = "KAMKAP_TEST_OTHERS"
"""The variable with the tokens of who asks each case again, by who: JSON, null without a token."""


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: object, value: object) -> bytes:
    """The text as it is."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.check
def holds_for_everybody(context: CheckContext, _response: Response, case: Case[Any]) -> None:
    """Each of the others asks the same, and every other check is held against their answers.

    One process for all of them: to start it costs five seconds, to ask again some milliseconds.
    """
    others: dict[str, str | None] = json.loads(os.environ.get(OTHERS, "{}"))
    found = {who: _failures(context, case, token) for who, token in others.items()}
    said = [f"As {who}:\n{failures}" for who, failures in found.items() if failures]
    assert not said, "\n".join(said)


def _failures(context: CheckContext, case: Case[Any], token: str | None) -> str:
    """What is wrong with the answer to this case under this token; empty when nothing is."""
    again = case.derive()
    again.headers.pop("Authorization", None)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    excluded: list[CheckFunction] = [holds_for_everybody]
    if token and case.operation.label in (context.auth_enforced_operations or ()):
        # It refuses invented tokens, whoever asks: two requests less for every answer.
        excluded.append(ignored_auth)
    answer = again.call(headers=headers)
    try:
        # The headers are named as given, lest the token pass for an invented one.
        again.validate_response(answer, headers=headers, excluded_checks=excluded)
    except FailureGroup as failed:
        return str(failed)
    return ""
