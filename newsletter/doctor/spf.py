"""SPF (RFC 7208): what a domain's record says of an address, and what it costs to find out.

    records     the records a domain publishes
    Survey      walks a domain's record with all that it includes
    added       a record with one more mechanism, to copy

`Survey(dns, domain, address)` is check_host() of section 4. Without an address it is the walk of somebody whom no
mechanism names: each term is looked up, which is the most that any message costs. It goes on counting beyond the
limits, so that the owner hears how far over she is, and stops at a number that no honest record reaches.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote

from newsletter.lookup import Kind, Resolver

LOOKUPS_MOST = 10  # RFC 7208 section 4.6.4: terms that cause queries
VOIDS_MOST = 2  # the same: look-ups that find nothing
_NAMES_MOST = 10  # the same: names of one mx
_ENOUGH = 60  # look-ups after which nothing more is to be learnt

_VERSION = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_TERM = re.compile(r"(?P<sign>[-+~?]?)(?P<name>[a-z][a-z0-9_.-]*)(?P<rest>[:/].*)?\Z", re.IGNORECASE)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>.*)\Z", re.IGNORECASE)
_CIDR = re.compile(r"(?:/(0|[1-9]\d?))?(?://(0|[1-9]\d{0,2}))?\Z")
_MACRO = re.compile(r"%(?:\{([slodiphcrtv])(\d*)(r?)([-.+,/_=]*)\}|([%_-]))", re.IGNORECASE)
_ASKS = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
_MECHANISMS = _ASKS - {"redirect"} | {"all", "ip4", "ip6"}

Ip = IPv4Address | IPv6Address


class Result(StrEnum):
    """What a record says (section 2.6)."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105  not a password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    BROKEN = "permerror"


_SIGNS = {"+": Result.PASS, "-": Result.FAIL, "~": Result.SOFTFAIL, "?": Result.NEUTRAL}


class _Broken(Exception):
    """The record can't be carried out; the words say where and why."""


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
        """Whether it counts against the limit."""
        return self.name in _ASKS


def records(dns: Resolver, domain: str) -> list[str]:
    """The SPF records of *domain* (section 4.5): a receiver goes by one, and by none when there are several."""
    return [text for text in dns.ask(domain, "TXT").records if _VERSION.match(text)]


def terms(record: str) -> list[Term]:
    """The words of *record* behind its version. Raises `ValueError` with the first that is none."""
    found = [_term(word) for word in record.split(" ")[1:] if word]
    for name in ("redirect", "exp"):
        if sum(not term.sign and term.name == name for term in found) > 1:
            raise ValueError(f"{name}= stands there twice")  # section 6
    return found


def _term(word: str) -> Term:
    if modifier := _MODIFIER.match(word):
        return Term(word, "", modifier["name"].lower(), modifier["value"])
    mechanism = _TERM.match(word)
    if mechanism is None or mechanism["name"].lower() not in _MECHANISMS:
        raise ValueError(f"{word} is nothing that SPF knows")
    name, rest = mechanism["name"].lower(), mechanism["rest"] or ""
    value, prefix = rest.removeprefix(":"), (32, 128)
    if name in ("a", "mx") and (slash := _slash(value)) >= 0:
        bits = _CIDR.match(value[slash:])
        if bits is None or int(bits[1] or 32) > 32 or int(bits[2] or 128) > 128:
            raise ValueError(f"{word} has a wrong number behind the slash")
        value, prefix = value[:slash], (int(bits[1] or 32), int(bits[2] or 128))
    if name in ("ip4", "ip6"):
        _network(word, name, value)
    wants = name in ("include", "exists", "ip4", "ip6")
    if (wants and not value) or (name == "all" and rest) or (rest == ":"):
        raise ValueError(f"{word} is incomplete" if name != "all" else f"{word} says more than all")
    return Term(word, mechanism["sign"] or "+", name, value, prefix)


