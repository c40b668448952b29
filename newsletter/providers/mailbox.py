"""The mailbox in which bounces and requests to leave arrive, by IMAP.

Guarantees
    Nothing is deleted and nothing is marked as read: letters are looked at (BODY.PEEK), and those that were dealt with
    are moved to a folder of their own, they alone. Of a letter no more than `OCTETS_MAX` are read, and no more than
    `_TOGETHER` letters are in memory. The login leaves only over TLS whose certificate is valid for the host's name, or
    to this very machine.

What goes wrong
    `ProviderError`, in words for the owner: not reachable, a wrong certificate, a wrong password, no such folder,
    broken off. What was moved by then stays moved.

Sources: RFC 3501 (IMAP4rev1), RFC 6851 (MOVE), RFC 4315 (UID EXPUNGE), RFC 2342 (namespaces), RFC 8314 (TLS).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from types import TracebackType
from typing import TYPE_CHECKING

from newsletter.config import MailboxSettings, Security
from newsletter.errors import ProviderError
from newsletter.mail import shown
from newsletter.providers.session import certificate_fault, loopback, tls_context

if TYPE_CHECKING:
    from imapclient import IMAPClient

OCTETS_MAX = 131_072  #: of a letter; what a report has to say stands in front of the letter that came back
_TOGETHER = 20
_CHECK = "check host, port and security in [mailbox] of newsletter.toml"
_PEEK = f"BODY.PEEK[]<0.{OCTETS_MAX}>"
_NAMES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail as it lies there."""

    uid: int
    arrived_at: datetime  #: aware; by the server's clock
    data: bytes = field(repr=False)  #: its first `OCTETS_MAX` octets


