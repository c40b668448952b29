"""A feed as a careful reader takes it: what RFC 4287 and RSS 2.0 ask for is asked for."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

ATOM = "{http://www.w3.org/2005/Atom}"
_CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
_DC = "{http://purl.org/dc/elements/1.1/}creator"
_VOID = {"img", "br", "hr"}


class Whole(HTMLParser):
    """HTML that is closed where it is opened, and whose addresses are whole."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(html)
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)
        assert tag not in {"script", "style", "form", "iframe"}
        for name, value in attrs:
            assert not name.startswith("on") and name != "style"
            if name in ("href", "src"):
                assert absolute(value or "") or (value or "").startswith("mailto:"), value

    def handle_endtag(self, tag: str) -> None:
        assert tag in _VOID or self.open.pop() == tag


def absolute(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def one(parent: Any, tag: str) -> str:
    """The text of the one *tag* in *parent*."""
    found = parent.findall(tag)
    assert len(found) == 1, f"{tag} stands {len(found)} times"
    return found[0].text or ""


def rfc3339(text: str) -> datetime:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)
    return datetime.fromisoformat(text)


def read_atom(octets: bytes) -> dict[str, Any]:
    """A feed as RFC 4287 section 4 has it."""
    feed = ElementTree.fromstring(octets)
    assert feed.tag == f"{ATOM}feed" and octets.startswith(b'<?xml version="1.0" encoding="utf-8"?>')
    assert one(feed, f"{ATOM}title") and one(feed.find(f"{ATOM}author"), f"{ATOM}name")
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert links.keys() == {"self", "alternate"} and all(map(absolute, links.values()))
    entries = [_entry(entry) for entry in feed.findall(f"{ATOM}entry")]
    ids = [entry["id"] for entry in entries]
    updated = rfc3339(one(feed, f"{ATOM}updated"))
    assert len(set(ids)) == len(ids) and all(entry["updated"] <= updated for entry in entries)
    return {"id": one(feed, f"{ATOM}id"), "updated": updated, "entries": entries, **links}


def _entry(entry: Any) -> dict[str, Any]:
    links = [link.get("href") for link in entry.findall(f"{ATOM}link") if link.get("rel") == "alternate"]
    assert len(links) == 1 and absolute(links[0])
    content = entry.find(f"{ATOM}content")
    assert content.get("type") == "html" and content.text
    Whole(content.text)
    found = {name: one(entry, f"{ATOM}{name}") for name in ("id", "title", "summary")}
    assert found["id"].startswith("urn:uuid:") and found["title"]
    published, updated = rfc3339(one(entry, f"{ATOM}published")), rfc3339(one(entry, f"{ATOM}updated"))
    assert published <= updated
    return found | {"published": published, "updated": updated, "link": links[0], "content": content.text}


def read_rss(octets: bytes) -> dict[str, Any]:
    """A feed as RSS 2.0 has it."""
    root = ElementTree.fromstring(octets)
    assert root.tag == "rss" and root.get("version") == "2.0" and len(root) == 1
    channel = root[0]
    assert channel.tag == "channel" and one(channel, "title") and one(channel, "description")
    assert absolute(one(channel, "link")) and absolute(channel.find(f"{ATOM}link").get("href"))
    parsedate_to_datetime(one(channel, "lastBuildDate"))
    items = []
    for item in channel.findall("item"):
        assert item.find("guid").get("isPermaLink") == "false" and one(item, _DC)
        assert absolute(one(item, "link")) and parsedate_to_datetime(one(item, "pubDate")).tzinfo
        Whole(one(item, _CONTENT))
        items.append(
            {
                "id": one(item, "guid"),
                "title": one(item, "title"),
                "link": one(item, "link"),
                "content": one(item, _CONTENT),
                "published": parsedate_to_datetime(one(item, "pubDate")),
            }
        )
    return {"items": items}
