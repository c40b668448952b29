"""DMARC: the tree walk, the policy that holds, and what is aligned (RFC 9989 sections 4.4, 4.7 and 4.10)."""

from __future__ import annotations

import pytest
from zone import Zone

from newsletter.doctor.dmarc import Wish, aligned, organisation, places, policy, read

DEEP = "a.b.c.d.e.f.g.h.i.j.mail.example.com"


# The walk


@pytest.mark.parametrize(
    ("domain", "asked"),
    [
        pytest.param("example.com", ["example.com", "com"], id="two labels"),
        pytest.param(
            "a.mail.example.com", ["a.mail.example.com", "mail.example.com", "example.com", "com"], id="four labels"
        ),
        pytest.param(
            "a.b.c.d.e.f.g.com",
            ["a.b.c.d.e.f.g.com", "b.c.d.e.f.g.com", "c.d.e.f.g.com", "d.e.f.g.com", "e.f.g.com", "f.g.com", "g.com",
             "com"],
            id="eight labels: one at a time, eight questions",
        ),
        pytest.param(
            DEEP,
            [DEEP, "g.h.i.j.mail.example.com", "h.i.j.mail.example.com", "i.j.mail.example.com", "j.mail.example.com",
             "mail.example.com", "example.com", "com"],
            id="more than eight: seven are left after the first",
        ),
    ],
)  # fmt: skip
def test_where_a_walk_looks(domain: str, asked: list[str]) -> None:
    assert places(domain) == asked
    zone = Zone()
    assert policy(zone, domain) is None
    assert zone.asked[: len(asked)] == [(f"_dmarc.{name}", "TXT") for name in asked]


@pytest.mark.parametrize(
    ("zone", "domain", "owner"),
    [
        pytest.param("", "a.mail.example.com", "a.mail.example.com", id="no record at all: the domain itself"),
        pytest.param(
            "_dmarc.mail.example.com TXT v=DMARC1; p=none\n_dmarc.example.com TXT v=DMARC1; p=none",
            "a.mail.example.com", "example.com", id="the record with the fewest labels",
        ),
        pytest.param("_dmarc.com TXT v=DMARC1; p=none; psd=y", "a.mail.example.com", "example.com",
                     id="one label below a public suffix"),
        pytest.param("_dmarc.co.uk TXT v=DMARC1; p=none; psd=y", "mail.example.co.uk", "example.co.uk",
                     id="a public suffix of two labels"),
        pytest.param("_dmarc.com TXT v=DMARC1; p=none; psd=y", "com", "com", id="a public suffix that writes itself"),
        pytest.param(
            "_dmarc.mail.example.com TXT v=DMARC1; psd=n\n_dmarc.example.com TXT v=DMARC1; p=none",
            "a.mail.example.com", "mail.example.com", id="psd=n is an organisation whatever stands above",
        ),
        pytest.param("_dmarc.example.com TXT v=DMARC1; p=none", DEEP, "example.com", id="over the gap of a long name"),
        pytest.param("_dmarc.c.d.e.f.g.h.i.j.mail.example.com TXT v=DMARC1; p=none", DEEP, DEEP,
                     id="what stands within the gap is not seen"),
        pytest.param(
            "_dmarc.example.com TXT v=DMARC1; p=none\n_dmarc.example.com TXT v=DMARC1; p=reject",
            "mail.example.com", "mail.example.com", id="two records at one name are none",
        ),
        pytest.param("_dmarc.example.com TXT v=dmarc1; p=none", "mail.example.com", "mail.example.com",
                     id="the version is written in capitals"),
        pytest.param("_dmarc.example.com TXT p=none; v=DMARC1", "mail.example.com", "mail.example.com",
                     id="the version comes first"),
        pytest.param("_dmarc.example.com TXT v = DMARC1 ; p=none", "mail.example.com", "example.com",
                     id="white space is allowed"),
        pytest.param("_dmarc.example.com TXT v=DMARC10; p=none", "mail.example.com", "mail.example.com",
                     id="another version"),
    ],
)  # fmt: skip
def test_the_organisational_domain(zone: str, domain: str, owner: str) -> None:
    assert organisation(Zone(zone), domain) == owner


def test_a_walk_ends_at_psd() -> None:
    zone = Zone("_dmarc.mail.example.com TXT v=DMARC1; psd=n")
    organisation(zone, "a.mail.example.com")
    assert [name for name, _ in zone.asked] == ["_dmarc.a.mail.example.com", "_dmarc.mail.example.com"]


