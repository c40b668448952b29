"""The copyist: writes notices out. They were composed when they were planned, so only an envelope is missing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from newsletter.errors import NewsletterError
from newsletter.mail import Address, Envelope, Message
from newsletter.store.ledger import Begun, Claim
from newsletter.store.notices import Notices


@dataclass(frozen=True, slots=True)
class Copyist:
    """A printer of notices; *sender* is their reverse path."""

    notices: Notices
    sender: Address

    def revision(self, ident: str) -> str:
        """Notices have none."""
        return ident

    def begun_with(self, claim: Claim) -> str | None:
        """As `revision`."""
        return claim.revision

    def print(self, claim: Claim, *, at: datetime) -> tuple[Begun, Message]:
        """The message of one notice, the same on every attempt."""
        message_id, body = self.notices.body(claim.id)
        content = hashlib.sha256(body).hexdigest()
        if claim.content and content != claim.content:
            raise NewsletterError("the bytes differ from those of the first attempt; it is not sent again.")
        begun = Begun(claim, claim.ident, claim.first_at or at, message_id, content)
        return begun, Message(claim.id, message_id, Envelope(self.sender, claim.recipient.address), body)
