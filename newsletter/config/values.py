"""One reader for each kind of value: what TOML holds → what the program works with.

A reader returns the finished value or raises `WrongValueError`, whose words tell the owner what to write instead.
None of them touches the disk. What has to do with time stands in `times`.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from newsletter.errors import SubscriberError
from newsletter.mail import Address, Mailbox, shown

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

BOUNCES_LOCAL_MAX = 37  # of 64; the rest is for a plus and a token
LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")

_WORD_MAX = 64  # comparing costs the product of both lengths
_NAME_ADDR = re.compile(r'(?:"((?:\\.|[^"\\])*)"|([^<>"]*))\s*<([^<>]+)>')  # RFC 5322 section 3.4
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # RFC 5646, the common shape
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?){0,3}")


class WrongValueError(ValueError):
    """A value that can't be used; its words say what to write instead."""


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The entry of *allowed* that *word* was probably meant to be."""
    from difflib import get_close_matches  # only a fault needs it

    by_lower = {entry.lower(): entry for entry in allowed}
    close = get_close_matches(word[:_WORD_MAX].lower().replace("-", "_"), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def text(value: object) -> str:
    """Text on one line, without white space around it."""
    if not isinstance(value, str):
        raise WrongValueError('write it as text, in double quotes, such as "text"')
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in value.strip()):
        raise WrongValueError("write it on one line, without tabs or other control characters")
    return value.strip()


def filled(value: object) -> str:
    """Text that is not empty."""
    if not (found := text(value)):
        raise WrongValueError("it must not be empty")
    return found


def postal_address(value: object) -> str:
    """A postal address; its lines, if it has several, are joined by commas."""
    if not isinstance(value, str):
        raise WrongValueError('write it as text, in double quotes, such as "12 Birch Lane, Portland, OR 97201"')
    lines = (line.strip().rstrip(",") for line in value.splitlines())
    if not (joined := text(", ".join(filter(None, lines)))):
        raise WrongValueError(
            "it must not be empty: the law wants a postal address in every newsletter (a P.O. box will do)"
        )
    return joined


def lines(value: object) -> tuple[str, ...]:
    """Texts of one line each, from a list of them or from one."""
    return tuple(filter(None, map(text, value if isinstance(value, list) else [value])))


def greeting(value: object) -> str:
    """A word before the name, or a whole line with ``{name}`` in it."""
    given = filled(value)
    if re.search(r"[{}]", given.replace("{name}", "", 1)):
        raise WrongValueError('write a word, such as "Hello", or a line with {name} in it once, such as "Dear {name},"')
    return given


def colour(value: object) -> str:
    """A colour as # and six hexadecimal digits: Gmail and Outlook drop other forms, some with the whole rule."""
    given = value.strip().lower() if isinstance(value, str) else ""
    if re.fullmatch("#[0-9a-f]{6}", given):
        return given
    digits = given.removeprefix("#")
    if re.fullmatch("[0-9a-f]{3}|[0-9a-f]{6}", digits):
        six = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
        raise WrongValueError(f'write all of it: "#{six}"')
    raise WrongValueError('write # and six digits from 0 to f, such as "#2c5f53": mail programs drop other forms')


def font(value: object) -> str:
    """Names of fonts, the best first; the last one is a kind that every reader has."""
    given = filled(value)
    if not re.fullmatch(r"""[\w ,'"-]+""", given):
        raise WrongValueError("write names of fonts with commas between them; nothing can be loaded into a mail")
    names = [name.strip().strip("'\"") for name in given.split(",")]
    if not all(names) or names[-1] not in ("serif", "sans-serif", "monospace", "cursive", "system-ui"):
        raise WrongValueError(
            "end it with serif, sans-serif or monospace, for readers who have no such font, "
            "such as \"Georgia, 'Times New Roman', serif\""
        )
    return ", ".join(name if re.fullmatch(r"[\w-]+", name) else f"'{name}'" for name in names)


def choice(kind: type[E]) -> Callable[[object], E]:
    """A reader for the values of an enum."""

    def read(value: object) -> E:
        return kind(word_of([member.value for member in kind])(value))

    return read


def word_of(allowed: Iterable[str]) -> Callable[[object], str]:
    """A reader for one of several words, in any case."""
    words = list(allowed)

    def read(value: object) -> str:
        given = value.strip().lower() if isinstance(value, str) else ""
        if given in words:
            return given
        close = nearest(given, words)
        listed = " or ".join(f'"{word}"' for word in words)
        raise WrongValueError(f'did you mean "{close}"? allowed: {listed}' if close else f"write {listed}")

    return read


