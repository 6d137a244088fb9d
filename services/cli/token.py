"""`kamkap token`, `kamkap client`: what the embedded issuer gives who stands at its machine."""

import sys
from datetime import UTC, datetime

from services.cli.lifetime import lifetime_of
from services.identity.identity import Identity
from services.identity.issuer import Issuer
from services.operation.settings import Settings


async def run_client(settings: Settings, identity: str) -> int:
    """The identity's secret at the embedded issuer's token endpoint is on stdout, alone."""
    sys.stdout.write(f"{Issuer.open(settings).client_secret(Identity.parse(identity))}\n")
    return 0


async def run_token(settings: Settings, identity: str, lifetime: str) -> int:
    """The token is on stdout, alone, so that a shell can take it."""
    speaker, period = Identity.parse(identity), lifetime_of(lifetime)
    token = Issuer.open(settings).issue(speaker, now=datetime.now(UTC), lifetime=period)
    sys.stdout.write(f"{token}\n")
    return 0
