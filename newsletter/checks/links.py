"""Rules about links: where they lead, what they are called, and whether they are what they seem."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from newsletter.checks.finding import Finding, Part, clipped, error, warning
from newsletter.checks.page import Element
from newsletter.checks.reading import Reading
from newsletter.posts import PostStatus

_EMPTY_NAMES = frozenset(
    """click|click here|click this|click this link|here|link|more|read more|learn more|this|this link|see here|page
    |website|hier|hier klicken|klick hier|klicken|mehr|weiterlesen|klik hier|lees meer|her|klik her|klikk her|här
    |klicka här|ici|cliquez ici|en savoir plus|lire la suite|aquí|haz clic aquí|más|leer más|aqui|clique aqui|qui
    |clicca qui|tutaj|ここ|こちら""".replace("\n    ", "").split("|")
)
_SHORTENERS = frozenset(
    """bit.ly buff.ly cutt.ly goo.gl is.gd lnkd.in ow.ly rb.gy rebrand.ly shorturl.at t.co t.ly tiny.cc tinyurl.com
    v.gd""".split()  # noqa: SIM905  a list of words
)
_HERE_ONLY = frozenset({"localhost", "0.0.0.0"})  # noqa: S104  named, not listened on
_SHOWS_DOMAIN = re.compile(
    r"(?:https?://)?(?:www\.)?((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}([a-z]{2,24}))(?=[/?#:]|$)"
)
# Of "Node.js" nobody thinks as of an address.
_TOP_LEVEL = frozenset(
    """app at au be biz blog ca ch cloud co com de dev dk edu es eu fi fr gov health ie in info io it jp me net nl no nz
    online org pl pt se shop site uk us""".split()  # noqa: SIM905  a list of words
)
_TWO_LABELS = frozenset(["co", "com", "org", "net", "gov", "ac", "edu", "or", "ne"])


def target(reading: Reading) -> Iterator[Finding]:
    """A link in a mail needs a whole address that works on other people's machines."""
    for link in reading.links:
        href = link.attributes["href"].strip()
        parts = _split(href)
        if parts is None or parts.scheme not in ("http", "https", "mailto", "tel") or href.lower() in _BARE:
            problem = f"The link “{clipped(href, 40)}” leads nowhere in a mail." if href else "A link has no address."
            remedy = "Write its whole address, beginning with https://, or take the link out."
        elif parts.scheme in ("http", "https") and _only_here(parts):
            problem = f"The link “{clipped(href, 40)}” works on your own computer alone."
            remedy = "Write the address under which everybody finds the page."
        else:
            continue
        part, line = _place(reading, link)
        yield error("link-target", problem, remedy, part, line=line, quote=link.text or href)
    for found in _NO_LINK.finditer(reading.words):
        yield error(
            "link-target",
            f"“{clipped(found[1], 40)}” leads nowhere in a mail, so readers would see it as it is typed.",
            "Write an address beginning with https://, and for a picture the name of its file: images/NAME.jpg.",
            line=reading.line_of(found[1]),
            quote=found[1],
        )


# Addresses of these kinds the Markdown parser leaves as words.
_NO_LINK = re.compile(r"\]\(\s*<?((?:javascript|vbscript|file|data(?!:image/)):[^\s)]{0,200})", re.IGNORECASE)
_BARE = frozenset({"http://", "https://", "mailto:", "tel:"})


def insecure(reading: Reading) -> Iterator[Finding]:
    """An address with http:// lets others on the way read along, and browsers warn before opening it."""
    for link in reading.links:
        href = link.attributes["href"].strip()
        parts = _split(href)
        if parts and parts.scheme == "http" and parts.hostname and not _only_here(parts):
            part, line = _place(reading, link)
            yield warning(
                "link-http",
                f"The link to {parts.hostname} begins with http://, which is not protected.",
                f"Try the same address with https:// in a browser, and write that: https{href[4:]}",
                part,
                line=line,
                quote=link.text,
            )


def name(reading: Reading) -> Iterator[Finding]:
    """A link's words say where it leads: some readers hear a list of the links alone."""
    for link in reading.links:
        href, words = link.attributes["href"], link.text or link.attributes.get("aria-label", "").strip()
        bare = words.casefold().strip(" .!?:»›→>…")
        if not words:
            problem = f"The link to {clipped(href, 40)} has no words, so nobody can find or follow it."
            remedy = "Put words between the square brackets: [what is there](https://…)."
        elif bare in _EMPTY_NAMES:
            problem = f"“{words}” does not say where the link leads."
            remedy = "Link the words that do, such as the title of the page."
        elif words.startswith(("http://", "https://")) and len(words) > 30 and "/" in words.rstrip("/")[8:]:
            problem = (
                "A long bare address stands where words could; some readers have it read to them letter by letter."
            )
            remedy = "Write [what is there](the address)."
        else:
            continue
        part, line = _place(reading, link)
        yield warning("link-name", problem, remedy, part, line=line, quote=words or href)


