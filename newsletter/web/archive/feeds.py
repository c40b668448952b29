"""Feeds: the letters for programs that look for new ones, as Atom (RFC 4287) and RSS 2.0, with their whole text.

Guarantees
    Well-formed XML 1.0, whatever a post says. Every address in them is absolute. What names a letter is made from its
    id alone, so that no new title, file or website shows it twice. No instant in them is that of the writing.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from newsletter.config import Identity
from newsletter.render import HERE
from newsletter.web.archive.shelf import Letter

MOST = 50  #: letters in a feed, the latest
ATOM, RSS = "application/atom+xml", "application/rss+xml"
FILES = {ATOM: "atom.xml", RSS: "rss.xml"}  #: media type → name

_ATOM = "http://www.w3.org/2005/Atom"
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_DC = "http://purl.org/dc/elements/1.1/"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# XML 1.0 section 2.2, Char: what can't stand in a document, not even escaped.
_NO_CHAR = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

ElementTree.register_namespace("content", _CONTENT)
ElementTree.register_namespace("dc", _DC)


def latest(letters: Iterable[Letter]) -> list[Letter]:
    """What a feed has of *letters*, the latest first."""
    return sorted(letters, key=lambda letter: (letter.published, letter.post.number), reverse=True)[:MOST]


def atom(letters: Sequence[Letter], identity: Identity, *, site: str, home: str, changed: datetime) -> bytes:
    """*letters* as Atom; *site* is the address that they lie below, *home* that of their index."""
    # The default namespace by hand: ElementTree would give every element a prefix, which simple readers stumble over.
    feed = Element("feed", {"xmlns": _ATOM, _LANGUAGE: identity.language})
    _add(feed, "id", _urn(identity, ""))
    _add(feed, "title", identity.name)
    _add(feed, "updated", _rfc3339(changed))
    SubElement(feed, "link", {"rel": "self", "type": ATOM, "href": f"{site}/{FILES[ATOM]}"})
    SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": home})
    _add(SubElement(feed, "author"), "name", identity.sender.name or identity.name)
    for letter in letters:
        post, shown = letter.post, letter.shown
        entry = SubElement(feed, "entry", {_LANGUAGE: shown.language})
        _add(entry, "id", _urn(identity, post.id))
        _add(entry, "title", shown.title)
        SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": f"{site}/p/{post.id}"})
        _add(entry, "published", _rfc3339(letter.published))
        _add(entry, "updated", _rfc3339(letter.updated))
        _add(entry, "summary", shown.summary)
        _add(entry, "content", _whole(letter, site), type="html")
    return _octets(feed)


def rss(letters: Sequence[Letter], identity: Identity, *, site: str, home: str, changed: datetime) -> bytes:
    """As `atom`, as RSS 2.0."""
    feed = Element("rss", {"version": "2.0", "xmlns:atom": _ATOM})
    channel = SubElement(feed, "channel")
    _add(channel, "title", identity.name)
    _add(channel, "link", home)
    _add(channel, "description", identity.name)
    _add(channel, "language", identity.language.lower())
    _add(channel, "lastBuildDate", _rfc5322(changed))
    SubElement(channel, "atom:link", {"rel": "self", "type": RSS, "href": f"{site}/{FILES[RSS]}"})
    for letter in letters:
        post, shown = letter.post, letter.shown
        item = SubElement(channel, "item")
        _add(item, "title", shown.title)
        _add(item, "link", f"{site}/p/{post.id}")
        _add(item, "guid", _urn(identity, post.id), isPermaLink="false")
        _add(item, "pubDate", _rfc5322(letter.published))
        _add(item, f"{{{_DC}}}creator", identity.sender.name or identity.name)
        _add(item, "description", shown.summary)
        _add(item, f"{{{_CONTENT}}}encoded", _whole(letter, site))
    return _octets(feed)


def _whole(letter: Letter, site: str) -> str:
    return f"{letter.shown.lead}{letter.shown.content}".replace(HERE, site)


def _urn(identity: Identity, ident: str) -> str:
    """A name for ever (RFC 4122 section 4.3): of the list, and of one letter in it."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{identity.list_id}/{ident}").urn


def _add(parent: Element, tag: str, text: str, **attributes: str) -> None:
    SubElement(parent, tag, attributes).text = _NO_CHAR.sub("", text)


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rfc5322(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC), usegmt=True)


def _octets(root: Element) -> bytes:
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode").encode() + b"\n"
