"""One reader for each kind of value: what TOML holds → what the program works with.

A reader returns the finished value or raises `WrongValueError`, whose words tell the owner what to write instead.
None of them touches the disk, except `zone`, which asks the time-zone database.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from newsletter.config.settings import Rate
from newsletter.errors import SubscriberError
from newsletter.mail import Address, Mailbox, shown

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
BOUNCES_LOCAL_MAX = 37  # of 64; the rest is for a plus and a token
LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")

_UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_DURATION = re.compile(r"([0-9]{1,6})\s*([a-z]+)")
_RATE = re.compile(r"([0-9][0-9,]{0,9})\s*(?:per|an?|/)\s*(second|minute|hour|day)")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_WORD_MAX = 64  # comparing costs the product of both lengths
_TEN_YEARS = timedelta(days=3650)
_NAME_ADDR = re.compile(r'(?:"((?:\\.|[^"\\])*)"|([^<>"]*))\s*<([^<>]+)>')  # RFC 5322 section 3.4
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # RFC 5646, the common shape
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?){0,3}")
# On this machine they are whatever the system is set to, or a second spelling with leap seconds.
_NOT_IANA = re.compile(r"(?i)(localtime|posixrules|factory|(right|posix)/.*)")


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


def duration(low: timedelta = timedelta(0), high: timedelta = _TEN_YEARS) -> Callable[[object], timedelta]:
    """A reader for a span of time such as ``"20 hours"`` within bounds, both included."""

    def read(value: object) -> timedelta:
        span = _span(value, _UNITS)
        if span is None:
            raise WrongValueError('write a number of minutes, hours, days or weeks, such as "20 hours"')
        if not low <= span <= high:
            raise WrongValueError(f"write a span of time from {_words(low)} to {_words(high)}")
        return span

    return read


def rate(value: object) -> Rate:
    """So many in each span of time, such as ``"600 per minute"``."""
    match = _RATE.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    count = int(match[1].replace(",", "")) if match else 0
    if match is None or not count:
        raise WrongValueError(
            'write how many in a second, minute, hour or day, such as "600 per minute"; "" is no limit'
        )
    return Rate(count, _UNITS[match[2]])


def a_day(value: object) -> int:
    """A number of letters a day, such as ``"50 a day"``."""
    try:
        if (found := rate(value)).per == _UNITS["day"]:
            return found.count
    except WrongValueError:
        pass
    raise WrongValueError('write how many letters may leave on the first day, such as "50 a day"')


def days(value: object) -> int:
    """A number of civil days, at least one, from ``"7 days"`` or ``"2 weeks"``."""
    span = _span(value, ("day", "week"))
    if span is None or not timedelta(days=1) <= span <= _TEN_YEARS:
        raise WrongValueError('write a number of days or weeks, such as "7 days"')
    return span.days


def _span(value: object, units: Iterable[str]) -> timedelta | None:
    match = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    unit = match[2].removesuffix("s") if match else ""
    return int(match[1]) * _UNITS[unit] if match and unit in units else None


def _words(span: timedelta) -> str:
    unit = next((unit for unit in reversed(_UNITS) if span and not span % _UNITS[unit] and unit != "week"), "second")
    count = span // _UNITS[unit]
    return f"{count} {unit}{'' if count == 1 else 's'}"


def clock(value: object) -> time:
    """A time of day in whole minutes, from ``"09:00"`` or TOML's own 09:00:00."""
    if isinstance(value, time) and not value.second and not value.microsecond:
        return value
    match = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise WrongValueError('write hours and minutes of a 24-hour clock, such as "09:00" or "17:30"')
    return time(int(match[1]), int(match[2]))


def quiet_hours(value: object) -> tuple[time, time] | None:
    """From when to when nothing leaves, from ``"22:00-07:00"`` or a list of both; false is off."""
    if value is False:
        return None
    parts = re.split(r"\s*[-–—]\s*", value.strip()) if isinstance(value, str) else value
    if not isinstance(parts, list) or len(parts) != 2:
        raise WrongValueError('write two times of day, such as "22:00-07:00", or false for none')
    begin, end = clock(parts[0]), clock(parts[1])
    if begin == end:
        raise WrongValueError(
            "the two times must differ, else nothing would ever leave; write false for no quiet hours"
        )
    return begin, end


def weekdays(value: object) -> frozenset[int]:
    """Allowed weekdays, Monday = 0, from a list of full or three-letter names."""
    if not isinstance(value, list) or not value:
        raise WrongValueError(
            'write a list of weekdays, such as ["tuesday"] or ["mon", "thu"]; for every day leave the key out'
        )
    return frozenset(map(_weekday, value))


def _weekday(value: object) -> int:
    name = value.strip().lower() if isinstance(value, str) else ""
    for index, day in enumerate(WEEKDAYS):
        if name in (day, day[:3]):
            return index
    close = nearest(name, WEEKDAYS)
    hint = f'did you mean "{close}"? ' if close else ""
    raise WrongValueError(
        f"{shown(str(value))} is no weekday; {hint}allowed: {', '.join(WEEKDAYS)}, or their first three letters"
    )


def day(value: object) -> date:
    """A date, from TOML's own or ``"2026-03-01"``."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value.strip()):
            return date.fromisoformat(value.strip())
    except ValueError:
        pass  # the thirteenth month and the like
    raise WrongValueError("write a date as year-month-day, such as 2026-03-01")


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


def holidays(value: object) -> frozenset[date]:
    """A list of dates."""
    if not isinstance(value, list):
        raise WrongValueError("write a list of dates, such as [2026-12-25, 2027-01-01]")
    return frozenset(map(day, value))


def start(value: object) -> str | int | date:
    """Where a new reader begins: ``"first"``, ``"latest"``, a post's number, or a date."""
    remedy = 'write "first", "latest", the number of a post, or a date such as 2026-03-01'
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    given = value.strip().lower() if isinstance(value, str) else value
    if given in ("first", "latest"):
        return str(given)
    try:
        return day(given)
    except WrongValueError:
        close = nearest(given, ("first", "latest")) if isinstance(given, str) else None
        raise WrongValueError(f'did you mean "{close}"? {remedy}' if close else remedy) from None


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The time zone *name* of the IANA database; raises `WrongValueError` with the nearest right spelling."""
    try:
        if not _NOT_IANA.fullmatch(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, such as "America"
        pass
    close = _nearest_zone(name)
    hint = f'did you mean "{close}"? ' if close else ""
    raise WrongValueError(f'{hint}write a time zone by its IANA name, such as "America/Los_Angeles" or "Europe/Berlin"')


@lru_cache(maxsize=1024)
def _nearest_zone(name: str) -> str | None:
    """Cached, because it reads the folders of the database (40 ms) and a subscriber file repeats its mistakes."""
    word = re.sub(r"\s+", "_", name.strip())
    # By the city first: owners write "Los Angeles" or "US/Los_Angeles". Etc/GMT+1 is an hour behind, not ahead.
    named = (key for key in sorted(_zones(), reverse=True) if "/" in key and not key.startswith("Etc/"))
    cities = {key.rpartition("/")[2].lower(): key for key in named}
    # Never one by its letters alone: for PST that would be MST, an hour off.
    return cities.get(word.rpartition("/")[2].lower()) or nearest(word, {"UTC", *cities.values()})


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def timezone(value: object) -> ZoneInfo:
    """A time zone of the IANA database."""
    return zone(value.strip() if isinstance(value, str) else "")


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
