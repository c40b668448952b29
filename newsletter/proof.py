"""A proof: a post as one reader's message, before anybody gets it.

    pull        the message, byte for byte as it would leave, but with personal links that do nothing
    pull_from   the same from a template that is compiled already
    html_part   a message's HTML as a page that needs nothing else

What is judged (`checks`) and what is shown (`preview`) is taken from these bytes, not from the post again.

Guarantees
    Changes no state. The links in a proof unsubscribe nobody.

Diagnostics
    `PostError`, `TemplateError` as for sending.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from hashlib import sha256
from typing import cast

from newsletter.compose import MessageTemplate, Personal, compile_template, merge
from newsletter.compose.dkim import Signing
from newsletter.config import Design, Identity
from newsletter.keys import SigningKey
from newsletter.links import Purpose
from newsletter.mail import Address, Mailbox
from newsletter.posts import Post
from newsletter.render import Rendered, render

SAMPLE = Mailbox("Ana", Address("ana", "example.org"))  #: whom a letter is for when nobody is named
CLIP = 102 * 1024  #: octets of HTML after which Gmail cuts a message and hides what follows, the way out included
# As long as a real token, so that lines break where they will; and no token.
_NOBODY = "only-a-preview-this-link-unsubscribes-nobody"
_CID = re.compile(r'(?<=")cid:([^"]+)(?=")')


@dataclass(frozen=True)
class Proof:
    """One post as one reader's message, and what it was made from."""

    post: Post
    identity: Identity
    recipient: Mailbox
    rendered: Rendered
    message: bytes  #: exactly what would be submitted, but for the personal links
    revision: str

    @cached_property
    def parsed(self) -> EmailMessage:
        """The message as the standard library reads it."""
        return message_from_bytes(self.message, policy=policy.default)

    @cached_property
    def html(self) -> str:
        """Its HTML part, line ends LF."""
        return _body(self.parsed, "html")

    @cached_property
    def text(self) -> str:
        """Its plain-text part, line ends LF."""
        return _body(self.parsed, "plain")

    @cached_property
    def page(self) -> str:
        """Its HTML part as a page of its own: its images stand in place of their addresses, hosted ones as well."""
        html = _whole(self.parsed)
        for image in self.rendered.media:
            html = (
                html.replace(f'"{image.url}"', f'"{_data(f"image/{image.subtype}", image.data)}"')
                if image.url
                else html
            )
        return html

    @property
    def html_size(self) -> int:
        """Octets of the HTML part, decoded: what Gmail measures."""
        return len(self.html.encode())


def pull(
    post: Post,
    identity: Identity,
    design: Design,
    recipient: Mailbox,
    *,
    date: datetime,
    mark: str = "",
    keys: Sequence[SigningKey] = (),
    leniently: bool = False,
) -> Proof:
    """*post* as *recipient* would get it at *date*, signed with *keys*; raises `PostError`, `TemplateError`.

    *leniently* without the images and links that can't work.

    With a *mark* before its subject it is going to be sent, so its Message-ID is another one each time: mailboxes drop
    what they have already.
    """
    rendered = render(post, identity, design, leniently=leniently)
    if mark:
        rendered = replace(rendered, subject=f"{mark} {rendered.subject}")
    template = compile_template(rendered, identity, post_id=post.id)
    unique = f"{recipient.address} {date.isoformat()}" if mark else ""
    return pull_from(template, rendered, post, identity, recipient, date=date, unique=unique, keys=keys)


def pull_from(
    template: MessageTemplate,
    rendered: Rendered,
    post: Post,
    identity: Identity,
    recipient: Mailbox = SAMPLE,
    *,
    date: datetime,
    unique: str = "",
    keys: Sequence[SigningKey] = (),
) -> Proof:
    """*post*, *rendered* and compiled to *template*, as *recipient* would get it at *date*, signed with *keys*.

    *unique* words make its Message-ID another one than that of the post's other proofs.
    """
    domain = identity.sender.address.domain
    personal = Personal(
        recipient=recipient,
        date=date,
        message_id=f"{sha256(f'preview {post.id} {unique}'.encode()).hexdigest()[:40]}@{domain}",
        unsubscribe_url=f"{identity.url}/{Purpose.UNSUBSCRIBE}/{_NOBODY}" if identity.url else "",
        unsubscribe_mailto=f"mailto:{identity.unsubscribe_address}?subject=only%20a%20preview%2C%20nobody%20unsubscribes",
    )
    message = merge(template, personal)
    if keys:
        message = Signing(template, keys).signed(message, template.values(personal), date)
    return Proof(post, identity, recipient, rendered, message, template.revision)


def html_part(message: bytes) -> str:
    """The HTML part of *message* as a page that needs nothing else."""
    return _whole(message_from_bytes(message, policy=policy.default))


def _whole(parsed: EmailMessage) -> str:
    images = {
        str(part["Content-ID"]).strip("<>"): _data(part.get_content_type(), cast(bytes, part.get_payload(decode=True)))
        for part in parsed.walk()
        if part["Content-ID"]
    }
    return _CID.sub(lambda found: images.get(found[1], found[0]), _body(parsed, "html"))


def _data(kind: str, octets: bytes) -> str:
    return f"data:{kind};base64,{b64encode(octets).decode()}"


def _body(parsed: EmailMessage, kind: str) -> str:
    part = next(p for p in parsed.walk() if p.get_content_type() == f"text/{kind}")
    return cast(bytes, part.get_payload(decode=True)).decode().replace("\r\n", "\n")