class Mailbox:
    """One folder of a mailbox; a context manager, connected within."""

    def __init__(self, settings: MailboxSettings) -> None:
        self._settings = settings
        self._client: IMAPClient | None = None
        self._done = ""  # the folder for what was dealt with, once it is known to be there
        self.validity = 0  #: when this changes, the numbers of letters mean others (RFC 3501 section 2.3.1.1)
        self.server = f"the mail server {settings.host}, port {settings.port},"
        self.ident = f"{settings.username}@{settings.host}/{settings.folder}"

    def __enter__(self) -> Mailbox:
        """Connect, log in and open the folder. Raises `ProviderError`."""
        context = tls_context(self._settings)
        try:
            with self._owners_words():
                self._client = self._connected(context)
                self._login()
                self._select()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def letters(self, *, after: int, since: date | None = None) -> Iterator[list[Letter]]:
        """The letters with a number above *after*, oldest first, some at a time; from the day *since* on, if given."""
        with self._owners_words():
            wanted: list[object] = ["UID", f"{after + 1}:*"]
            found = self._open.search([*wanted, "SINCE", since] if since else wanted)
        # "*" names the last letter, whatever its number (RFC 3501 section 6.4.8).
        uids = sorted(uid for uid in found if uid > after)
        for at in range(0, len(uids), _TOGETHER):
            yield self._fetch(uids[at : at + _TOGETHER])

    def put_away(self, uids: Sequence[int]) -> None:
        """Move these letters, and no others, to the folder for what was dealt with."""
        if not uids:
            return
        with self._owners_words():
            client, folder = self._open, self._done or self._make_done()
            if client.has_capability("MOVE"):
                client.move(uids, folder)
                return
            client.copy(uids, folder)
            client.add_flags(uids, [b"\\Deleted"], silent=True)
            # A plain EXPUNGE would take along what the owner has marked as deleted and not let go of yet.
            if client.has_capability("UIDPLUS"):
                client.uid_expunge(uids)

    # --- connecting

    def _connected(self, context: ssl.SSLContext | None) -> IMAPClient:
        from imapclient import IMAPClient  # 60 ms to import: only who has a mailbox pays

        s = self._settings
        tls = s.security is Security.TLS
        client = IMAPClient(s.host, s.port, ssl=tls, ssl_context=context, timeout=s.timeout.total_seconds())
        self._client = client
        client.normalise_times = False  # aware, as the server tells them
        if s.security is Security.STARTTLS:
            client.starttls(context)
        elif s.security is Security.NONE and not loopback(client.socket()):
            raise ProviderError(
                f'{self.server} is not on this machine, and security = "none" would send the password in the clear; set'
                ' security = "tls" in [mailbox]'
            )
        return client

    def _login(self) -> None:
        from imapclient.exceptions import LoginError

        s = self._settings
        try:
            if s.password.isascii() and s.username.isascii():
                self._open.login(s.username, s.password)
            else:  # LOGIN takes ASCII alone
                self._open.plain_login(s.username, s.password)
        except LoginError as error:
            raise ProviderError(
                f"{self.server} refused the login of {s.username}: {shown(_said(error))}; check username and password"
                " in [mailbox]. Many mail hosts want a password of its own for a program like this one, an app password"
            ) from None

    def _select(self) -> None:
        from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

        name = self._settings.folder
        try:
            selected = self._open.select_folder(self._named(name))
        except IMAPClientAbortError:
            raise
        except IMAPClientError:
            there = ", ".join(sorted(str(folder) for *_, folder in self._open.list_folders())[:_NAMES_SHOWN])
            raise ProviderError(
                f"{self.server} has no folder {shown(name)}; check folder in [mailbox]. There are: {there}"
            ) from None
        self.validity = int(selected.get(b"UIDVALIDITY", 0))

    # --- within

    @property
    def _open(self) -> IMAPClient:
        if self._client is None:
            raise ProviderError(f"{self.server} is not connected")
        return self._client

    def _fetch(self, uids: list[int]) -> list[Letter]:
        with self._owners_words():
            found = self._open.fetch(uids, ["INTERNALDATE", _PEEK])
        letters = []
        for uid in uids:  # one that somebody else moved meanwhile is not there
            data, arrived = found.get(uid, {}).get(b"BODY[]<0>"), found.get(uid, {}).get(b"INTERNALDATE")
            if data is not None and arrived is not None:
                letters.append(Letter(uid, arrived.astimezone(), bytes(data)))
        return letters

    def _make_done(self) -> str:
        """The folder for what was dealt with; made, and shown in mail programs, when it is not there."""
        from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

        client = self._open
        for name in (
            self._named(self._settings.done_folder),
            self._named(self._settings.done_folder, within_inbox=True),
        ):
            if not client.folder_exists(name):
                try:
                    client.create_folder(name)
                    client.subscribe_folder(name)
                except IMAPClientAbortError:
                    raise
                except IMAPClientError as error:
                    refused = error
                    continue
            self._done = name
            return name
        raise ProviderError(
            f"{self.server} does not make the folder {shown(self._settings.done_folder)} ({shown(_said(refused))});"
            " make it in your mail program, or name another one as done_folder in [mailbox]"
        )

    def _named(self, name: str, *, within_inbox: bool = False) -> str:
        """*name* with the server's own separator; some keep every folder below INBOX."""
        found = self._open.list_folders("", "INBOX")
        separator = next((d.decode("ascii", "replace") for _, d, _ in found if d), "/")
        return ("INBOX" + separator if within_inbox else "") + name.replace("/", separator)

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # what was to be done is done; nothing hangs on a farewell
                client.logout()
            with suppress(Exception):
                client.shutdown()

    @contextmanager
    def _owners_words(self) -> Iterator[None]:
        """Turn what the network and the server raise into `ProviderError`."""
        from imapclient.exceptions import CapabilityError, IMAPClientAbortError, IMAPClientError

        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise ProviderError(f"{self.server} {certificate_fault(error)}. Nothing was sent") from None
        except socket.gaierror:
            raise ProviderError(
                f"{self.server} can't be found by its name; {_CHECK}, and whether this machine is online"
            ) from None
        except ConnectionRefusedError:
            raise ProviderError(f"{self.server} refused the connection: nothing listens there; {_CHECK}") from None
        except TimeoutError:
            seconds = self._settings.timeout.total_seconds()
            raise ProviderError(f"{self.server} did not answer within {seconds:g} seconds; {_CHECK}") from None
        except ssl.SSLError:
            raise ProviderError(f"{self.server} does not speak TLS there; {_CHECK}") from None
        except CapabilityError as error:
            raise ProviderError(f"{self.server} lacks something that is needed: {_said(error)}; {_CHECK}") from None
        except (IMAPClientAbortError, OSError) as error:
            raise ProviderError(f"{self.server} broke off: {shown(_said(error))}; the next run goes on") from None
        except (IMAPClientError, ValueError) as error:  # what it says is no IMAP, or a refusal
            raise ProviderError(f"{self.server} answered {shown(_said(error))}; {_CHECK}") from None


def _said(error: Exception) -> str:
    """What a server answered, of what the library makes of it: b'...' is its notation, not the server's."""
    text = str(error.args[0]) if error.args and not isinstance(error.args[0], int) else str(error)
    return text.removeprefix("b'").removesuffix("'") or type(error).__name__
