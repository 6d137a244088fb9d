"""Which slot of `status` a source's events go to: Kafka's own rule, so that any client agrees."""

from functools import lru_cache

from schemas.envelope import SLOTS

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


@lru_cache(maxsize=20_000)
def slot_of(source: str) -> int:
    """The partition that Kafka's default partitioner gives this key among 64."""
    return (murmur2(source.encode()) & 0x7FFFFFFF) % SLOTS


def murmur2(key: bytes) -> int:
    """MurmurHash2, 32 bits, with the seed of Kafka's Java client.

    Source: org.apache.kafka.common.utils.Utils.murmur2.
    """
    length = len(key)
    h = (_SEED ^ length) & _MASK
    whole = length - length % 4
    for start in range(0, whole, 4):
        k = int.from_bytes(key[start : start + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if tail := key[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)
