"""Thai words sort as in the dictionary."""

from hypothesis import given
from hypothesis import strategies as st

from services.domain.thai import sort_key

_THAI = st.text(alphabet="กขคงจบปพมลวสหอะาิีุูเแโใไ่้็์ ", max_size=8)


def test_provinces_sort_by_consonant_although_a_vowel_is_written_before_it() -> None:
    shuffled = ["เชียงใหม่", "ชลบุรี", "แพร่", "พัทลุง", "ไม่มี", "ขอนแก่น", "กระบี่", "เลย", "ลำพูน", "ภูเก็ต"]
    assert sorted(shuffled, key=sort_key) == [
        "กระบี่", "ขอนแก่น", "ชลบุรี", "เชียงใหม่", "พัทลุง", "แพร่", "ภูเก็ต", "ไม่มี", "ลำพูน", "เลย",
    ]  # fmt: skip


def test_tone_marks_decide_last() -> None:
    assert sorted(["ก้า", "กา", "ก่าง", "ก่า"], key=sort_key) == ["กา", "ก่า", "ก้า", "ก่าง"]
    assert sorted(["เก่ง", "เกน", "เก็ง"], key=sort_key) == ["เก็ง", "เก่ง", "เกน"]


def test_the_dictionary_s_order_of_vowels() -> None:
    ordered = [
        "กะ",
        "กัน",
        "กา",
        "กำ",
        "กิน",
        "กีด",
        "กึก",
        "กืด",
        "กุน",
        "กูด",
        "เก",
        "แก",
        "โก",
        "ใก",
        "ไก",
    ]
    assert sorted(ordered, key=sort_key) == ordered


def test_latin_letters_sort_without_case_before_thai() -> None:
    assert sorted(["ก", "b", "A", "a"], key=sort_key) == ["A", "a", "b", "ก"]


@given(st.lists(_THAI))
def test_different_words_never_share_a_key(words: list[str]) -> None:
    assert len({sort_key(word) for word in words}) == len(set(words))
