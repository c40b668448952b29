"""The press: turns claims into messages.

A post is rendered and compiled once a run (in memory) and once a revision (in the ledger, under its
hash); a reader's message is spliced from that. A further attempt takes the revision of the first, so
its bytes are the same, which is checked by hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from newsletter.config import Design, Identity
from newsletter.errors import NewsletterError
from newsletter.links import Links
from newsletter.mail import Envelope, Mailbox, Message
from newsletter.posts import Post
from newsletter.store.ledger import Begun, Claim, Ledger

if TYPE_CHECKING:
    from newsletter.compose import MessageTemplate
    from newsletter.render import Rendered

#: looks at a post before the first message of a revision leaves; raises `PostHeld`
Judge = Callable[[Post, "Rendered", "MessageTemplate"], None]


@dataclass(slots=True)
class Press:
    """Prints messages of *posts* in the owner's *design*."""

    posts: dict[str, Post]
    identity: Identity
    design: Design
    secret: bytes = field(repr=False)
    ledger: Ledger
    in_flight: dict[str, str] = field(default_factory=dict)  #: post → the revision a broadcast began with
    judge: Judge | None = None
    _revisions: dict[str, str] = field(default_factory=dict)  # post → revision of today
    _templates: dict[str, MessageTemplate] = field(default_factory=dict)  # by revision
    _kept: set[str] = field(default_factory=set)  # revisions known to be in the ledger

    @classmethod
    def of(cls, posts: Iterable[Post], identity: Identity, design: Design, secret: bytes, ledger: Ledger) -> Press:
        """A press for the posts of a folder."""
        return cls({p.id: p for p in posts}, identity, design, secret, ledger)

    def revision(self, ident: str) -> str:
        """The revision of the post as it is today, compiled on first use.

        Raises `PostError`, `TemplateError`; and `PostHeld` for one that never left and that the judge keeps back.
        """
        if ident not in self._revisions:
            from newsletter.compose import (
                compile_template,
            )  # rendering costs 0.4 s to import: only when something leaves
            from newsletter.render import render

            if ident not in self.posts:
                raise NewsletterError(f"the file of post {ident!r} is not usable now; `newsletter posts` says why.")
            rendered = render(self.posts[ident], self.identity, self.design)
            template = compile_template(rendered, self.identity, post_id=ident)
            revision = template.revision  # hashes the whole: once
            if self.judge and self.ledger.template(revision) is None:
                self.judge(self.posts[ident], rendered, template)
            self._revisions[ident], self._templates[revision] = revision, template
        return self._revisions[ident]

    def begun_with(self, claim: Claim) -> str | None:
        """The revision that a broadcast keeps for all its first copies, however its file was edited since."""
        return self.in_flight.get(claim.ident) if claim.copy == 0 else None

    def print(self, claim: Claim, *, at: datetime) -> tuple[Begun, Message]:
        """The message of one claim, and what its attempt fixes."""
        revision = claim.revision or self.begun_with(claim) or self._keep(claim, at)
        date = claim.first_at or at
        data, message_id = self._merge(self._template(revision), claim, date)
        content = hashlib.sha256(data).hexdigest()
        if claim.content and content != claim.content:
            raise NewsletterError(
                "the bytes differ from those of the first attempt (was secret.key or url changed?); it is not sent"
                " again."
            )
        envelope = Envelope(self.identity.sender.address, claim.recipient.address)
        begun = Begun(claim, revision, date, message_id, content)
        return begun, Message(claim.id, message_id, envelope, data)

    def reprint(
        self, revision: str, *, ident: str, epoch: int, copy: int, token: bytes, recipient: Mailbox, date: datetime
    ) -> bytes:
        """The bytes of an earlier attempt, rebuilt from what the ledger kept."""
        claim = Claim(0, 0, 0, ident, epoch, copy, 0, token, recipient, date, revision, None)
        return self._merge(self._template(revision), claim, date)[0]

    def _merge(self, template: MessageTemplate, claim: Claim, date: datetime) -> tuple[bytes, str]:
        from newsletter.compose import Personal, merge, message_id

        links = Links(self.secret, self.identity.url, self.identity.list_id)
        ident = message_id(
            self.secret, epoch=claim.epoch, post_id=claim.ident, subscriber=claim.token, copy=claim.copy,
            domain=self.identity.sender.address.domain,
        )  # fmt: skip
        personal = Personal(
            recipient=claim.recipient,
            date=date,
            message_id=ident,
            unsubscribe_url=links.unsubscribe_url(claim.token),
            unsubscribe_mailto=links.unsubscribe_mailto(self.identity.unsubscribe_address, claim.token),
        )
        return merge(template, personal), ident

    def _keep(self, claim: Claim, at: datetime) -> str:
        revision = self.revision(claim.ident)
        if revision not in self._kept:
            self.ledger.keep_template(revision, claim.post_id, self._templates[revision].dumps(), at=at)
            self._kept.add(revision)
        return revision

    def _template(self, revision: str) -> MessageTemplate:
        if revision not in self._templates:
            from newsletter.compose import MessageTemplate

            body = self.ledger.template(revision)
            if body is None:
                raise NewsletterError(f"the compiled template {revision[:12]} is missing from the database.")
            self._templates[revision] = MessageTemplate.loads(body)
        return self._templates[revision]
