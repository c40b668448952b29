"""Real reports by the hundred: who is meant, and who is not to be mailed again.

The mails are not part of the project; where they are absent these tests are skipped. Half of the families of mail systems
are set apart by a hash of their names: rules are made by looking at the others, and judged by these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from newsletter.reports import Kind, Told, mails, read

ROOT = Path(__file__).parents[2]
PLACES = [ROOT / up / "shared" / "data" / "bounces" for up in ("..", "../..")]
FOLDER = next((place for place in PLACES if (place / "key.json").is_file()), None)
REPORTS = (Kind.BOUNCE, Kind.DELAYED, Kind.DELIVERED, Kind.COMPLAINT)

pytestmark = pytest.mark.skipif(FOLDER is None, reason="../shared/data/bounces is not here")


@dataclass
class Score:
    """How many of what the key says was found, and how much of what was found is in the key."""

    recipients: int = 0
    found: int = 0
    right: int = 0  #: removals
    wrong: int = 0
    missed: int = 0

    @property
    def precise(self) -> float:
        return self.right / (self.right + self.wrong)

    @property
    def complete(self) -> float:
        return self.right / (self.right + self.missed)


@cache
def key() -> dict[str, Any]:
    assert FOLDER is not None
    return json.loads((FOLDER / "key.json").read_text())  # type: ignore[no-any-return]


def mail(name: str) -> bytes:
    assert FOLDER is not None
    return (FOLDER / f"{name}.eml").read_bytes()


def apart() -> set[str]:
    """The families that rules are judged by."""
    families = {name.rpartition("-")[0] for name in key()}
    order = sorted(families, key=lambda family: sha256(f"split1{family}".encode()).hexdigest())
    return set(order[1::2])


def pairs(name: str) -> Iterator[tuple[Told | None, bool]]:
    """What is told of each recipient in the key, in order, and whether it should be removed."""
    told = [one for each in mails(mail(name)) for one in read(each) if one.recipient and one.kind in REPORTS]
    for at, wanted in enumerate(key()[name]):
        yield (told[at] if at < len(told) else None), wanted["hard"]
    for one in told[len(key()[name]) :]:
        yield one, False


def score(names: Iterator[str]) -> Score:
    total = Score()
    for name in names:
        total.recipients += len(key()[name])
        for told, hard in pairs(name):
            removed = told is not None and told.suppress
            total.found += told is not None
            total.right += removed and hard
            total.wrong += removed and not hard
            total.missed += hard and not removed
    return total


def test_the_figures() -> None:
    total = score(iter(key()))
    assert total.found / total.recipients >= 0.95
    assert total.precise >= 0.95
    assert total.complete >= 0.90


def test_the_figures_of_the_families_set_apart() -> None:
    total = score(name for name in key() if name.rpartition("-")[0] in apart())
    assert total.found / total.recipients >= 0.95
    assert total.precise >= 0.90  # thirty removals: one is three in the hundred
    assert total.complete >= 0.85


def test_no_report_is_taken_for_a_wish_to_leave_or_removes_without_a_recipient() -> None:
    for name in key():
        for one in read(mail(name)):
            assert one.kind is not Kind.UNSUBSCRIBE
            assert one.recipient or not one.suppress


@pytest.mark.slow
def test_cut_at_every_kilobyte() -> None:
    for name in key():
        whole = mail(name)
        for size in range(0, len(whole), 1_000):
            assert read(whole[:size])
