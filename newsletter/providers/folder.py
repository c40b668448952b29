"""Provider `folder`: each message a file, for rehearsals and the demo. Nothing leaves the machine.

Layout
    PATH/new/NAME.eml  one message, exactly the bytes that would have been submitted
    PATH/tmp/          being written; safe to delete

Guarantees
    A file in new/ is complete and on the disk before its message is reported accepted. NAME comes from the
    Message-ID alone, so the same delivery is the same file however often it's submitted, `lookup` is
    exact, and no reader's address shows in a directory listing. Files are readable by their owner only.

What goes wrong
    No permission, a file where the folder should be, a full disk: `ProviderError`; the message in hand
    wasn't handed over. Another text under the same Message-ID, as after a database was restored, gets a
    file of its own beside the first (NAME,2.eml), as a mail server would take it; nothing is overwritten.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from urllib.parse import quote

from newsletter.config import FolderSettings
from newsletter.errors import ProviderError
from newsletter.mail import Accepted, Message, Outcome

_NAME_MAX = 200  # characters; most file systems end at 255 bytes


class Folder:
    """A Maildir-like directory; see the module's page."""

    name = "folder"
    window = 50

    def __init__(self, settings: FolderSettings) -> None:
        self._path = settings.path
        self._tmp, self._new = self._path / "tmp", self._path / "new"

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        """Write each message and yield it as soon as it's on the disk. Raises `ProviderError`."""
        try:
            for directory in (self._path, self._tmp, self._new):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        for message in messages:
            try:
                outcome = self._write(message)
            except OSError as error:
                raise self._unusable(error) from error
            yield message, outcome

    def lookup(self, message_id: str, *, since: datetime | None = None) -> Accepted | None:
        """`Accepted` when the file is there, None when it isn't (any more). Raises `ProviderError`."""
        name = file_name(message_id)
        try:
            (self._new / name).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error
        return Accepted(provider_id=name)

    def _write(self, message: Message) -> Outcome:
        name = self._place(message)
        final, draft = self._new / name, self._tmp / name
        if final.exists():
            # The crash may have come before the directory reached the disk.
            _sync(self._new)
            return Accepted(provider_id=name)
        try:
            draft.touch(mode=0o600)  # a letter to a practice's reader is nobody else's
            with draft.open("wb") as file:
                file.write(message.data)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(final)
        except OSError:
            draft.unlink(missing_ok=True)  # half a message is of no use, least of all on a full disk
            raise
        _sync(self._new)  # 0.15–0.2 ms of 0.6 a message (25 kB, ext4 on an SSD): too cheap to group
        return Accepted(provider_id=name)

    def _place(self, message: Message) -> str:
        """The file that holds *message* already, else the first name that is free for it."""
        name = file_name(message.message_id)
        for n in count(1):
            place = name if n == 1 else f"{name.removesuffix('.eml')},{n}.eml"  # `quote` leaves no comma in a name
            try:
                if (self._new / place).read_bytes() == message.data:
                    break
            except FileNotFoundError:
                break
        return place

    def _unusable(self, error: OSError) -> ProviderError:
        """*error* in words, with what to do about it."""
        remedy = _REMEDIES.get(error.errno or 0, f"can't be used ({error.strerror}); choose another path")
        return ProviderError(f"the folder for messages, {self._path}, {remedy} in [provider.folder] of newsletter.toml")


_FULL = "is on a disk that is full; free some space and send again, or choose another path"
_DENIED = "can't be written to by this user; change who owns it, or choose another path"
_REMEDIES = {
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: "is on a disk that is read-only; choose another path",
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.ENOTDIR: "has a file where a folder should be; move that file away, or choose another path",
    errno.EEXIST: "has a file where a folder should be; move that file away, or choose another path",
}


def file_name(message_id: str) -> str:
    """The file of *message_id* (without angle brackets): the same for the same id, different for different ones."""
    name = quote(message_id, safe="@+=")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) > _NAME_MAX:
        name = hashlib.sha256(message_id.encode()).hexdigest()
    return f"{name}.eml"


def _sync(directory: Path) -> None:
    """Make a rename durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
