"""The press: turns claims into messages.

A post is rendered and compiled once a run (in memory) and once a revision (in the ledger, under its
hash); a reader's message is spliced from that. A further attempt takes the revision of the first, so
its bytes are the same, which is checked by hash. The hash leaves DKIM signatures out: else a message in
doubt could never leave again once a key was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from newsletter.config import Design, Identity
from newsletter.errors import NewsletterError
from newsletter.keys import SigningKey
from newsletter.links import Links
from newsletter.mail import Address, Envelope, Mailbox, Message
from newsletter.posts import Post
from newsletter.store.attempts import Begun, Claim
from newsletter.store.ledger import Ledger
from newsletter.verp import ReversePaths

if TYPE_CHECKING:
    from newsletter.compose import MessageTemplate
    from newsletter.render import Rendered

#: looks at a post before the first message of a revision leaves; raises `PostHeld`
Judge = Callable[[Post, "Rendered", "MessageTemplate"], None]


class _Plate:
    """A template made ready for a run: what all its messages share is at hand, so that one costs 20 µs."""

    def __init__(
        self, template: MessageTemplate, identity: Identity, secret: bytes, keys: Sequence[SigningKey]
    ) -> None:
        from newsletter.compose import Personal, message_id
        from newsletter.compose.dkim import Signing

        self._template = template
        self._personal = Personal
        self._message_id = partial(message_id, secret, domain=identity.sender.address.domain)
        self._unsubscribe = partial(
            Links(secret, identity.url, identity.list_id).unsubscribe, identity.unsubscribe_address
        )
        self._signed = Signing(template, keys).signed if keys else None

    def print(self, claim: Claim, date: datetime, sender: Address) -> tuple[Message, str]:
        """One message, and the hash of its content."""
        ident = self._message_id(epoch=claim.epoch, post_id=claim.ident, subscriber=claim.token, copy=claim.copy)
        values = self._template.values(self._personal(claim.recipient, date, ident, *self._unsubscribe(claim.token)))
        pieces = self._template.pieces(values)
        data = b"".join(pieces)
        if self._signed:
            signed = self._signed(data, values, date)
            pieces.insert(0, signed[: len(signed) - len(data)])
            data = signed
        envelope = Envelope(sender, claim.recipient.address)
        message = Message(claim.id, ident, envelope, data, pieces, self._template, values)
        return message, self._template.fingerprint(values)


@dataclass(slots=True)
class Press:
    """Prints messages of *posts* in the owner's *design*."""

    posts: dict[str, Post]
    identity: Identity
    design: Design
    secret: bytes = field(repr=False)
    ledger: Ledger
    keys: Sequence[SigningKey] = ()  #: each puts a DKIM signature in front of every message
    in_flight: dict[str, str] = field(default_factory=dict)  #: post → the revision a broadcast began with
    judge: Judge | None = None
    _revisions: dict[str, str] = field(default_factory=dict)  # post → revision of today
    _templates: dict[str, MessageTemplate] = field(default_factory=dict)  # by revision
    _plates: dict[str, _Plate] = field(default_factory=dict)  # by revision
    _kept: set[str] = field(default_factory=set)  # revisions known to be in the ledger
    _reverse_path: Callable[[int], Address] = field(init=False, repr=False)  # of a delivery

    def __post_init__(self) -> None:
        sender, to = self.identity.sender.address, self.identity.bounces_to
        self._reverse_path = ReversePaths(self.secret, to, self.identity.list_id).path if to else lambda _: sender

    @classmethod
    def of(
        cls,
        posts: Iterable[Post],
        identity: Identity,
        design: Design,
        secret: bytes,
        ledger: Ledger,
        keys: Sequence[SigningKey] = (),
    ) -> Press:
        """A press for the posts of a folder."""
        return cls({p.id: p for p in posts}, identity, design, secret, ledger, keys)

    def revision(self, ident: str) -> str:
        """The revision of the post as it is today, compiled on first use.

        Raises `PostError`, `TemplateError`; and `PostHeld` for one that never left and that the judge keeps back.
        """
        if ident not in self._revisions:
            # Rendering costs 0.4 s to import: only when something leaves.
            from newsletter.compose import compile_template
            from newsletter.render import render

            if ident not in self.posts:
                raise NewsletterError(f"the file of post {ident!r} is not usable now; `newsletter posts` says why.")
            rendered = render(self.posts[ident], self.identity, self.design)
            template = compile_template(rendered, self.identity, post_id=ident)
            if self.judge and self.ledger.template(template.revision) is None:
                self.judge(self.posts[ident], rendered, template)
            self._revisions[ident], self._templates[template.revision] = template.revision, template
        return self._revisions[ident]

    def begun_with(self, claim: Claim) -> str | None:
        """The revision that a broadcast keeps for all its first copies, however its file was edited since."""
        return self.in_flight.get(claim.ident) if claim.copy == 0 else None

    def print(self, claim: Claim, *, at: datetime) -> tuple[Begun, Message]:
        """The message of one claim, and what its attempt fixes."""
        revision = claim.revision or self.begun_with(claim) or self._keep(claim, at)
        date = claim.first_at or at
        message, content = self._plate(revision).print(claim, date, self._reverse_path(claim.id))
        if claim.content and content != claim.content:
            raise NewsletterError(
                "the bytes differ from those of the first attempt (was secret.key or url changed?); it is not sent"
                " again."
            )
        return Begun(claim, revision, date, message.message_id, content), message

    def reprint(
        self, revision: str, *, ident: str, epoch: int, copy: int, token: bytes, recipient: Mailbox, date: datetime
    ) -> tuple[bytes, str]:
        """The bytes of an earlier attempt, and the hash of their content.

        Rebuilt from what the ledger kept, and signed with the keys of today.
        """
        claim = Claim(0, 0, 0, ident, epoch, copy, 0, token, recipient, date, revision, None)
        message, content = self._plate(revision).print(claim, date, self.identity.sender.address)
        return message.data, content

    def _keep(self, claim: Claim, at: datetime) -> str:
        revision = self.revision(claim.ident)
        if revision not in self._kept:
            self.ledger.keep_template(revision, claim.post_id, self._templates[revision].dumps(), at=at)
            self._kept.add(revision)
        return revision

    def _plate(self, revision: str) -> _Plate:
        if revision not in self._plates:
            self._plates[revision] = _Plate(self._template(revision), self.identity, self.secret, self.keys)
        return self._plates[revision]

    def _template(self, revision: str) -> MessageTemplate:
        if revision not in self._templates:
            from newsletter.compose import MessageTemplate

            body = self.ledger.template(revision)
            if body is None:
                raise NewsletterError(f"the compiled template {revision[:12]} is missing from the database.")
            template = MessageTemplate.loads(body)
            if template.revision != revision:
                raise NewsletterError(f"the compiled template {revision[:12]} was damaged; restore a backup.")
            self._templates[revision] = template
        return self._templates[revision]
