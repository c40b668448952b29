"""A DNS server on loopback, over UDP and TCP, that answers from a `Zone` and misbehaves at some names.

`faults` maps a name to a `Fault`. What it was asked, and over what, stands in `asked`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from zone import Zone

from newsletter.lookup import Unanswered


class Fault(Enum):
    SILENT = auto()
    SERVFAIL = auto()
    REFUSED = auto()
    TRUNCATED = auto()  # over UDP; TCP has it all
    GARBAGE = auto()  # not a message
    STRANGER = auto()  # a message with another id
    LAME = auto()  # a message that answers another question


@dataclass
class NameServer:
    zone: Zone
    faults: Mapping[str, Fault] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)  #: ("udp", name, kind)
    port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def reply(self, wire: bytes, over: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text().rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((over, name, kind))
        fault = self.faults.get(name)
        answer = dns.message.make_response(query)
        if fault is Fault.SILENT:
            return None
        if fault is Fault.GARBAGE:
            return b"\0\1\2"
        if fault is Fault.STRANGER:
            answer.id = (answer.id + 1) % 65_536
        if fault is Fault.LAME:
            answer.question = dns.message.make_query("elsewhere.test", "A").question
        if fault in (Fault.SERVFAIL, Fault.REFUSED):
            answer.set_rcode(dns.rcode.from_text(fault.name))
            return answer.to_wire()
        if fault is Fault.TRUNCATED and over == "udp":
            answer.flags |= dns.flags.TC
            return answer.to_wire()
        self._fill(answer, name, kind)
        return answer.to_wire(max_size=65_535)

    def _fill(self, answer: dns.message.Message, name: str, kind: str) -> None:
        while alias := self.zone.records.get((name, "CNAME")):
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", f"{alias[0]}."))
            name = alias[0]
        try:
            found = self.zone.ask(name, kind)  # type: ignore[arg-type]  # a kind that the zone knows
        except Unanswered:
            answer.set_rcode(dns.rcode.SERVFAIL)
            return
        if found.records:
            texts = [_presented(kind, record) for record in found.records]
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *texts))
        elif not found.exists:
            answer.set_rcode(dns.rcode.NXDOMAIN)


def _presented(kind: str, record: str) -> str:
    """As a zone file has it: TXT in strings of 255 characters, names with their last dot."""
    if kind == "TXT":
        return " ".join('"' + record[i : i + 255].replace('"', r"\"") + '"' for i in range(0, len(record), 255))
    return record if kind in ("A", "AAAA") or record.endswith(".") else f"{record}."


@contextlib.contextmanager
def serving(zone: str, faults: Mapping[str, Fault] | None = None) -> Iterator[NameServer]:
    """The server while it runs."""
    server = NameServer(Zone(zone), faults or {})
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        tcp.bind(("127.0.0.1", 0))
        server.port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", server.port))
        tcp.listen()
        threads = [threading.Thread(target=_udp, args=(server, udp)), threading.Thread(target=_tcp, args=(server, tcp))]
        for thread in threads:
            thread.start()
        try:
            yield server
        finally:
            udp.sendto(b"", udp.getsockname())  # the sign to end
            with contextlib.suppress(OSError):
                tcp.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def _udp(server: NameServer, sock: socket.socket) -> None:
    while True:
        wire, peer = sock.recvfrom(65_535)
        if not wire:
            return
        if reply := server.reply(wire, "udp"):
            sock.sendto(reply, peer)


def _tcp(server: NameServer, sock: socket.socket) -> None:
    while True:
        try:
            peer, _ = sock.accept()
        except OSError:
            return
        with peer:
            (length,) = struct.unpack("!H", _exactly(peer, 2))
            if reply := server.reply(_exactly(peer, length), "tcp"):
                peer.sendall(struct.pack("!H", len(reply)) + reply)


def _exactly(sock: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (more := sock.recv(count - len(got))):
        got += more
    return got
