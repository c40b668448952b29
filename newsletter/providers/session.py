"""A session with a mail server, from connecting to the login, and its farewell.

smtplib does EHLO and AUTH; reading and TLS are ours, so that a server can't keep us for ever, feed us
without end, or slip a line in front of the encryption. Transactions are `channel`'s, on the open socket.

Guarantees
    The login leaves only over TLS whose certificate is valid for the host's name, or to this very machine.
    A reply arrives whole within its time, or the session counts as dropped.

What goes wrong
    `ProviderError` from `open`, in words for the owner, about us; `Dropped` from `command` and `reply`.

Sources: RFC 5321, RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 6409 (submission).
"""

from __future__ import annotations

import contextlib
import ipaddress
import select
import smtplib
import socket
import ssl
from time import monotonic

from newsletter.config import MailboxSettings, Security, SmtpSettings
from newsletter.errors import ProviderError
from newsletter.mail import Reply, shown
from newsletter.providers.wire import LINE_MAX, Dropped, ReplyReader, spoken
from newsletter.replies import BUSY, LOGIN_CODES, Phase, parse, retry_after

_QUIT_TIMEOUT = 5.0  # seconds; nothing hangs on this answer
_CHECK = "check host and port in [provider.smtp] of newsletter.toml"

#: OpenSSL's verify codes, as the owner would say them.
_CERTIFICATE = {
    9: "isn't valid yet; check this machine's clock",
    10: "has expired; ask your mail host to renew it, and check this machine's clock",
    18: "is signed by itself, not by an authority; if it's your own server, name its certificate as ca_file",
    19: "comes from an authority unknown here; if it's your own, name it as ca_file",
    20: "comes from an authority unknown here; if it's your own, name it as ca_file",
    62: "is for another name; use the name your mail host gave you as host",
    64: "is for another name; use the name your mail host gave you as host, not a number",
}