def _slash(value: str) -> int:
    """Where the prefix lengths begin; a slash within a macro's braces is a delimiter."""
    return value.find("/", value.rfind("}") + 1)


def _network(word: str, name: str, value: str) -> IPv4Network | IPv6Network:
    try:
        found = ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"{word} holds no address") from None
    if found.version != int(name[2]):
        raise ValueError(f"{word} holds an address of the other kind")
    return found


def added(record: str, mechanism: str) -> str:
    """*record* with *mechanism* in front of the rest; a new record when there is none yet."""
    rest = record.partition(" ")[2].strip()
    return f"v=spf1 {mechanism} {rest}" if record and rest else f"v=spf1 {mechanism} ~all"


def merged(texts: list[str]) -> str:
    """Several records as one: every word once, and the most cautious of their alls at the end."""
    words = list(dict.fromkeys(word for text in texts for word in text.split(" ")[1:] if word))
    ends = [word for word in words if word.lower().lstrip("+-~?") == "all"]
    end = next((mark for mark in ("~all", "-all", "?all") if mark in ends), "~all")
    return " ".join(["v=spf1", *(word for word in words if word not in ends), end])


@dataclass
class Survey:
    """One walk through the record of *domain* and what it includes; `result` is what it says of *address*."""

    dns: Resolver
    domain: str
    address: Ip | None = None
    sender: str = ""  #: the reverse path; only macros look at it
    lookups: int = 0
    voids: int = 0
    costs: Counter[str] = field(default_factory=Counter)  #: of each term of the domain's own record
    void_names: list[str] = field(default_factory=list)
    domains: set[str] = field(default_factory=set)  #: whose records were read
    networks: bool = False  #: somewhere addresses are written out
    fault: str = ""  #: why it can't be carried out, beyond the limits
    result: Result = Result.NONE
    _own: str = ""  # the word of the domain's own record that is being walked

    def __post_init__(self) -> None:
        try:
            self.result = self._check(self.domain, ())
        except _Broken as broken:
            self.result, self.fault = Result.BROKEN, str(broken)
        if self.lookups > LOOKUPS_MOST or self.voids > VOIDS_MOST:
            self.result = Result.BROKEN

    def _check(self, domain: str, above: tuple[str, ...]) -> Result:
        if domain in above:
            raise _Broken(f"{above[-1]} leads back to {domain}, round and round")
        if not _is_name(domain):
            return Result.NONE  # section 4.3
        found = records(self.dns, domain)
        self.domains.add(domain)
        if len(found) != 1:
            if found:
                raise _Broken(f"{domain} has {len(found)} SPF records, and one is the most")
            return Result.NONE
        try:
            words = terms(found[0])
        except ValueError as error:
            raise _Broken(f"{domain}: {error}") from None
        above = (*above, domain)
        for term in words:
            self._own = term.text if len(above) == 1 else self._own
            if term.sign and self._matches(term, domain, above):
                return _SIGNS[term.sign]
        redirect = next((term for term in words if not term.sign and term.name == "redirect"), None)
        if redirect and not any(term.name == "all" for term in words):  # section 6.1
            self._own = redirect.text if len(above) == 1 else self._own
            self._count()
            return self._other(redirect, domain, above)
        return Result.NEUTRAL

    def _other(self, term: Term, domain: str, above: tuple[str, ...]) -> Result:
        """What the record says that *term* names; it has to be there (sections 5.2 and 6.1)."""
        target = self._expanded(term.value, domain)
        if target is None:
            return Result.NEUTRAL
        result = self._check(target, above)
        if result is Result.NONE:
            raise _Broken(f"{domain} names {term.text}, and there is no SPF record at {target}")
        return result

    def _matches(self, term: Term, domain: str, above: tuple[str, ...]) -> bool:
        if term.asks:
            self._count()
        match term.name:
            case "all":
                return True
            case "ip4" | "ip6":
                self.networks = True
                return self.address is not None and self.address in _network(term.text, term.name, term.value)
            case "include":
                return self._other(term, domain, above) is Result.PASS
        target = self._expanded(term.value, domain) if term.value else domain
        if target is None or (term.name == "ptr" and self.address is None):
            return False
        match term.name:
            case "a":
                return self._among(target, term)
            case "mx":
                return self._mail_server_of(target, term)
            case "ptr":
                return self._named_below(target)
            case _:  # exists, section 5.7: an A record, whatever the client speaks
                return bool(self._ask(target, "A"))

    def _count(self) -> None:
        self.lookups += 1
        self.costs[self._own] += 1
        if self.lookups > _ENOUGH:
            raise _Broken(f"it needs more than {_ENOUGH} look-ups")

    def _ask(self, name: str, kind: Kind) -> tuple[str, ...]:
        found = self.dns.ask(name, kind).records if _is_name(name) else ()
        if not found:
            self.voids += 1
            self.void_names.append(name)
        return found

    def _addresses(self, name: str) -> tuple[str, ...]:
        """Of the kind that the client has; without a client of either, and empty only if both are."""
        if self.address is not None:
            return self._ask(name, "A" if self.address.version == 4 else "AAAA")
        either = self.dns.ask(name, "A").records if _is_name(name) else ()
        return either or self._ask(name, "AAAA")

    def _among(self, name: str, term: Term) -> bool:
        found = self._addresses(name)
        if self.address is None:
            return False
        bits = term.prefix[self.address.version == 6]
        return any(self.address in ip_network(f"{a}/{bits}", strict=False) for a in found)

    def _mail_server_of(self, domain: str, term: Term) -> bool:
        hosts = [record.partition(" ")[2] for record in self._ask(domain, "MX")]
        if len(hosts) > _NAMES_MOST:
            raise _Broken(f"{term.text} stands for {len(hosts)} mail servers, and {_NAMES_MOST} is the most")
        return any(self._among(host, term) for host in hosts if host != ".")

    def _named_below(self, domain: str) -> bool:
        assert self.address is not None
        for name in self._ask(self.address.reverse_pointer, "PTR")[:_NAMES_MOST]:
            kind: Kind = "A" if self.address.version == 4 else "AAAA"
            if (name == domain or name.endswith(f".{domain}")) and _has(self.dns, name, kind, self.address):
                return True
        return False

    def _expanded(self, spec: str, domain: str) -> str | None:
        """*spec* with its macros (section 7) filled in; None when they want an address and there is none."""
        local, _, host = self.sender.rpartition("@")
        letters = {"s": self.sender, "l": local or "postmaster", "o": host, "d": domain, "h": host, "p": "unknown"}
        if self.address is not None:
            letters |= {"v": "in-addr" if self.address.version == 4 else "ip6", "i": _dotted(self.address)}
        unknown = False

        def filled(found: re.Match[str]) -> str:
            nonlocal unknown
            if found[5]:
                return {"%": "%", "_": " ", "-": "%20"}[found[5]]
            value = letters.get(found[1].lower())
            if value is None:
                unknown = True
                return ""
            parts = re.split(f"[{re.escape(found[4] or '.')}]", value)
            parts = parts[::-1] if found[3] else parts
            text = ".".join(parts[-int(found[2]) :] if found[2] and int(found[2]) else parts)
            return quote(text, safe="") if found[1].isupper() else text

        text = _MACRO.sub(filled, spec)
        if not unknown and "%" in _MACRO.sub("", spec):
            raise _Broken(f"{domain}: {spec} has a % that means nothing")
        return None if unknown else text.lower().rstrip(".")


def _is_name(name: str) -> bool:
    labels = name.split(".")
    return len(labels) >= 2 and len(name) <= 253 and all(0 < len(label) <= 63 for label in labels)


def _has(dns: Resolver, name: str, kind: Kind, address: Ip) -> bool:
    return any(ip_address(found) == address for found in dns.ask(name, kind).records)


def _dotted(address: Ip) -> str:
    return str(address) if address.version == 4 else ".".join(address.exploded.replace(":", ""))
