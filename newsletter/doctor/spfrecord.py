"""SPF records as text (RFC 7208 sections 4.6 and 12): read, extended, joined. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import quote

VERSION = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_MECHANISM = re.compile(r"(?P<sign>[-+~?]?)(?P<name>[a-z][a-z0-9_.-]*)(?P<rest>[:/].*)?\Z", re.IGNORECASE)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>.*)\Z", re.IGNORECASE)
_MACRO = re.compile(r"%(?:\{([slodiphv])((?:[1-9]\d{0,2})?)(r?)([-.+,/_=]*)\}|([%_-]))", re.IGNORECASE)
_CIDR = re.compile(r"(?:/(?P<four>\d+))?(?://(?P<six>\d+))?\Z")
_NUMBER = re.compile(r"0|[1-9]\d{0,2}")
# Section 7.1: a domain-spec ends in a macro, or in a top label with a letter or dash in it, and a name before that.
_END = re.compile(
    r"(?:%\{[slodiphv](?:[1-9]\d{0,2})?r?[-.+,/_=]*\}|[^.]\.(?=[a-z0-9-]*[a-z-])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?)\Z",
    re.IGNORECASE,
)
_ASKS = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
_MECHANISMS = _ASKS - {"redirect"} | {"all", "ip4", "ip6"}
_NAME_MOST = 253  # characters


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a record."""

    text: str
    sign: str  #: of a mechanism; "" for a modifier
    name: str  #: in lower case
    value: str  #: behind : or =, still with macros
    prefix: tuple[int, int] = (32, 128)  #: how many bits count, of IPv4 and IPv6

    @property
    def asks(self) -> bool:
        """Whether it counts against the limit of section 4.6.4."""
        return self.name in _ASKS

    @property
    def network(self) -> IPv4Network | IPv6Network:
        """Of ip4 and ip6. Raises `ValueError`."""
        return ip_network(self.value, strict=False)


def terms(record: str) -> list[Term]:
    """The words of *record* behind its version. Raises `ValueError` with the first that is none."""
    found = [_term(word) for word in record.split(" ")[1:] if word]
    for name in ("redirect", "exp"):
        if sum(not term.sign and term.name == name for term in found) > 1:
            raise ValueError(f"{name}= stands there twice")  # section 6
    return found


def _term(word: str) -> Term:
    if not (word.isascii() and word.isprintable()):
        raise ValueError(f"“{word}” has letters or signs that may not stand there")
    if modifier := _MODIFIER.match(word):
        name, value = modifier["name"].lower(), modifier["value"]
        if _stray(value) or (name in ("redirect", "exp") and not _END.search(value)):
            raise ValueError(f"{word} names no domain")
        return Term(word, "", name, value)
    mechanism = _MECHANISM.match(word)
    if mechanism is None or mechanism["name"].lower() not in _MECHANISMS:
        raise ValueError(f"{word} is nothing that SPF knows")
    name, rest = mechanism["name"].lower(), mechanism["rest"] or ""
    value, prefix = rest.removeprefix(":"), (32, 128)
    if name in ("a", "mx") and (bits := _CIDR.search(value)):
        prefix = _bits(word, bits["four"], 32), _bits(word, bits["six"], 128)
        value = value[: bits.start()]
    if name in ("ip4", "ip6"):
        _check_network(word, value, int(name[2]))
    elif name == "all" and rest:
        raise ValueError(f"{word} says more than all")
    elif (value or name in ("include", "exists") or rest[:1] == ":") and (_stray(value) or not _END.search(value)):
        raise ValueError(f"{word} names no domain")
    return Term(word, mechanism["sign"] or "+", name, value, prefix)


def _stray(value: str) -> bool:
    """Whether a % is left over that begins no macro (section 7.1)."""
    return "%" in _MACRO.sub("", value)


def _bits(word: str, given: str | None, most: int) -> int:
    if given is None:
        return most
    if not _NUMBER.fullmatch(given) or int(given) > most:
        raise ValueError(f"{word} has a wrong number behind the slash")
    return int(given)


def _check_network(word: str, value: str, version: int) -> None:
    _, slash, bits = value.partition("/")
    if slash:
        _bits(word, bits, 32 if version == 4 else 128)
    try:
        found = ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"{word} holds no address") from None
    if found.version != version:
        raise ValueError(f"{word} holds an address of the other kind")


def added(record: str, mechanism: str) -> str:
    """*record* with *mechanism* in front of the rest; a new record when there is none yet."""
    rest = record.partition(" ")[2].strip()
    return f"v=spf1 {mechanism} {rest}" if rest else f"v=spf1 {mechanism} ~all"


def ending(record: list[Term]) -> str:
    """The record with ~all at its end, and nothing else of that kind."""
    return " ".join(["v=spf1", *(term.text for term in record if term.name != "all"), "~all"])


def merged(texts: list[str]) -> str:
    """Several records as one: every word once, and the mildest of their refusals at the end."""
    words = list(dict.fromkeys(word for text in texts for word in text.split(" ")[1:] if word))
    ends = [word for word in words if word.lower().lstrip("+-~?") == "all"]
    end = next((mark for mark in ("~all", "-all") if mark in ends), "~all")
    return " ".join(["v=spf1", *(word for word in words if word not in ends), end])


def expanded(spec: str, letters: Mapping[str, Callable[[], str]]) -> str | None:
    """*spec* with its macros (section 7) filled in from *letters*; None when one of them is not known."""
    unknown = False

    def filled(found: re.Match[str]) -> str:
        nonlocal unknown
        if found[5]:
            return {"%": "%", "_": " ", "-": "%20"}[found[5]]
        ask = letters.get(found[1].lower())
        if ask is None:
            unknown = True
            return ""
        parts = re.split(f"[{re.escape(found[4] or '.')}]", ask())
        parts = parts[::-1] if found[3] else parts
        text = ".".join(parts[-int(found[2]) :] if found[2] else parts)
        return quote(text, safe="-._~") if found[1].isupper() else text

    name = _MACRO.sub(filled, spec).lower().rstrip(".")
    while len(name) > _NAME_MOST and "." in name:  # section 7.3
        name = name.partition(".")[2]
    return None if unknown else name
