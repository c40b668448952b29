"""The copyist: writes notices out. They were composed when they were planned; envelope and signatures are missing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from newsletter.config import Dkim
from newsletter.errors import NewsletterError
from newsletter.mail import Address, Envelope, Message
from newsletter.store.attempts import Begun, Claim
from newsletter.store.notices import Notices


@dataclass(frozen=True, slots=True)
class Copyist:
    """A printer of notices; *sender* is their reverse path, *dkim* what they are signed with."""

    notices: Notices
    sender: Address
    dkim: Dkim | None = None

    def revision(self, ident: str) -> str:
        """Notices have none."""
        return ident

    def begun_with(self, claim: Claim) -> str | None:
        """As `revision`."""
        return claim.revision

    def print(self, claim: Claim, *, at: datetime) -> tuple[Begun, Message]:
        """The message of one notice, the same on every attempt but for its signatures."""
        message_id, body = self.notices.body(claim.id)
        content = hashlib.sha256(body).hexdigest()
        if claim.content and content != claim.content:
            raise NewsletterError("the bytes differ from those of the first attempt; it is not sent again.")
        date = claim.first_at or at
        begun = Begun(claim, claim.ident, date, message_id, content)
        return begun, Message(
            claim.id, message_id, Envelope(self.sender, claim.recipient.address), self._signed(body, date)
        )

    def _signed(self, body: bytes, date: datetime) -> bytes:
        if self.dkim is None or body.startswith(b"DKIM-Signature:"):  # a test is signed as the post would be
            return body
        from newsletter.compose import MessageTemplate
        from newsletter.compose.dkim import Signing
        from newsletter.keys import signing_keys

        return Signing(MessageTemplate((body,)), signing_keys(self.dkim)).signed(body, (), date)
