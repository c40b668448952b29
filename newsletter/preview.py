"""The preview: a post as one reader will get it, before anybody does.

    outlook   when a reader gets the post, or got it, or why not
    write     a page to look at, with the letter on two screens, its text, its header fields and its size

Guarantees
    Changes no state: nothing is written but the files that `write` is asked for. The page loads nothing from
    anywhere and runs no script; what it shows is taken from the message's bytes, not from the post again.

Diagnostics
    `PostError`, `TemplateError` as for sending; `NewsletterError` when a file would take the place of another's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.config import Identity, Rules
from newsletter.errors import NewsletterError
from newsletter.posts import Post, PostStatus
from newsletter.proof import CLIP, SAMPLE, Proof
from newsletter.render import direction
from newsletter.render.templates import Filler
from newsletter.starter import builtin_templates
from newsletter.store import Store
from newsletter.store.accounts import Record
from newsletter.store.audience import Reader
from newsletter.store.forecast import forecast
from newsletter.store.schema import State
from newsletter.subscribers import Status

_NEAR_CLIP = 90 * 1024
_HORIZONS = (60, 730)  # days searched for a reader's turn: nearly always the first few weeks have it
_MARK = '<meta name="generator" content="newsletter">'
_ELSEWHERE = "choose another folder with --output"
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Outlook:
    """When a reader gets a post."""

    sentence: str
    at: datetime | None = None  #: when they got it, or will get it if nothing changes
    revision: str | None = None  #: of what they got


# --- when


def outlook(store: Store, identity: Identity, rules: Rules, post: Post, reader: Reader, *, at: datetime) -> Outlook:
    """When *reader* gets *post*, if nothing changes; *store* has to know the posts as they are now."""
    who, zone = reader.name or str(reader.address), ZoneInfo(reader.timezone) if reader.timezone else identity.timezone
    records = [r for r in store.accounts.history(reader) if r.ident == post.id]
    settled = next((o for r in reversed(records) if (o := _from_record(r, who, zone))), None)
    if settled:
        return settled
    if why := _never(post, reader, who):
        return Outlook(why)
    for days in _HORIZONS:
        coming = forecast(store, identity, rules, at=at, days=days, reader=reader.id)
        for expected in coming:
            if expected.post == post.number:
                return Outlook(f"{who} gets this {_moment(expected.at, zone)}.", expected.at)
    if reader.position >= post.number:
        return Outlook(f"{who} has come to #{reader.position} already, so this is not sent to them.")
    plan = f"`newsletter plan --as {reader.address}`"
    return Outlook(f"{who} does not come to this within two years; {plan} shows what they get.")


def _from_record(record: Record, who: str, zone: ZoneInfo) -> Outlook | None:
    """What the ledger says of a delivery that is settled, or can't go on by itself."""
    if record.state is State.ACCEPTED:
        return Outlook(f"{who} got this on {_moment(record.at, zone)}.", record.at, record.revision)
    kind = record.reason if record.state is State.SKIPPED else record.state
    if kind not in _SETTLED:
        return None
    return Outlook(_SETTLED[kind].format(who=who, when=_moment(record.at, zone), address=record.address))


_SETTLED = {
    State.UNCERTAIN: "This was handed over for {who} on {when}, without an answer; `newsletter status` says more.",
    State.REJECTED: "This was refused when it was sent to {who} on {when}; `newsletter history {address}` says why.",
    State.QUARANTINED: "This could not be composed for {who}; `newsletter status` says what to do.",
    "past": "{who} was past this number when it appeared, so it is not sent to them.",
    "audience": "{who} is not among the readers this post is for (its tags say so).",
    "stale": "{who} was away when this was news, so it is not sent to them any more.",
}


def _never(post: Post, reader: Reader, who: str) -> str:
    if post.status is PostStatus.DRAFT:
        return "This is a draft: nobody gets it before its front matter says status: live."
    if post.status is PostStatus.RETRACTED:
        return "This post is retracted: nobody gets it any more."
    if reader.status is not Status.ACTIVE:
        return f"{who} is {reader.status}, so nothing is sent to them."
    if reader.pauses:
        return f"{who} is paused, so nothing is sent to them; `newsletter subscribers resume {reader.address}`."
    return ""


def _moment(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%A %-d %B %Y, %H:%M} {zone.key}"


# --- the page


