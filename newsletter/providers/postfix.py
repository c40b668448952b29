"""The log of a Postfix on this machine: whether it took a message (postfix.org/OVERVIEW).

    cleanup[…]: 4F1: message-id=<…>      it has read the header of a message
    qmgr[…]: 4F1: from=<…> (queue active)   the message is whole and Postfix's own to deliver

Guarantees
    Yes is the second line after the first. No is said only when the log has lines from before the attempt and from well
    after it, and neither of the two. Anything else is doubt.
    Time and memory grow with what was logged since the attempt, and a log is read once, however many are looked up.

What goes wrong
    A log that can't be read, was rotated away twice or has stopped: doubt, with the reason.

Time stamps are those of RFC 3164, which know neither year nor zone (the nearest year, and this machine's zone), or of
ISO 8601.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import BinaryIO

#: From an attempt's beginning until what it came to is in the log: Postfix waits so long for a silent client.
SETTLED = timedelta(minutes=5)
_SLACK = timedelta(seconds=2)  # RFC 3164 counts whole seconds
_PATIENCE, _NAP = 2.0, 0.05  # seconds
_BLOCK = 65_536  # octets
_LINE_MAX = 16_384
_HEADER = re.compile(rb"/cleanup\[\d+\]: (\w+): message-id=<(.*)>\s*$")
_ACTIVE = re.compile(rb"/qmgr\[\d+\]: (\w+): from=<.*\(queue active\)\s*$")
_RFC_3164 = re.compile(r"([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) ")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def stamp(line: bytes, *, near: datetime) -> datetime | None:
    """When *line* was written; None when it does not say."""
    head = line[:40].decode("ascii", "replace")
    if found := _RFC_3164.match(head):
        name, *numbers = found.groups()
        if name not in _MONTHS:
            return None
        day, hour, minute, second = map(int, numbers)
        moments = []
        for year in (near.year - 1, near.year, near.year + 1):
            try:
                moments.append(datetime(year, _MONTHS.index(name) + 1, day, hour, minute, second).astimezone())
            except ValueError:  # 29 February
                continue
        return min(moments, key=lambda at: abs(at - near), default=None)
    try:
        at = datetime.fromisoformat(head.partition(" ")[0])
    except ValueError:
        return None
    return at.astimezone()  # one without a zone is this machine's


class MailLog:
    """One log, read from a moment on and followed while it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = (0, 0)  # device and inode
        self._since: datetime | None = None  # read from here on
        self._offset = 0  # read so far
        self._headers: dict[bytes, bytes] = {}  # queue id → Message-ID, not known to be whole
        self._whole: dict[bytes, bytes] = {}  # Message-ID → queue id
        self.first: datetime | None = None  #: of what was read
        self.last: datetime | None = None

    def queue_id(self, message_id: str) -> str | None:
        """Under which Postfix has taken the message; None: not that we know."""
        found = self._whole.get(message_id.encode())
        return found.decode() if found else None

    def mentions(self, message_id: str) -> bool:
        """Whether it has read the header of the message, at least."""
        return message_id.encode() in self._whole or message_id.encode() in self._headers.values()

    def covers(self, since: datetime) -> bool:
        """Whether what became of an attempt at *since* would stand in what was read."""
        before = self.first is not None and self.first < since - _SLACK
        return before and self.last is not None and self.last >= since + SETTLED

    def await_line(self, *, since: datetime) -> None:
        """Read, and wait a little for something new: a line takes its time from Postfix to the file."""
        before, end = self._offset, monotonic() + _PATIENCE
        while self._offset == before and monotonic() < end:
            sleep(_NAP)
            self.read(since=since)

    def read(self, *, since: datetime) -> None:
        """Read what was logged from *since* on and is not known yet. Raises `OSError`."""
        with self._path.open("rb") as log:
            found = _identity(log)
            if found != self._file or _size(log) < self._offset or self._since is None or since < self._since:
                self._file, self._since, self._offset, self.first, self.last = found, since, 0, None, None
                self._headers, self._whole = {}, {}
                self._offset = _start(log, since)
                if self._offset == 0:
                    self._read_rotated(since)
            log.seek(self._offset)
            self._offset += self._take(log, since)

    def _read_rotated(self, since: datetime) -> None:
        try:
            with self._path.with_name(f"{self._path.name}.1").open("rb") as log:
                log.seek(_start(log, since))
                self._take(log, since)
        except FileNotFoundError:
            pass

    def _take(self, log: BinaryIO, near: datetime) -> int:
        """Read to the end; how many octets of whole lines there were."""
        octets, last = 0, b""
        for line in _lines(log):
            octets += len(line)
            last = line
            if self.first is None:
                self.first = stamp(line, near=near)
            if b": message-id=<" in line and (header := _HEADER.search(line)):
                self._headers[header[1]] = header[2]
            elif b"(queue active)" in line and (active := _ACTIVE.search(line)) and active[1] in self._headers:
                self._whole[self._headers.pop(active[1])] = active[1]
        self.last = stamp(last, near=near) or self.last
        return octets


def _lines(log: BinaryIO) -> Iterator[bytes]:
    """Whole lines; one that is still being written is left for the next time."""
    for line in log:
        if not line.endswith(b"\n"):
            return
        yield line


def _start(log: BinaryIO, since: datetime) -> int:
    """Where a line begins that was written before *since*, not far before it; 0 when there is none."""
    size, back = _size(log), _BLOCK
    while back < size:
        log.seek(size - back)
        log.readline(_LINE_MAX)  # the rest of a line
        place = log.tell()
        at = stamp(log.readline(_LINE_MAX), near=since)
        if at is not None and at < since - _SLACK:
            return place
        back *= 2
    return 0


def _identity(log: BinaryIO) -> tuple[int, int]:
    status = os.fstat(log.fileno())
    return status.st_dev, status.st_ino


def _size(log: BinaryIO) -> int:
    return log.seek(0, 2)
