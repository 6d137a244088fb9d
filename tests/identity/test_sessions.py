"""A session holds who a token proved, no longer than the token does."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from services.eventlog.position import Position, PositionTokens
from services.identity.identity import Identity
from services.identity.sessions import NoSession, SessionOver, Sessions, SessionUnknown, session_of
from services.identity.tokens import Believed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = Fernet.generate_key()
SESSIONS = Sessions(SECRET)
PROVED = Believed(Identity("deputy", "a"), "k", NOW.timestamp(), (NOW + HOUR).timestamp())
OPENED = session_of(PROVED, id_="one")


def test_a_session_is_opened_as_it_was_sealed_by_whoever_has_the_secret() -> None:
    assert Sessions(SECRET).open(SESSIONS.seal(OPENED), now=NOW) == OPENED


def test_a_cookie_says_nothing_of_whom_it_is_for() -> None:
    assert "deputy" not in SESSIONS.seal(OPENED)


def test_a_session_ends_with_its_token_without_a_leeway() -> None:
    cookie = SESSIONS.seal(OPENED)
    assert SESSIONS.open(cookie, now=NOW + HOUR - timedelta(seconds=1)) == OPENED
    with pytest.raises(SessionOver):
        SESSIONS.open(cookie, now=NOW + HOUR)


def test_an_ended_session_is_over_and_another_of_the_same_identity_is_not() -> None:
    sessions, other = Sessions(SECRET), session_of(PROVED, id_="two")
    sessions.end(OPENED, now=NOW)
    with pytest.raises(SessionOver):
        sessions.open(sessions.seal(OPENED), now=NOW)
    assert sessions.open(sessions.seal(other), now=NOW) == other


def test_another_networks_cookie_is_unknown() -> None:
    with pytest.raises(SessionUnknown):
        SESSIONS.open(Sessions(Fernet.generate_key()).seal(OPENED), now=NOW)


def test_a_position_token_is_no_session_though_the_secret_is_the_same() -> None:
    with pytest.raises(SessionUnknown):
        SESSIONS.open(PositionTokens(SECRET, epoch=1).seal(Position({1: 2})), now=NOW)


@given(st.text(max_size=200))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(NoSession):
        SESSIONS.open(text, now=NOW)


@given(st.integers(min_value=0), st.sampled_from("AZaz09-_"))
def test_a_changed_cookie_is_refused(place: int, letter: str) -> None:
    cookie = SESSIONS.seal(OPENED)
    # The last letter holds bits that stand for nothing.
    place %= len(cookie) - 1
    if cookie[place] == letter:
        return
    with pytest.raises(SessionUnknown):
        SESSIONS.open(cookie[:place] + letter + cookie[place + 1 :], now=NOW)


def test_a_cookie_is_not_read_beyond_its_size() -> None:
    with pytest.raises(SessionUnknown):
        SESSIONS.open("A" * 5_000, now=NOW)
