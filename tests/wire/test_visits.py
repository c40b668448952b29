"""Visits: what a mail server and an unsubscribe page show to the doctor, and that nothing is left behind there."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from servers import Fault, Scripted

from newsletter.config import Security, SmtpSettings
from newsletter.errors import ProviderError
from newsletter.providers.visits import Page, Response, ask_page, call_on, outward_address, within

if TYPE_CHECKING:
    from conftest import Authority

NOW = datetime(2026, 3, 3, 9, tzinfo=UTC)


def now() -> datetime:
    return NOW


# -- a mail server


def settings(server: Scripted, authority: Authority | None = None, **changes: Any) -> SmtpSettings:
    security = Security.STARTTLS if authority else Security.NONE
    values = {"timeout": timedelta(seconds=5), "security": security, "ca_file": authority.file if authority else None}
    return SmtpSettings(host="127.0.0.1", port=server.port, **(values | changes))


def test_a_server_is_greeted_and_left_without_a_letter(authority: Authority) -> None:
    tls = authority.server("127.0.0.1")
    with Scripted(tls=tls, extensions=["AUTH PLAIN"]) as server:
        seen = call_on(settings(server, authority, username="maya", password="secret"), now=now)
        verbs = [command.split(" ")[0] for command in server.commands]
    assert verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]
    assert server.took == []
    assert (seen.address, seen.name, seen.tls[:4]) == ("127.0.0.1", "test", "TLSv")
    assert seen.expires is not None
    assert timedelta(0) < seen.expires - datetime.now(UTC) < timedelta(days=11)
    assert seen.ahead is None


def test_a_server_on_this_machine_without_encryption() -> None:
    with Scripted() as server:
        seen = call_on(settings(server), now=now)
    assert (seen.tls, seen.expires) == ("", None)


@pytest.mark.parametrize(
    ("banner", "ahead"),
    [
        pytest.param(b"220 mx ESMTP Exim 4.98 Tue, 03 Mar 2026 08:59:30 +0000\r\n", timedelta(seconds=30), id="Exim"),
        pytest.param(b"220 mx ESMTP Sendmail 8.18; Tue, 3 Mar 2026 11:00:00 +0100\r\n", timedelta(hours=-1), id="Sendmail"),
        pytest.param(b"220 mx ESMTP Postfix\r\n", None, id="no date"),
        pytest.param(b"220 mx 99 Mar 2026 08:59:30 +0000\r\n", None, id="no day that there is"),
    ],
)  # fmt: skip
def test_a_clock_in_a_banner(banner: bytes, ahead: timedelta | None) -> None:
    with Scripted({"banner": banner}) as server:
        assert call_on(settings(server), now=now).ahead == ahead


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({"banner": b"554 5.7.1 go away\r\n"}, "turned us away"),
        ({"banner": Fault.DROP}, "did not complete the greeting"),
        ({"EHLO": Fault.DROP}, "did not complete the greeting"),
        ({"AUTH": b"535 5.7.8 wrong\r\n"}, "refused the login"),
    ],
)
def test_what_a_server_refuses_is_an_error_in_words(script: dict[str, Any], words: str) -> None:
    with Scripted(script, extensions=["AUTH PLAIN"]) as server, pytest.raises(ProviderError, match=words):
        call_on(settings(server, username="maya", password="secret"), now=now)


def test_a_certificate_for_another_name(authority: Authority) -> None:
    with (
        Scripted(tls=authority.server("mail.example.org")) as server,
        pytest.raises(ProviderError, match="another name"),
    ):
        call_on(settings(server, authority), now=now)


# -- a page


@dataclass
class Site:
    """Answers each method as it is told, over http or https; `requests` has what came."""

    answers: dict[str, tuple[int, dict[str, str]]]
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@contextlib.contextmanager
def serving(answers: dict[str, tuple[int, dict[str, str]]], tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    site = Site(answers)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            site.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status, fields = site.answers[self.command]
            self.send_response_only(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_GET = do_POST = answer  # noqa: N815  as the library calls them

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # a certificate that was refused

    server = Quiet(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    site.url = f"{'https' if tls else 'http'}://localhost:{server.server_port}/u/TOKEN"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


FINE = (200, {"Date": "Tue, 03 Mar 2026 08:59:30 GMT"})


def test_a_page_is_asked_as_a_mail_program_asks_it() -> None:
    with serving({"GET": FINE, "POST": FINE}) as site:
        page = ask_page(site.url, now=now)
    assert page == Page(*[Response(200, ahead=timedelta(seconds=30))] * 2)
    (get, path, headers, _), (post, same, sent, body) = site.requests
    assert (get, post, path, same) == ("GET", "POST", "/u/TOKEN", "/u/TOKEN")
    assert body == b"List-Unsubscribe=One-Click"  # RFC 8058 section 3.2
    assert sent["content-type"] == "application/x-www-form-urlencoded"
    for fields in (headers, sent):
        assert not {"cookie", "authorization", "referer"} & set(fields)


def test_a_redirect_is_noted_and_not_followed_and_a_cookie_is_not_carried() -> None:
    away = (302, {"Location": "/elsewhere", "Set-Cookie": "a=b"})
    with serving({"GET": (200, {"Set-Cookie": "a=b"}), "POST": away}) as site:
        page = ask_page(site.url, now=now)
    assert page == Page(Response(200), Response(302, "/elsewhere"))
    assert [(method, "cookie" in headers) for method, _, headers, _ in site.requests] == [
        ("GET", False),
        ("POST", False),
    ]


def test_a_login_that_lies_about_stays_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """requests would send what ~/.netrc has for the host."""
    (tmp_path / ".netrc").write_text("machine localhost login maya password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with serving({"GET": FINE, "POST": FINE}) as site:
        ask_page(site.url, now=now)
    assert not any("authorization" in headers for _, _, headers, _ in site.requests)


@pytest.mark.parametrize(
    ("names", "options", "trusted", "words"),
    [
        (("localhost",), {}, True, None),
        (("localhost",), {"expired": True}, True, "shows a certificate that has expired"),
        (("letters.example.org",), {}, True, "shows a certificate for another name"),
        (("localhost",), {"by_itself": True}, True, "shows a certificate that no browser trusts"),
        (("localhost",), {}, False, "shows a certificate whose authority is unknown, or not the whole chain"),
    ],
    ids=["right", "expired", "another name", "by itself", "unknown authority"],
)
def test_certificates(
    names: tuple[str, ...],
    options: dict[str, bool],
    trusted: bool,
    words: str | None,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with serving({"GET": FINE, "POST": FINE}, authority.server(*names, **options)) as site:
        page = ask_page(site.url, now=now)
    assert page.get == (words or Response(200, ahead=timedelta(seconds=30)))


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (lambda: f"http://127.0.0.1:{closed_port()}/u/T", "refuses the connection: nothing listens there"),
        (lambda: "http://nowhere.invalid/u/T", "can't be found by its name"),
    ],
)
def test_nobody_there(url: Callable[[], str], words: str) -> None:
    assert ask_page(url(), now=now) == Page(words, words)


def test_a_server_that_hangs_up_or_speaks_something_else() -> None:
    with Scripted({"banner": Fault.DROP}) as server:
        assert ask_page(f"http://127.0.0.1:{server.port}/", now=now).get == "broke off"
    with Scripted() as server:
        answer = ask_page(f"https://127.0.0.1:{server.port}/", now=now).get
    assert answer == "does not speak TLS as browsers do"


# -- an end


def test_a_visit_has_an_end() -> None:
    held = threading.Event()
    result = within(0.05, "the mail server", held.wait)
    with pytest.raises(ProviderError, match="^the mail server did not answer within 0.05 seconds; "):
        result()
    held.set()


def test_what_a_visit_brings_or_why_it_brings_nothing() -> None:
    assert within(60, "it", lambda: 42)() == 42
    with pytest.raises(ZeroDivisionError):
        within(60, "it", lambda: 1 // 0)()


def test_the_way_outward_sends_nothing() -> None:
    assert outward_address() == "" or outward_address().count(".") == 3
