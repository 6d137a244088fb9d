"""The slot of a source is Kafka's own partition of it, for ever."""

import pytest
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import SLOTS
from schemas.slots import murmur2, slot_of


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        # Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java,
        # testMurmur2: Java's signed 32-bit integers.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_kafkas(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


@settings(deadline=None)
@given(st.binary())
def test_murmur2_agrees_with_another_client(key: bytes) -> None:
    assert murmur2(key) == murmur2_of_aiokafka(key) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("source", "slot"),
    [
        ("/centres/pmoc", 23),
        ("/centres/poc/TH-81", 40),
        ("/centres/poc/TH-82", 26),
        ("/centres/poc/TH-83", 45),
        ("/centres/moc/moi", 21),
        ("/centres/doc/moi.ddpm", 19),
        ("/centres/doc/mdes.tmd", 53),
        ("/centres/ext/ทดสอบ", 21),
    ],
)
def test_a_sources_slot_never_changes(source: str, slot: int) -> None:
    assert slot_of(source) == slot


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8")))
def test_every_source_has_a_slot(source: str) -> None:
    assert 0 <= slot_of(source) < SLOTS