def warnings_of(post: Post, warnings: tuple[str, ...]) -> list[str]:
    """Those of a folder's *warnings* that are about *post*."""
    name = f"{post.path.parent.name}/{post.path.name}"
    return [w for w in warnings if w.startswith((f"{name}:", f"{name},", f"{name} "))]


def write(proof: Proof, folder: Path, *, sentence: str = "", warnings: Sequence[str] = ()) -> Path:
    """Write index.html, post.html, post.txt and post.eml into *folder*; the page's path.

    Raises `NewsletterError` when *folder* can't be written, or holds an index.html or post.* that is not ours.
    """
    contents = {
        "index.html": page(proof, sentence=sentence, warnings=warnings).encode(),
        "post.html": proof.page.encode(),
        "post.txt": proof.text.encode(),
        "post.eml": proof.message,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_strangers(folder, list(contents))
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise NewsletterError(f"{folder} can't be written ({error.strerror}); {_ELSEWHERE}.") from None
    return folder / "index.html"


def _refuse_strangers(folder: Path, names: list[str]) -> None:
    there = [name for name in names if (folder / name).exists()]
    index = folder / "index.html"
    if there and not (index.is_file() and _MARK.encode() in index.read_bytes()[:2_000]):
        raise NewsletterError(f"{folder} holds {there[0]}, which no preview wrote; {_ELSEWHERE}.")


def page(proof: Proof, *, sentence: str, warnings: Sequence[str]) -> str:
    """The page that shows *proof*."""
    post, identity = proof.post, proof.identity
    parsed = proof.parsed
    header = proof.message.partition(b"\r\n\r\n")[0].decode("ascii").replace("\r\n", "\n")
    language = post.language or identity.language
    return page_of(
        "preview.html",
        {
            "newsletter": identity.name,
            "number": post.number,
            "title": post.title,
            "about": _ABOUT[post.status],
            "path": f"{post.path.parent.name}/{post.path.name}",
            "reader": str(proof.recipient) if proof.recipient != SAMPLE else f"a sample reader, {SAMPLE.name}",
            "sentence": sentence,
            "warnings": [*warnings, *_too_long(proof.html_size)],
            "sender": identity.sender.name or identity.name,
            "subject": str(parsed["Subject"]),
            "preheader": proof.rendered.preheader,
            "day": f"{parsed['Date'].datetime.astimezone(identity.timezone):%-d %b}",
            "language": language,
            "direction": direction(language),
            "frame": framed(proof.page),
            "text": proof.text,
            "fields": [(name, str(value)) for name, value in parsed.items()],
            "raw_header": header,
            "html_size": proof.html_size,
            "clip": CLIP,
            "clip_near": _NEAR_CLIP,
            "size_words": f"The letter has {_kilobytes(proof.html_size)}; after 102 KB Gmail would cut it.",
            "total_words": ", ".join(_totals(parsed, proof)) + ".",
        },
    )


def page_of(name: str, values: Mapping[str, Any]) -> str:
    """Template *name* of templates/web with *values*."""
    return Filler(builtin_templates().parent / "web").fill(name, values)


def framed(html: str) -> str:
    """*html* for a sandboxed frame: a link in it opens beside the page, never in its place."""
    return _HEAD.sub(lambda head: f'{head[0]}<base target="_blank">', html, count=1)


_ABOUT = {
    PostStatus.DRAFT: "A draft: nobody gets it before its front matter says status: live.",
    PostStatus.LIVE: "Live: it leaves when its turn comes.",
    PostStatus.RETRACTED: "Retracted: nobody gets it any more.",
}


def _too_long(size: int) -> Iterator[str]:
    if size > CLIP:
        yield (
            f"The letter has {_kilobytes(size)} of HTML: Gmail cuts it after 102 KB and hides the rest, "
            "the unsubscribe link included. Make two posts of it."
        )
    elif size > _NEAR_CLIP:
        yield f"The letter has {_kilobytes(size)} of HTML; Gmail would cut it after 102 KB."


def _totals(parsed: EmailMessage, proof: Proof) -> Iterator[str]:
    pictures = [part for part in parsed.walk() if part.get_content_maintype() == "image"]
    yield f"The whole message has {_kilobytes(len(proof.message))}"
    if pictures:
        yield f"{len(pictures)} {'picture' if len(pictures) == 1 else 'pictures'} included"
    yield f"{len(proof.text.split()):,} words"


def _kilobytes(octets: int) -> str:
    return f"{max(1, round(octets / 1024)):,} KB"
