"""A trial: one post in a mailbox of the owner's own, before anybody else gets it.

Guarantees
    The ledger knows nothing of it and no reader's turn changes. The message is what the reader would get, byte for
    byte, but for the mark before its subject, its own address, and personal links that do nothing.

Diagnostics
    `PostError`, `TemplateError` as for sending; `ProviderError` when the provider refuses us; `TrialFailed` when it
    refuses the message, or gave no answer.
"""

from __future__ import annotations

from newsletter.errors import NewsletterError
from newsletter.mail import Accepted, Deferred, Envelope, Message, Outcome, Provider, Rejected, Uncertain
from newsletter.proof import Proof

MARK = "[Test]"  #: before the subject


class TrialFailed(NewsletterError):
    """A test message did not leave, or may not have left."""


def send(proof: Proof, provider: Provider) -> Accepted:
    """Hand *proof* (pulled with `MARK`) to *provider* for the address it is made for; what the provider said."""
    recipient = proof.recipient.address
    message_id = str(proof.parsed["Message-ID"]).strip("<>")
    message = Message(0, message_id, Envelope(proof.identity.sender.address, recipient), proof.message)
    outcomes = [outcome for _, outcome in provider.submit([message])]
    outcome = outcomes[-1] if outcomes else None
    if isinstance(outcome, Accepted):
        return outcome
    raise TrialFailed(_why(outcome, str(recipient)))


def _why(outcome: Outcome | None, to: str) -> str:
    if isinstance(outcome, Rejected):
        return f"the test to {to} was refused: {outcome.reply}. Check the address, and what the server says of you."
    if isinstance(outcome, Deferred):
        return f"the test to {to} was not taken for now: {outcome.reply}. Try again in a few minutes."
    said = f" ({outcome.diagnostic})" if isinstance(outcome, Uncertain) else ""
    return (
        f"nothing answered for the test to {to}{said}: it may have left or not. Look into the mailbox, or send another."
    )
