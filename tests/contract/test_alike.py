"""Nobody learns from a form who is a reader: the answers take equally long, as far as two thousand pairs can tell."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from statistics import NormalDist
from time import perf_counter

import pytest
from visits import SECRET, Site

from newsletter.config import Rate, Web
from newsletter.links import Purpose
from newsletter.store import Store
from newsletter.web.forms import new_nonce

PAIRS = 2_000
KNOWN = "ana@example.org"
_SURE = NormalDist().inv_cdf(1 - 1e-6 / 2)  # one run in a million is called different that is not


@pytest.fixture
def site(store: Store) -> Iterator[Site]:
    if store.engine.dialect.name != "sqlite":
        pytest.skip("what is done for a sign-up is the same on both databases")
    plenty = Rate(1_000_000, timedelta(hours=1))
    made = Site(store, web=Web(sign_ups=plenty, sign_ups_per_network=plenty))
    yield made
    made.close()


def took(site: Site, address: str, nonce: str) -> float:
    """Seconds until the form is answered. What is written to the address comes after that, and is not awaited."""
    begun = perf_counter()
    answer = site.post("/subscribe", {"email": address, "nonce": nonce})
    seconds = perf_counter() - begun
    assert answer.status in (200, 422)
    return seconds


def differ(first: list[float], second: list[float]) -> float:
    """How far two samples are apart, in standard deviations: by ranks (Mann and Whitney), which outliers don't move."""
    ranked = sorted((value, which) for which, values in enumerate((first, second)) for value in values)
    n, m = len(first), len(second)
    ranks = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which == 0)
    return abs(ranks - n * (n + m + 1) / 2) / (n * m * (n + m + 1) / 12) ** 0.5


def interleaved(site: Site, one: list[str], other: list[str]) -> tuple[list[float], list[float]]:
    """The times of *one* and *other* in pairs, whose order is by the dice: whatever else happens, happens to both."""
    dice, times = random.Random(4), ([], [])  # type: ignore[var-annotated]
    nonces = iter([new_nonce(SECRET, at=site.now - timedelta(seconds=9)) for _ in range(len(one) + len(other))])
    for n, pair in enumerate(zip(one, other, strict=True)):
        for which in dice.sample((0, 1), 2):
            times[which].append(took(site, pair[which], next(nonces)))
        if n % 100 == 99:
            site.take_up()
    return times


def test_known_and_unknown_addresses_take_equally_long(site: Site) -> None:
    site.member(KNOWN)
    unknown = [f"nobody{n:04d}@example.org" for n in range(PAIRS)]
    known = [KNOWN] * PAIRS
    assert differ(*interleaved(site, known, unknown)) < _SURE


def test_every_kind_of_known_address_takes_as_long(site: Site) -> None:
    """A reader, one who left, and one who has still to confirm."""
    left, pending = "left@example.org", "pending@example.org"
    for address in (KNOWN, left):
        site.member(address)
    site.post(site.path(Purpose.UNSUBSCRIBE, left), {"do": "leave"})
    site.sign_up(pending)
    rest = PAIRS // 4
    for other in (left, pending):
        assert differ(*interleaved(site, [KNOWN] * rest, [other] * rest)) < _SURE


def test_the_measure_sees_what_is_not_alike(site: Site) -> None:
    """An address that is none is told so at once: that difference, of a fraction of a millisecond, is seen."""
    fine = [f"nobody{n:04d}@example.org" for n in range(200)]
    assert differ(*interleaved(site, fine, ["none"] * 200)) > _SURE