# The policy


@pytest.mark.parametrize(
    ("zone", "place", "wish"),
    [
        pytest.param("_dmarc.letters.example.com TXT v=DMARC1; p=reject\n_dmarc.example.com TXT v=DMARC1; p=none",
                     "letters.example.com", Wish.REJECT, id="its own before its organisation's"),
        pytest.param("_dmarc.example.com TXT v=DMARC1; p=quarantine", "example.com", Wish.QUARANTINE,
                     id="p holds for what is below"),
        pytest.param("_dmarc.example.com TXT v=DMARC1; p=none; sp=reject", "example.com", Wish.REJECT,
                     id="sp is for what is below"),
        pytest.param("_dmarc.letters.example.com TXT v=DMARC1; p=none; sp=reject", "letters.example.com", Wish.NONE,
                     id="sp is not for the domain itself"),
        pytest.param("_dmarc.com TXT v=DMARC1; p=reject; psd=y", "com", Wish.REJECT, id="a public suffix's, at last"),
        pytest.param("_dmarc.example.com TXT v=DMARC1; adkim=s", "example.com", Wish.NONE, id="without p it is none"),
        pytest.param("_dmarc.example.com TXT v=DMARC1; p=REJECT", "example.com", Wish.REJECT, id="capitals in values"),
        pytest.param("_dmarc.example.com TXT v=DMARC1; p=block", "example.com", None, id="a word that is none voids it"),
        pytest.param("_dmarc.example.com TXT v=DMARC1; p=none; sp=block; rua=mailto:d@example.com", "example.com",
                     Wish.NONE, id="but for reports"),
        pytest.param("_dmarc.example.com TXT v=DMARC1; p=block; rua=nonsense", "example.com", None,
                     id="an address that is none saves nothing"),
    ],
)  # fmt: skip
def test_the_policy_for_letters_example_com(zone: str, place: str, wish: Wish | None) -> None:
    found = policy(Zone(zone), "letters.example.com")
    assert found is not None
    assert (found.domain, found.wish("letters.example.com")) == (place, wish)


@pytest.mark.parametrize(
    ("record", "wish"),
    [
        ("v=DMARC1; p=none; sp=quarantine; np=reject", Wish.REJECT),
        ("v=DMARC1; p=none; sp=quarantine", Wish.QUARANTINE),
        ("v=DMARC1; p=none", Wish.NONE),
    ],
)
def test_a_name_that_is_not_there_has_np_then_sp_then_p(record: str, wish: Wish) -> None:
    assert read("example.com", record).wish("x.example.com", exists=False) is wish


def test_what_can_t_be_read_is_left_out_and_said() -> None:
    found = read("example.com", "v=DMARC1; p=reject; nonsense; adkim=s")
    assert found.wish("example.com") is Wish.REJECT
    assert found.strict("adkim")
    assert not found.strict("aspf")
    assert "nonsense" in found.fault


# Alignment

ONE = "_dmarc.example.com TXT v=DMARC1; p=reject"


@pytest.mark.parametrize(
    ("zone", "author", "authenticated", "relaxed", "strict"),
    [
        pytest.param(ONE, "example.com", "example.com", True, True, id="the same"),
        pytest.param(ONE, "letters.example.com", "example.com", True, False, id="one above"),
        pytest.param(ONE, "letters.example.com", "bounce.example.com", True, False, id="side by side"),
        pytest.param(ONE, "example.com", "example.net", False, False, id="somebody else"),
        pytest.param(ONE, "example.com", "notexample.com", False, False, id="a name that ends alike"),
        pytest.param("_dmarc.com TXT v=DMARC1; psd=y", "a.example.com", "b.example.com", True, False,
                     id="below one public suffix, one owner"),
        pytest.param("_dmarc.com TXT v=DMARC1; psd=y", "example.com", "other.com", False, False,
                     id="below one public suffix, two owners"),
        pytest.param("_dmarc.a.example.com TXT v=DMARC1; psd=n\n" + ONE, "a.example.com", "b.example.com", False, False,
                     id="psd=n makes a country of its own"),
    ],
)  # fmt: skip
def test_who_speaks_for_whom(zone: str, author: str, authenticated: str, relaxed: bool, strict: bool) -> None:
    assert aligned(Zone(zone), author, authenticated, strict=False) is relaxed
    assert aligned(Zone(zone), author, authenticated, strict=True) is strict
