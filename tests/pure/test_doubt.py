"""Whom doubt is put to, and how long a provider of before may be out of reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from newsletter.config import OnUncertain
from newsletter.delivery import reconcile
from newsletter.errors import ProviderError
from newsletter.mail import Accepted, Message, Outcome, Uncertain
from newsletter.store.ledger import Doubt

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Book:
    doubts: list[Doubt]
    settled: list[tuple[int, bool | None, bool]] = field(default_factory=list)

    def sweep(self, **_: object) -> int:
        return 0

    def in_doubt(self, *, at: datetime) -> Iterable[Doubt]:
        return self.doubts

    def settle_doubt(self, delivery: int, *, arrived: bool | None, at: datetime, resend: bool) -> None:
        self.settled.append((delivery, arrived, resend))


@dataclass
class Asked:
    name: str
    says: Accepted | Uncertain | ProviderError | None
    window: int = 1

    def submit(self, messages: Iterable[Message]) -> Any:
        raise AssertionError("nothing is sent to settle a doubt")

    def lookup(self, message_id: str, *, since: datetime) -> Outcome | None:
        if isinstance(self.says, ProviderError):
            raise self.says
        return self.says


@pytest.mark.parametrize(
    ("says", "since", "settled"),
    [
        pytest.param(Accepted(), HOUR, [(1, True, True)], id="it has the letter"),
        pytest.param(None, HOUR, [(1, False, True)], id="it certainly has not"),
        pytest.param(Uncertain(""), HOUR, [(1, None, True)], id="it can't say"),
        pytest.param(ProviderError("away"), HOUR, [], id="it is away, so the doubt waits"),
        pytest.param(ProviderError("away"), 25 * HOUR, [(1, None, True)], id="it has been away for a day"),
    ],
)
def test_the_one_before_is_asked_and_the_one_of_now_is_not(
    says: Any, since: timedelta, settled: list[tuple[int, bool | None, bool]]
) -> None:
    doubts = [Doubt(1, "a", "before", False, AT - since), Doubt(2, "b", "now", False, AT - since)]
    book, now, before = Book(doubts), Asked("now", Accepted()), Asked("before", says)
    reconcile(
        book, now, now=lambda: AT, on_uncertain=OnUncertain.RESEND,  # type: ignore[arg-type]
        earlier=lambda name: before if name == "before" else None,
    )  # fmt: skip
    assert book.settled == [*settled, (2, True, True)]


def test_whoever_is_not_known_any_more_is_not_asked() -> None:
    book = Book([Doubt(1, "a", "gone", True, AT)])
    reconcile(book, Asked("now", Accepted()), now=lambda: AT, on_uncertain=OnUncertain.RESEND)  # type: ignore[arg-type]
    assert book.settled == [(1, None, False)]
