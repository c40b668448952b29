"""The DNS, asked through dnspython: `newsletter.lookup.Resolver` over the network.

Guarantees
    Each look-up ends, and all of them together: within its seconds, and within those for all. Who stays
    silent three times in a row is not asked again: without a network the answer comes soon.
    What is asked for once is remembered for the life of the object. Nothing is asked for but the names given.

What goes wrong
    `Unanswered`: silence, SERVFAIL, a refusal, no network. `ConfigError` for a server that is no address.

A truncated answer is asked for again over TCP (RFC 7766). Names are whole: no search list is applied.
"""

from __future__ import annotations

from ipaddress import ip_address
from time import monotonic
from typing import Any

from newsletter.errors import ConfigError
from newsletter.lookup import Answer, Kind, Unanswered

_EACH = 5.0  # seconds
_TRY = 2.0  # seconds for one server once
_SILENT = 3  # look-ups in a row without any answer
_PORT = 53


class Dns:
    """Asks *servers* ("192.0.2.53", "127.0.0.1:5353"), or those of this machine.

    *each* is the time for one look-up over all servers and tries, *seconds* that for all of them.
    """

    def __init__(self, *servers: str, each: float = _EACH, seconds: float = 30.0) -> None:
        from dns.resolver import NoResolverConfiguration, Resolver

        try:
            self._resolver = Resolver(configure=not servers)
        except NoResolverConfiguration:  # no /etc/resolv.conf: nobody to ask
            self._resolver = Resolver(configure=False)
        if servers:
            ends = [_end(server) for server in servers]
            self._resolver.nameservers = [address for address, _ in ends]
            self._resolver.nameserver_ports = dict(ends)
        self._resolver.timeout = _TRY
        # EDNS (RFC 6891): DKIM keys and SPF records in one datagram, without a second try over TCP.
        self._resolver.use_edns(0, 0, 1232)
        self._each, self._until = each, monotonic() + seconds
        self._silent = 0
        self._known: dict[tuple[str, Kind], Answer | Unanswered] = {}

    def ask(self, name: str, kind: Kind) -> Answer:
        """The records of *kind* at *name*. Raises `Unanswered`."""
        asked = (name.lower(), kind)
        if asked not in self._known:
            try:
                self._known[asked] = self._asked(*asked)
            except Unanswered as silence:
                self._known[asked] = silence
        known = self._known[asked]
        if isinstance(known, Unanswered):
            raise known
        return known

    def _asked(self, name: str, kind: Kind) -> Answer:
        from dns.exception import DNSException, Timeout
        from dns.resolver import NXDOMAIN, NoAnswer, NoNameservers

        left = self._until - monotonic()
        if self._silent >= _SILENT or left <= 0:
            raise Unanswered(name, kind, "the DNS did not answer in time")
        if not self._resolver.nameservers:
            raise Unanswered(name, kind, "this machine knows no DNS server")
        try:
            found = self._resolver.resolve(f"{name}.", kind, lifetime=min(self._each, left))
        except NXDOMAIN:
            self._silent = 0
            return Answer(exists=False)
        except NoAnswer:
            self._silent = 0
            return Answer()
        except Timeout:
            self._silent += 1
            raise Unanswered(name, kind, "the DNS did not answer in time") from None
        except NoNameservers as error:
            code = _code(error)
            self._silent = 0 if code else self._silent + 1
            raise Unanswered(name, kind, _WORDS.get(code, "the DNS could not be asked")) from None
        except (DNSException, OSError, UnicodeError) as error:
            raise Unanswered(name, kind, f"the DNS could not be asked ({type(error).__name__})") from None
        self._silent = 0
        return Answer(tuple(_text(kind, record) for record in found))


_WORDS = {
    "SERVFAIL": "its DNS servers failed (SERVFAIL)",
    "REFUSED": "its DNS servers refused to answer (REFUSED)",
}


def _code(error: Exception) -> str:
    """The last response code that a server gave, or "" when none gave any."""
    from dns.rcode import to_text

    for *_, response in reversed(getattr(error, "kwargs", {}).get("errors", [])):
        if response is not None:
            return to_text(response.rcode())
    return ""


def _text(kind: Kind, record: Any) -> str:  # dnspython gives each kind's class its own fields
    if kind == "TXT":
        return b"".join(record.strings).decode("utf-8", "replace")
    if kind == "MX":
        preference, _, host = record.to_text().partition(" ")
        return f"{preference} {host.lower().rstrip('.') or '.'}"
    return str(record.to_text()).lower().rstrip(".")


def _end(server: str) -> tuple[str, int]:
    """Address and port. Raises `ConfigError`."""
    address, colon, port = server.rpartition(":")
    if not colon or (server.count(":") > 1 and not address.endswith("]")):
        address, port = server, str(_PORT)
    try:
        number = int(port)
        if not 0 < number < 65_536:
            raise ValueError
        return str(ip_address(address.strip("[]"))), number
    except ValueError:
        raise ConfigError(
            f'{server} is no address of a DNS server; write one such as "192.0.2.53" or "127.0.0.1:5353"'
        ) from None
