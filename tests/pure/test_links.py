"""Tokens: one spelling, one purpose, one list."""

import hmac
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.links import Links, Purpose, mac
from newsletter.mail import Address

SECRET = b"a signing key of thirty-two octets"
LINKS = Links(SECRET, "https://letters.example.org", "list.letters.example.org")
ANA = bytes(range(16))


@given(st.binary(min_size=16, max_size=16), st.sampled_from(Purpose))
def test_a_token_reads_back_for_its_purpose_and_for_no_other(subscriber: bytes, purpose: Purpose) -> None:
    token = LINKS.token(purpose, subscriber)
    assert LINKS.read(purpose, token) == subscriber
    assert all(LINKS.read(other, token) is None for other in Purpose if other is not purpose)


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=200))
def test_our_code_is_hmac(secret: bytes, message: bytes) -> None:
    assert mac(secret, message) == hmac.digest(secret, message, "sha256")


def test_both_ways_out_are_made_of_one_token() -> None:
    address = Address.parse("a+b%c@example.org")
    assert LINKS.unsubscribe(address, ANA) == (LINKS.unsubscribe_url(ANA), LINKS.unsubscribe_mailto(address, ANA))


def test_the_form_of_a_mailed_token_never_changes() -> None:
    assert LINKS.token(Purpose.UNSUBSCRIBE, ANA) == "AQABAgMEBQYHCAkKCwwNDg9CGGG1cG3kOzsQYI7NfcI5"


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda token: token + "=", id="padding at the end"),
        pytest.param(lambda token: token + "A", id="one character more"),
        pytest.param(lambda token: token[:-1], id="one character less"),
        pytest.param(lambda token: " " + token[1:], id="a space that a decoder would skip"),
        pytest.param(lambda token: token[:-1] + "+", id="the other base64 alphabet"),
        pytest.param(lambda token: token.swapcase(), id="other case"),
        pytest.param(lambda token: "é" + token[1:], id="a letter outside ASCII"),
        pytest.param(lambda token: "AC" + token[2:], id="another key id"),
        pytest.param(lambda token: "", id="nothing"),
        pytest.param(lambda token: "*" * 44, id="nothing that base64 knows"),
    ],
)
def test_a_token_that_is_not_canonical_reads_as_none(spoil) -> None:  # type: ignore[no-untyped-def]
    token = LINKS.token(Purpose.UNSUBSCRIBE, ANA)
    assert spoil(token) != token
    assert LINKS.read(Purpose.UNSUBSCRIBE, spoil(token)) is None


def test_every_other_character_in_any_place_is_refused() -> None:
    token = LINKS.token(Purpose.CONFIRM, ANA)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/.=%"
    forged = [token[:at] + c + token[at + 1 :] for at in range(len(token)) for c in alphabet if c != token[at]]
    assert [text for text in forged if LINKS.read(Purpose.CONFIRM, text) is not None] == []


def test_another_list_and_another_key_refuse_the_token() -> None:
    token = LINKS.token(Purpose.UNSUBSCRIBE, ANA)
    assert Links(SECRET, LINKS.url, "list.example.net").read(Purpose.UNSUBSCRIBE, token) is None
    assert Links(SECRET[::-1], LINKS.url, LINKS.list_id).read(Purpose.UNSUBSCRIBE, token) is None


def test_the_unsubscribe_url_ends_in_its_token() -> None:
    url = LINKS.unsubscribe_url(ANA)
    assert url == f"https://letters.example.org/u/{LINKS.token(Purpose.UNSUBSCRIBE, ANA)}"
    assert len(url) < 78
    assert Links(SECRET, "", LINKS.list_id).unsubscribe_url(ANA) == ""


@pytest.mark.parametrize("local", ["maya", "maya+list", "a%b", "a&b=c", "what?", "a/b", "o'neil"])
def test_the_mailto_form_carries_the_token_in_its_subject(local: str) -> None:
    uri = LINKS.unsubscribe_mailto(Address(local, "example.org"), ANA)
    parts = urlsplit(uri)
    assert (parts.scheme, unquote(parts.path)) == ("mailto", f"{local}@example.org")
    assert parse_qs(parts.query) == {"subject": [f"unsubscribe {LINKS.token(Purpose.UNSUBSCRIBE, ANA)}"]}
    assert uri.isascii()
    assert not set(uri) & set(' <>"')


def test_a_wrong_id_or_a_short_key_is_refused_and_the_key_is_never_shown() -> None:
    with pytest.raises(ValueError, match="16 octets"):
        LINKS.token(Purpose.UNSUBSCRIBE, b"short")
    with pytest.raises(ValueError, match="signing key"):
        Links(b"short", "", "x")
    assert "signing" not in repr(LINKS)
