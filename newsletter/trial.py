"""A trial: one post in a mailbox of the owner's own, before anybody else gets it.

It is a notice (`store.notices`): planned, begun and recorded by the same loop as every post, and of no use after a few
minutes.

Guarantees
    The ledger knows nothing of it and no reader's turn changes. The message is what the reader would get, byte for
    byte, but for the mark before its subject, its own address, and personal links that do nothing.

Diagnostics
    `PostError`, `TemplateError` as for sending; `ProviderError` when the provider refuses us; `TrialFailed` when it
    refuses the message, or gave no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from newsletter.config import OnUncertain
from newsletter.copyist import Copyist
from newsletter.delivery import deliver
from newsletter.errors import NewsletterError, ProviderError
from newsletter.mail import Provider
from newsletter.proof import Proof
from newsletter.store import Store
from newsletter.store.notices import Fate, Kind, Notice
from newsletter.store.schema import State

MARK = "[Test]"  #: before the subject
_LIFETIME = timedelta(minutes=10)  # who asked for it looks now


class TrialFailed(NewsletterError):
    """A test message did not leave, or may not have left."""


def send(proof: Proof, store: Store, provider: Provider, *, now: Callable[[], datetime]) -> Fate:
    """Hand *proof* (pulled with `MARK`) to *provider* for the address it is made for; what came of it."""
    message_id = str(proof.parsed["Message-ID"]).strip("<>")
    notice = Notice(Kind.TEST, proof.recipient, proof.parsed["Date"].datetime, message_id, proof.message, _LIFETIME)
    planned = store.notices.plan(notice, at=now())
    report = deliver(
        store,
        provider,
        Copyist(store.notices, proof.identity.sender.address),
        book=store.notices,
        now=now,
        on_uncertain=OnUncertain.HOLD,
        jitter=lambda: 0.5,
    )
    fate = store.notices.fate(planned) if planned else None
    if fate is not None and fate.state is State.ACCEPTED:
        return fate
    if fate is None or fate.state is State.PLANNED:
        raise ProviderError("; ".join(report.problems) or "too many messages left in the last hour; try again later.")
    raise TrialFailed(_WHY.get(fate.state, _LOST).format(to=fate.address, reply=fate.reply))


_WHY = {
    State.REJECTED: "the test to {to} was refused: {reply}. Check the address, and what the server says of you.",
    State.DEFERRED: "the test to {to} was not taken for now: {reply}. Try again in a few minutes.",
}
_LOST = (
    "nothing answered for the test to {to} ({reply}): it may have left or not. Look into the mailbox, or send another."
)
