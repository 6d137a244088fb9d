"""`kamkap token`: a bearer token of the embedded issuer."""

import sys
from datetime import UTC, datetime

from services.cli.lifetime import lifetime_of
from services.identity.identity import Identity
from services.identity.issuer import Issuer
from services.operation.settings import Settings


async def run_token(settings: Settings, identity: str, lifetime: str) -> int:
    """The token is on stdout, alone, so that a shell can take it."""
    speaker, period = Identity.parse(identity), lifetime_of(lifetime)
    token = Issuer.open(settings).issue(speaker, now=datetime.now(UTC), lifetime=period)
    sys.stdout.write(f"{token}\n")
    return 0
