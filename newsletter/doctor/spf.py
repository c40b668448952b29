"""SPF (RFC 7208): what a domain's record says of an address, and what it costs to find out.

`Survey(dns, domain, address)` is check_host() of section 4. Without an address it is the walk of somebody whom no
mechanism names: each term is looked up, which is the most that any message costs. It goes on counting beyond the
limits, so that the owner hears how far over she is, and stops at a number that no honest record reaches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from newsletter.doctor.spfrecord import VERSION, Term, expanded, terms
from newsletter.lookup import Kind, Resolver

LOOKUPS_MOST = 10  # RFC 7208 section 4.6.4: terms that cause queries
VOIDS_MOST = 2  # the same: look-ups that find nothing
_NAMES_MOST = 10  # the same: names of one mx, and of an address
_ENOUGH = 60  # look-ups after which nothing more is to be learnt

Ip = IPv4Address | IPv6Address


class Result(StrEnum):
    """What a record says (section 2.6); what nobody answers for is `Unanswered`."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105  not a password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    BROKEN = "permerror"


_SIGNS = {"+": Result.PASS, "-": Result.FAIL, "~": Result.SOFTFAIL, "?": Result.NEUTRAL}


class _Broken(Exception):
    """The record can't be carried out; the words say where and why."""


def records(dns: Resolver, domain: str) -> list[str]:
    """The SPF records of *domain* (section 4.5): a receiver goes by one, and by none when there are several."""
    return [text for text in dns.ask(domain, "TXT").records if VERSION.match(text)]


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
        if isinstance(self.address, IPv6Address) and self.address.ipv4_mapped:
            self.address = self.address.ipv4_mapped  # section 5
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
        if len(found) > 1:
            raise _Broken(f"{domain} has {len(found)} SPF records, and one is the most")
        if not found:
            return Result.NONE
        try:
            words = terms(found[0])
        except ValueError as error:
            raise _Broken(str(error) if domain == self.domain else f"{error} (in the record of {domain})") from None
        for term in words:
            if term.sign and self._matches(term, domain, (*above, domain)):
                return _SIGNS[term.sign]
        redirect = next((term for term in words if not term.sign and term.name == "redirect"), None)
        if redirect is None:
            return Result.NEUTRAL  # section 4.7
        self._count(redirect, domain)
        return self._other(redirect, domain, (*above, domain))

    def _other(self, term: Term, domain: str, above: tuple[str, ...]) -> Result:
        """What the record says that *term* names; it has to be there (sections 5.2 and 6.1)."""
        target = self._name(term, domain)
        if target is None:
            return Result.NEUTRAL
        result = self._check(target, above)
        if result is Result.NONE:
            raise _Broken(f"{term.text} names {target}, which has no SPF record")
        return result

    def _matches(self, term: Term, domain: str, above: tuple[str, ...]) -> bool:
        if term.asks:
            self._count(term, domain)
        match term.name:
            case "all":
                return True
            case "ip4" | "ip6":
                self.networks = True
                return self.address is not None and self.address in term.network
            case "include":
                return self._other(term, domain, above) is Result.PASS
        target = self._name(term, domain)
        if target is None:
            return False
        match term.name:
            case "a":
                return self._among(target, term)
            case "mx":
                return self._mail_server_of(target, term)
            case "ptr":
                return any(name == target or name.endswith(f".{target}") for name in self._names())
            case _:  # exists, section 5.7: an A record, whatever the client speaks
                return bool(self._ask(target, "A"))

    def _count(self, term: Term, domain: str) -> None:
        self._own = term.text if domain == self.domain else self._own
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
        """Of the kind that the client has; without a client of either, and in vain only if there is neither."""
        if self.address is not None:
            return self._ask(name, _kind(self.address))
        return (self.dns.ask(name, "A").records if _is_name(name) else ()) or self._ask(name, "AAAA")

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

    def _names(self) -> list[str]:
        """The client's names that lead back to it (section 5.5); an error there is no match."""
        if self.address is None:
            return []
        names = self._ask(self.address.reverse_pointer, "PTR")[:_NAMES_MOST]
        kind = _kind(self.address)
        return [n for n in names if any(ip_address(a) == self.address for a in self.dns.ask(n, kind).records)]

    def _name(self, term: Term, domain: str) -> str | None:
        """The name that *term* means; None when that depends on the client and there is none."""
        if not term.value:
            return domain
        local, _, host = self.sender.rpartition("@")
        letters: dict[str, Callable[[], str]] = {
            "s": lambda: self.sender,
            "l": lambda: local or "postmaster",
            "o": lambda: host,
            "d": lambda: domain,
            "h": lambda: host,  # the name in HELO, which nobody knows here
        }
        if (address := self.address) is not None:
            letters |= {
                "v": lambda: "in-addr" if address.version == 4 else "ip6",
                "i": lambda: _dotted(address),
                "p": lambda: next(iter(self._names()), "unknown"),
            }
        return expanded(term.value, letters)


def _kind(address: Ip) -> Kind:
    return "A" if address.version == 4 else "AAAA"


def _is_name(name: str) -> bool:
    labels = name.split(".")
    return len(labels) >= 2 and len(name) <= 253 and all(0 < len(label) <= 63 for label in labels)


def _dotted(address: Ip) -> str:
    """Section 7.3: IPv6 in nibbles."""
    return str(address) if address.version == 4 else ".".join(address.exploded.replace(":", ""))