class Session(smtplib.SMTP):
    """One connection at a time: `open`, `command` and `reply`, `leave` or `close`; may be opened again."""

    def __init__(self, settings: SmtpSettings, context: ssl.SSLContext | None, *, helo: str) -> None:
        seconds = settings.timeout.total_seconds()
        super().__init__(local_hostname=helo or "[127.0.0.1]", timeout=seconds)  # a name given: no DNS look-up
        self._settings, self._context, self._seconds = settings, context, seconds
        self._literal = not helo
        self.replies = ReplyReader()
        self._aborted = False
        self.banner = ""  # what it says first, before EHLO
        self.server = f"the mail server {settings.host}, port {settings.port},"

    # -- opening -------------------------------------------------------------------------------------

    def open(self) -> None:
        """Connect, greet, encrypt, log in. Raises `ProviderError` and is closed again then."""
        self.replies = ReplyReader()
        try:
            self._connect()
            banner = self.reply()
            self.banner = banner.text
            self._check(Phase.CONNECT, banner)
            self._greet()
            if self._settings.security is Security.STARTTLS:
                self._starttls()
            if self._settings.username:
                self._login()
        except OSError as error:  # smtplib's errors are OSErrors too
            self.close()
            raise self._unreachable(error) from error
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        host, port = self._settings.host, self._settings.port
        try:
            if self._settings.security is Security.NONE:
                self._check_this_machine()
            sock = socket.create_connection((host, port), timeout=self._seconds)
        except UnicodeError:
            raise ProviderError(f"{shown(host)} is not the name of a server; {_CHECK}") from None
        self.sock = sock
        if self._aborted:
            raise Dropped("stopped")
        # Body and final dot are two writes; Nagle's delay would cost 40 ms between them.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _lively(sock, int(self._seconds))
        if self._literal:  # RFC 5321 section 4.1.3
            ours = ipaddress.ip_address(sock.getsockname()[0].partition("%")[0])
            self.local_hostname = f"[{'IPv6:' if ours.version == 6 else ''}{ours}]"
        if self._settings.security is Security.TLS:
            self._encrypt()

    def _check_this_machine(self) -> None:
        """Refuse to go without encryption to another machine, before a packet has left."""
        found = socket.getaddrinfo(self._settings.host, self._settings.port, type=socket.SOCK_STREAM)
        if not all(_is_loopback(str(address[0])) for *_, address in found):
            raise ProviderError(
                f'{self.server} is not on this machine, and security = "none" would send letters and password in the '
                'clear; set security = "starttls" in [provider.smtp]'
            )

    def _encrypt(self) -> None:
        if self._context is None or self.sock is None:
            raise Dropped("not connected")
        # wrap_socket takes the descriptor over and closes it when the handshake fails.
        plain, self.sock = self.sock, None
        self.sock = self._context.wrap_socket(plain, server_hostname=self._settings.host)
        if self._aborted:
            raise Dropped("stopped")

    def _greet(self) -> None:
        code, text = self.ehlo()
        self._check(Phase.EHLO, parse(code, text.split(b"\n")))

    def _starttls(self) -> None:
        if not self.has_extn("starttls"):
            hint = 'security = "none" will do on this machine' if loopback(self.sock) else "ask your mail host"
            raise ProviderError(
                f"{self.server} offers no encryption (STARTTLS), so nothing was sent; try port 465 with "
                f'security = "tls" in [provider.smtp], or {hint}'
            )
        self._check(Phase.STARTTLS, self.command("STARTTLS"))
        if self.replies:
            # Read later, these bytes would pass for the server's own words inside TLS (CVE-2011-0411).
            raise ProviderError(
                f"{self.server} sent text in the clear between agreeing to encrypt and doing it; someone on the way "
                "may be interfering. No letter and no password was sent; try another network or ask your mail host"
            )
        self._encrypt()
        self._greet()  # RFC 3207 section 4.2: ehlo() forgets what was offered in the clear

    def _login(self) -> None:
        user = self._settings.username
        if not isinstance(self.sock, ssl.SSLSocket) and not loopback(self.sock):
            raise ProviderError(f"{self.server} is not encrypted, so the password was not sent; set security")
        try:
            self.login(user, self._settings.password)
        except smtplib.SMTPAuthenticationError as error:
            text = error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()
            raise self.refused(Phase.AUTH, parse(error.smtp_code, text.split(b"\n"))) from None
        except smtplib.SMTPServerDisconnected:
            raise
        except smtplib.SMTPException:  # no AUTH offered, or none that we speak
            raise ProviderError(
                f"{self.server} offers no login we can use; remove username from [provider.smtp], or try port 587"
            ) from None
        except UnicodeEncodeError:
            raise ProviderError(
                f"the user name or password for {self._settings.host} has letters that this login can't carry; "
                "choose a password of plain letters, digits and signs"
            ) from None

    # -- talking -------------------------------------------------------------------------------------

    def command(self, line: str) -> Reply:
        """Say *line*, give the reply. Raises `Dropped` (or smtplib's SMTPServerDisconnected)."""
        self.put(spoken(line))
        return self.reply()

    def put(self, data: bytes) -> None:
        """Send *data*. Raises `Dropped`; also when the server has spoken out of turn, since we're out of step then."""
        if self.replies or self.sock is None:
            raise Dropped("it spoke out of turn" if self.replies else "not connected")
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Dropped(why(error)) from error

    def reply(self, seconds: float | None = None) -> Reply:
        """The next reply, complete within *seconds* (default: the timeout of the settings). Raises `Dropped`."""
        code, text = self._read(self._seconds if seconds is None else seconds)
        return parse(code, text.split(b"\n"))

    def getreply(self) -> tuple[int, bytes]:
        """smtplib's own reading, replaced: it knows no limit of lines or of time."""
        return self._read(self._seconds)

    def quiet(self) -> bool:
        """Whether the session is open and the server has said nothing unasked: a farewell (421), or its closing."""
        if self.sock is None or self.replies or (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def abort(self) -> None:
        """Break the session off, from another thread: whoever waits in it gets `Dropped`."""
        self._aborted = True
        if (sock := self.sock) is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown, which takes the encryption away under the other thread's feet.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _read(self, seconds: float) -> tuple[int, bytes]:
        deadline = monotonic() + seconds
        while (found := self.replies.take()) is None:
            self._fill(deadline, seconds)
        if self.sock is not None:
            self.sock.settimeout(self._seconds)  # reading has shortened it
        return found[0], b"\n".join(found[1])

    def _fill(self, deadline: float, seconds: float) -> None:
        left = deadline - monotonic()
        if self.sock is None:
            raise Dropped("not connected")
        try:
            if left <= 0:
                raise TimeoutError
            self.sock.settimeout(left)
            chunk = self.sock.recv(LINE_MAX)
        except TimeoutError:
            raise Dropped(f"it did not answer within {seconds:g} seconds") from None
        except OSError as error:
            raise Dropped(why(error)) from error
        if not chunk:
            raise Dropped("it closed the connection")
        self.replies.feed(chunk)

    # -- parting -------------------------------------------------------------------------------------

    def part(self) -> None:
        """Say QUIT. What fails here and in `leave` changes nothing: every outcome is known."""
        with contextlib.suppress(OSError):
            if self.sock is not None:
                self.sock.settimeout(self._seconds)
            self.put(b"QUIT\r\n")

    def leave(self) -> None:
        """Hear the answer to QUIT, if one comes soon, and close."""
        with contextlib.suppress(OSError):
            self.reply(min(_QUIT_TIMEOUT, self._seconds))
        self.close()

    # -- words ---------------------------------------------------------------------------------------

    def _check(self, phase: Phase, reply: Reply) -> None:
        if not 200 <= reply.code < 300:
            raise self.refused(phase, reply)

    def refused(self, phase: Phase, reply: Reply, *, sender: str = "") -> ProviderError:
        """The server's refusal of us, up to MAIL, as an error for the owner. *sender*: the domain we mail from."""
        said, wait = shown(str(reply), limit=300), retry_after(reply)
        user = shown(self._settings.username)
        if wait:
            words = f"is busy ({phase}) and said {said}; nothing to do unless it lasts"
        elif phase is Phase.AUTH:
            words = (
                f"refused the login for {user} and said {said}; check username in [provider.smtp] and the password, "
                "which is in password_file or NEWSLETTER_SMTP_PASSWORD (some mail hosts want an app password here)"
            )
        elif reply.code in LOGIN_CODES:
            words = f"wants a login first and said {said}; set username and password_file in [provider.smtp]"
        elif phase is Phase.MAIL:
            words = f"takes no mail from {sender} and said {said}; check from in [newsletter], or ask your mail host"
        else:
            words = f"turned us away ({phase}) and said {said}; ask your mail host why, or {_CHECK}"
        return ProviderError(f"{self.server} {words}", retry_after=wait, busy=wait is not None)

    def dropped(self, drop: OSError) -> ProviderError:
        """The session broke again and again before anything was handed over."""
        return ProviderError(
            f"{self.server} breaks off in the middle: {drop}; nothing to do unless it lasts, then ask your mail host",
            retry_after=BUSY,
        )

    def _unreachable(self, error: OSError) -> ProviderError:
        """Why no session came about. Only certificates and a wrong kind of port wait for the owner."""
        tls, wait = self._settings.security, BUSY
        if isinstance(error, ssl.SSLCertVerificationError):
            return ProviderError(f"{self.server} {certificate_fault(error)}. Nothing was sent")
        if isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            other = 'try security = "starttls"' if tls is Security.TLS else "ask your mail host"
            return ProviderError(f"{self.server} does not speak TLS there; {_CHECK}, or {other}")
        if isinstance(error, socket.gaierror):
            words = f"can't be found by its name; {_CHECK}, and whether this machine is online"
        elif isinstance(error, ConnectionRefusedError):
            words = f"refused the connection: nothing listens there; {_CHECK}"
        elif isinstance(error, TimeoutError):
            words = f"did not answer within {self._seconds:g} seconds; {_CHECK} (many networks block port 25: try 587)"
        elif isinstance(error, Dropped):
            hint = ' (port 465 wants security = "tls")' if tls is not Security.TLS else ""
            words = f"did not complete the greeting: {error}; if it lasts, {_CHECK}{hint}"
        else:
            words = f"can't be reached: {why(error)}; {_CHECK}"
        return ProviderError(f"{self.server} {words}", retry_after=wait)


def _lively(sock: socket.socket, seconds: int) -> None:
    """Give the line up when nothing at all comes through for *seconds*: a server may think for ten minutes after the
    final dot, but its system answers all that time, where a network that went away does not."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wanted = {
        "TCP_KEEPIDLE": max(seconds // 3, 1),
        "TCP_KEEPINTVL": max(seconds // 9, 1),
        "TCP_KEEPCNT": 6,
        "TCP_USER_TIMEOUT": seconds * 1000,
    }
    for name, value in wanted.items():
        if (option := getattr(socket, name, None)) is not None:  # Linux has them all
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def tls_context(settings: SmtpSettings | MailboxSettings) -> ssl.SSLContext | None:
    """Certificate and host name are checked; reading the system's authorities costs about 20 ms.

    None without encryption. Raises `ProviderError` for a ca_file that is none.
    """
    if settings.security is Security.NONE:
        return None
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(settings.ca_file)
        except OSError as error:  # ssl.SSLError is one
            section = "[mailbox]" if isinstance(settings, MailboxSettings) else "[provider.smtp]"
            raise ProviderError(
                f"ca_file {settings.ca_file} can't be read as a certificate ({error.strerror}); "
                f"give the path of a PEM file, or remove ca_file from {section}"
            ) from error
    return context


def certificate_fault(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a server's certificate, as the second half of a sentence."""
    fault = _CERTIFICATE.get(error.verify_code, f"can't be trusted ({error.verify_message})")
    return f"showed a certificate that {fault}"


def loopback(sock: socket.socket | None) -> bool:
    """Whether the other end is this machine, by its address and not by its name."""
    return sock is not None and _is_loopback(sock.getpeername()[0])


def _is_loopback(address: str) -> bool:
    peer = ipaddress.ip_address(address.partition("%")[0])
    mapped = peer.ipv4_mapped if isinstance(peer, ipaddress.IPv6Address) else None
    return (mapped or peer).is_loopback


def why(error: OSError) -> str:
    """*error* without its number."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return (error.strerror or str(error) or "the connection broke").lower()