def dead(reading: Reading) -> Iterator[Finding]:
    """A link to a post of this newsletter leads to one that is there."""
    posts, url = reading.context.posts, reading.proof.identity.url
    if posts is None or not url:
        return
    for link in reading.links:
        href = link.attributes["href"]
        if not href.startswith(f"{url}/p/"):
            continue
        slug = re.split(r"[?#]", href.removeprefix(f"{url}/p/"))[0].rstrip("/")
        status = posts.get(slug)
        if status is PostStatus.LIVE or not slug:
            continue
        part, line = _place(reading, link)
        reason = (
            f"which is {'a draft' if status is PostStatus.DRAFT else 'retracted'}" if status else "which is not there"
        )
        near = _near(slug, posts) if status is None else ""
        yield warning(
            "link-dead",
            f"The link leads to the post “{clipped(slug, 40)}”, {reason}.",
            f"Did you mean {url}/p/{near}?" if near else "Link a post that is live, or take the link out.",
            part,
            line=line,
            quote=link.text,
        )


def _near(slug: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # only a fault needs it

    close = get_close_matches(slug[:100], list(known), n=1, cutoff=0.6)
    return close[0] if close else ""


def disguised(reading: Reading) -> Iterator[Finding]:
    """A link whose words are one address and that leads to another is what phishing looks like."""
    for link in reading.links:
        parts, words = _split(link.attributes["href"]), link.text.casefold()
        shown = _SHOWS_DOMAIN.match(words) if " " not in words else None
        shown = shown if shown and (shown[2] in _TOP_LEVEL or words.startswith(("http", "www."))) else None
        if not parts or parts.scheme not in ("http", "https") or not shown or "@" in words:
            continue
        if _registered(shown[1]) != _registered((parts.hostname or "").encode("ascii", "ignore").decode()):
            part, line = _place(reading, link)
            yield warning(
                "link-disguised",
                f"The link shows {shown[1]} and leads to {parts.hostname}, which is how phishing looks to a filter.",
                "Write words instead of an address, or link the address that is shown.",
                part,
                line=line,
                quote=link.text,
            )


def shortened(reading: Reading) -> Iterator[Finding]:
    """Short addresses hide where they lead; filters distrust them, and they die with the company behind them."""
    for link in reading.links:
        parts = _split(link.attributes["href"])
        if parts and (parts.hostname or "").removeprefix("www.") in _SHORTENERS:
            part, line = _place(reading, link)
            yield warning(
                "link-shortened",
                f"The link goes through {parts.hostname}, which hides where it leads.",
                "Open it, and link the address at which you arrive.",
                part,
                line=line,
                quote=link.text,
            )


def _split(href: str) -> SplitResult | None:
    try:
        parts = urlsplit(href.strip())
        parts.port  # noqa: B018  raises for a port that can't be one
        return parts
    except ValueError:
        return None


def _only_here(parts: SplitResult) -> bool:
    """Whether an address leads to this machine or stays within a house's own network."""
    host = (parts.hostname or "").rstrip(".")
    if not host or host in _HERE_ONLY or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        found = ip_address(host)
    except ValueError:
        return False
    return found.is_private or found.is_loopback


def _registered(host: str) -> str:
    """The part of a host's name that somebody owns, as far as the name itself tells."""
    labels = host.rstrip(".").removeprefix("www.").split(".")
    count = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _TWO_LABELS else 2
    return ".".join(labels[-count:])


def _place(reading: Reading, link: Element) -> tuple[Part, int | None]:
    """Where a link comes from: a line of the post, or else the template."""
    href, own = link.attributes["href"], reading.proof.identity.url
    line = reading.line_of(href) if href else reading.line_of(f"{link.text}](")
    if line is None and own and href.startswith(f"{own}/") and len(href) > len(own) + 1:
        line = reading.line_of(f"]({href.removeprefix(own)}")
    if line is None and href.startswith(("mailto:", "tel:", "http://")):  # an address that became a link by itself
        line = reading.line_of(href.partition(":")[2].lstrip("/"))
    return (Part.HTML, None) if line is None else (Part.POST, line)


RULES = {
    "link-target": target,
    "link-http": insecure,
    "link-name": name,
    "link-dead": dead,
    "link-disguised": disguised,
    "link-shortened": shortened,
}