def number(low: int, high: int) -> Callable[[object], int]:
    """A reader for a whole number within bounds, both included."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise WrongValueError(f"write a whole number from {low} to {high}, without quotes")
        return value

    return read


def yes_or_no(value: object) -> bool:
    """True or false, as TOML writes them."""
    if not isinstance(value, bool):
        raise WrongValueError("write true or false, without quotes")
    return value


def phrases(value: object) -> tuple[str, ...]:
    """A list of words or phrases, in lower case."""
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise WrongValueError('write a list of words in double quotes, such as ["depress*", "diagnosis"]')
    return tuple(dict.fromkeys(filter(None, (" ".join(entry.lower().split()) for entry in value))))


def language(value: object) -> str:
    """A language tag (BCP 47)."""
    given = text(value)
    if _LANGUAGE.fullmatch(given):
        return given
    remedy = 'write a language tag, such as "en", "en-GB" or "de"'
    if _LANGUAGE.fullmatch(given.replace("_", "-")):
        remedy = f'did you mean "{given.replace("_", "-")}"? {remedy}'
    raise WrongValueError(remedy)


def mailbox(value: object) -> Mailbox:
    """``Name <local@domain>`` or a bare address. A comma or brackets in the name need no quotes here."""
    given = filled(value)
    match = _NAME_ADDR.fullmatch(given)
    try:
        # Not by Mailbox.parse: of two senders it takes the first and says nothing.
        if not match:
            return Mailbox("", Address.parse(given))
        name = match[2] if match[1] is None else re.sub(r"\\(.)", r"\1", match[1])
        return Mailbox(name.strip(), Address.parse(match[3]))
    except SubscriberError as error:
        raise WrongValueError(f'{error}; write it as "Maya Thorne <maya@example.org>"') from None


def optional(reader: Callable[[object], T]) -> Callable[[object], T | None]:
    """What *reader* reads, or nothing at all: ``""``."""
    return lambda value: None if value == "" else reader(value)


def address(value: object) -> Address:
    """A bare address."""
    try:
        return Address.parse(filled(value))
    except SubscriberError as error:
        raise WrongValueError(f'{error}; write it as "maya@example.org"') from None


def bounce_address(value: object) -> Address:
    """An address with room for a token behind a plus (RFC 5321 section 4.5.3.1.1: 64 octets in all)."""
    given = address(value)
    if len(given.local) > BOUNCES_LOCAL_MAX:
        raise WrongValueError(
            f"the part before the @ may have {BOUNCES_LOCAL_MAX} characters here, because a token is written behind"
            " it; choose a shorter one"
        )
    return given


def folder_name(value: object) -> str:
    """The name of a folder of a mailbox; / separates the parts."""
    given = filled(value).strip("/")
    if not given or any(c in given for c in "*%"):
        raise WrongValueError('write the name of a folder, such as "INBOX" or "Newsletter/Handled"')
    return given


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine, by its name or address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") in LOOPBACK_NAMES


def networks(value: object) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """A list of IP addresses, or blocks of them such as ``"10.0.0.0/8"``."""
    remedy = 'write a list of addresses or blocks of them, such as ["127.0.0.1", "10.0.0.0/8"]'
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise WrongValueError(remedy)
    try:
        return tuple(ipaddress.ip_network(entry.strip(), strict=False) for entry in value)
    except ValueError:
        raise WrongValueError(remedy) from None


def tags(value: object) -> tuple[str, ...]:
    """A list of tags, as in a post's front matter."""
    if not isinstance(value, list):
        raise WrongValueError('write a list of tags in double quotes, such as ["couples", "families"]')
    found = tuple(dict.fromkeys(map(filled, value)))
    if bad := next((tag for tag in found if "|" in tag), None):
        raise WrongValueError(f"{shown(bad)}: a tag has no | in it; write two tags")
    return found


def host(value: object) -> str:
    """A host name or IP address, without scheme and port."""
    given = filled(value)
    bare = given.strip("[]")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        if _HOST.fullmatch(given):
            return given
    raise WrongValueError(
        'write only the name of the server, such as "smtp.example.org"; its number goes into port = 587'
    )


def domain(value: object) -> str:
    """A domain with two parts or more, as A-labels in lower case."""
    given = filled(value)
    try:
        name = Address.parse(f"a@{given}").domain
    except SubscriberError:
        name = ""
    if "." not in name:
        raise WrongValueError('write a domain, such as "example.org"')
    return name


def selector(value: object) -> str:
    """The name of a DKIM key (RFC 6376 section 3.1)."""
    given = filled(value).lower()
    if not _SELECTOR.fullmatch(given):
        raise WrongValueError('write a short word of English letters, digits and dashes, such as "newsletter"')
    return given


def url(value: object) -> str:
    """The public https address of the newsletter's own pages, without a slash at its end; may be empty.

    A host outside ASCII becomes A-labels (RFC 5890), because the address goes into header fields.
    """
    given = text(value)
    if not given:
        return ""
    remedy = 'write the address of your pages, such as "https://letters.example.org"'
    try:
        parts = urlsplit(given)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        raise WrongValueError(remedy) from None
    if parts.query or parts.fragment or given.endswith(("?", "#")):
        raise WrongValueError(f"leave out what begins with ? or #; {remedy}")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(name)):
        raise WrongValueError(f"it must begin with https:// (http:// only on this machine); {remedy}")
    if "@" in parts.netloc or not re.fullmatch(r"[!-;=?-~]*", parts.path) or "\\" in parts.path:
        raise WrongValueError(remedy)
    return f"{parts.scheme}://{_url_host(name, remedy)}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _url_host(name: str, remedy: str) -> str:
    try:
        return name if name.isascii() and _HOST.fullmatch(name) else f"[{ipaddress.IPv6Address(name)}]"
    except ValueError:
        pass
    try:
        return Address.parse(f"a@{name}").domain
    except SubscriberError:
        raise WrongValueError(remedy) from None
