"""Machines with a network of their own, and the line between them: it loses packets, is slow, or is cut without a word.

    with Network() as network:
        network.machine("one")             a network namespace with an address
        network.within("one")              what a command begins with that runs there
        network.cut("one", "database")     no packet arrives any more, either way; nobody is told
        network.weather(loss=0.05, delay=0.01)

This machine itself has two addresses: `database` and `mail`. The line is a process that has the other end of
everybody's tun device, so the kernel's own TCP is what meets the loss, and no module of the kernel is needed.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import json
import os
import random
import selectors
import socket
import struct
import subprocess
import sys
import time

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_HERE = {"database": 1, "mail": 2}


class NoNamespaces(Exception):
    """This machine, or this user, can't have networks of its own; says why."""


class Network:
    """See the module's page. Use it in a `with`."""

    def __enter__(self) -> Network:
        self._namespaces: list[str] = []
        self._last = _HERE["mail"]
        self._cut: set[tuple[str, str]] = set()
        self._loss = self._delay = 0.0
        ours, theirs = socket.socketpair()
        words = [sys.executable, "-I", __file__, str(theirs.fileno())]
        self._process = subprocess.Popen(words, pass_fds=[theirs.fileno()])
        theirs.close()
        self._control = ours.makefile("rw", encoding="utf-8")
        ours.close()
        try:
            device = self._plug("")
            # Of the range for measurements (RFC 2544); no two networks of one machine have a device with one number.
            self._net = f"198.18.{socket.if_nametoindex(device) % 250}"
            self.address = {name: f"{self._net}.{number}" for name, number in _HERE.items()}
            for address in self.address.values():
                _ip("address", "add", f"{address}/24", "dev", device)
            _ip("link", "set", device, "up")
            self._tell()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._process.wait()
        for name in self._namespaces:
            _ip("netns", "delete", name)

    def machine(self, name: str) -> None:
        """One more machine."""
        self._last += 1
        self.address[name] = f"{self._net}.{self._last}"
        namespace = self._namespace(name)
        _ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        device = self._plug(self.address[name])
        _ip("link", "set", device, "netns", namespace)
        _ip("-n", namespace, "address", "add", f"{self.address[name]}/24", "dev", device)
        _ip("-n", namespace, "link", "set", device, "up")
        _ip("-n", namespace, "link", "set", "lo", "up")

    def within(self, name: str) -> list[str]:
        return ["ip", "netns", "exec", self._namespace(name)]

    def cut(self, one: str, *others: str) -> None:
        """Nothing arrives any more between *one* and *others*."""
        self._cut |= {(one, other) for other in others}
        self._tell()

    def mend(self) -> None:
        self._cut.clear()
        self._tell()

    def weather(self, *, loss: float, delay: float) -> None:
        """So many of all packets are lost; the others arrive so many seconds later."""
        self._loss, self._delay = loss, delay
        self._tell()

    def _namespace(self, name: str) -> str:
        return f"{self._net}-{name}"

    def _plug(self, address: str) -> str:
        """One more end of the line, for *address*; its device."""
        found = str(self._ask({"plug": address}))
        if found.startswith("!"):
            raise NoNamespaces(found[1:])
        return found

    def _tell(self) -> None:
        cut = [[self.address[one], self.address[other]] for one, other in self._cut]
        self._ask({"cut": cut, "loss": self._loss, "delay": self._delay})

    def _ask(self, words: dict[str, object]) -> object:
        self._control.write(json.dumps(words) + "\n")
        self._control.flush()
        return json.loads(self._control.readline())


def _ip(*words: str) -> None:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NoNamespaces("`ip` is not installed (iproute2)") from None
    if done.returncode:
        raise NoNamespaces(f"ip {' '.join(words)}: {done.stderr.strip()}")


# --- the line's side


class _Line:
    def __init__(self) -> None:
        self.ends: dict[bytes, int] = {}  # address → device
        self.cut: set[frozenset[bytes]] = set()
        self.loss = self.delay = 0.0
        self.dice = random.Random(7)
        self.under_way: list[tuple[float, int, bytes]] = []
        self.count = 0
        self.selector = selectors.DefaultSelector()

    def plug(self, address: str) -> str:
        try:
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            request = fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", b"line%d", _IFF_TUN | _IFF_NO_PI))
        except OSError as error:
            return f"!no tun device can be made here: {error}"
        self.ends[socket.inet_aton(address) if address else b""] = device
        self.selector.register(device, selectors.EVENT_READ)
        return request[:16].rstrip(b"\0").decode()

    def read(self, device: int) -> None:
        with contextlib.suppress(OSError):  # it is down, or gone
            packet = os.read(device, 65_536)
            if packet[0] >> 4 != 4 or self.dice.random() < self.loss:
                return
            self.count += 1
            heapq.heappush(self.under_way, (time.monotonic() + self.delay, self.count, packet))

    def deliver(self) -> float | None:
        """Hand over what has arrived by now; how long until the next does."""
        while self.under_way and (left := self.under_way[0][0] - time.monotonic()) <= 0:
            packet = heapq.heappop(self.under_way)[2]
            pair = (packet[12:16], packet[16:20])
            if frozenset(pair) not in self.cut:
                with contextlib.suppress(OSError):
                    os.write(self.ends.get(pair[1], self.ends[b""]), packet)
        return left if self.under_way else None

    def serve(self, control: socket.socket) -> None:
        lines = control.makefile("rw", encoding="utf-8")
        self.selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select(self.deliver()):
                if key.fileobj is not control:
                    self.read(key.fd)
                    continue
                said = lines.readline()
                if not said:
                    return
                match json.loads(said):
                    case {"plug": address}:
                        answer = self.plug(address)
                    case {"cut": cut, "loss": loss, "delay": delay}:
                        self.cut = {frozenset(map(socket.inet_aton, pair)) for pair in cut}
                        self.loss, self.delay, answer = loss, delay, ""
                lines.write(json.dumps(answer) + "\n")
                lines.flush()


if __name__ == "__main__":
    _Line().serve(socket.socket(fileno=int(sys.argv[1])))
