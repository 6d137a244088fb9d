"""Ed25519 as RFC 8032 has it: which bytes are a key, and whether a signature holds."""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

type Claim = tuple[bytes, bytes, bytes]
"""That this public key made this signature over this message."""

_KEY_BYTES = 32
_PRIME = 2**255 - 19
_ORDER_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER = frozenset({0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8})
"""y of the eight points whose order divides 8: anybody can make what holds under them."""


def is_strong(public_key: bytes) -> bool:
    """Whether the bytes can be the key of one who alone can sign with it.

    Source: RFC 8032, 5.1.3 (an encoding below the prime); for small order, "Taming the many
    EdDSAs" (IACR ePrint 2020/1244), section 4.
    """
    y = int.from_bytes(public_key, "little") & (2**255 - 1)
    return len(public_key) == _KEY_BYTES and y < _PRIME and y not in _SMALL_ORDER


def holds(claim: Claim) -> bool:
    """Whether the key made the signature over the message; what is no key made none."""
    public_key, signature, message = claim
    try:
        _key(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=4_096)
def _key(public_key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public_key)
