"""One request over a real socket that misbehaves, and what the headers of an answer mean."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake import Said
from fakes import PostmarkFake

from newsletter.config import VendorSettings
from newsletter.errors import ProviderError
from newsletter.mail import Accepted, Address, Envelope, Message, Uncertain
from newsletter.providers import http
from newsletter.providers.exchange import ANSWER_MOST, Answer, Request, Unanswered, Unsent, ask, exchange, new_session
from newsletter.providers.postmark import Postmark

QUICK = VendorSettings("", timeout=timedelta(seconds=1))
SENDER = Address.parse("maya@letters.example.org")
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


@contextmanager
def server(behaviour: Callable[[socket.socket], None]) -> Iterator[VendorSettings]:
    """A socket that does *behaviour* with each connection."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=at_end, args=(connection,), daemon=True).start()

    def at_end(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            behaviour(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield replace(QUICK, base_url=f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def send(settings: VendorSettings, body: bytes = b"{}") -> object:
    with new_session() as session:
        return exchange(session, settings, Request("/x", {}, body))


def whole_request(connection: socket.socket) -> None:
    """Read until the body is there; it ends with a closing brace."""
    while not connection.recv(65_536).endswith(b"}"):
        pass


def test_an_answer() -> None:
    def behaviour(connection: socket.socket) -> None:
        whole_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi")

    with server(behaviour) as settings:
        assert send(settings) == Answer(200, {"content-length": "2", "x-a": "b"}, b"hi")


def test_hung_up_before_the_body_is_not_handed_over() -> None:
    """Eight megabytes do not fit into what a socket keeps, so the last octet can't have left."""

    def behaviour(connection: socket.socket) -> None:
        connection.recv(1_000)

    with server(behaviour) as settings:
        assert isinstance(send(settings, b"x" * 8_000_000 + b"}"), Unsent)


def test_hung_up_behind_the_body_is_unanswered() -> None:
    with server(whole_request) as settings:
        assert isinstance(send(settings), Unanswered)


def test_silence_behind_the_body_is_unanswered_in_time() -> None:
    def behaviour(connection: socket.socket) -> None:
        whole_request(connection)
        connection.recv(1)

    with server(behaviour) as settings:
        started = time.monotonic()
        assert isinstance(send(settings), Unanswered)
        assert time.monotonic() - started >= 1


def test_an_answer_without_an_end_is_cut_off() -> None:
    def behaviour(connection: socket.socket) -> None:
        whole_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(ANSWER_MOST // 65_536 + 100):
            connection.sendall(b"x" * 65_536)

    with server(behaviour) as settings:
        assert send(replace(settings, timeout=timedelta(minutes=5))) == Unanswered("its answer did not end")


def test_an_answer_that_drips_is_given_up_as_a_whole() -> None:
    def behaviour(connection: socket.socket) -> None:
        whole_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"x" * 1000)
            time.sleep(0.05)

    with server(behaviour) as settings:
        found = send(settings)
        assert isinstance(found, Unanswered) and "not whole" in found.why


def test_a_header_that_drips_is_given_up_by_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def behaviour(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for n in range(1000):
            connection.sendall(b"X-%d: y\r\n" % n)
            time.sleep(0.05)

    monkeypatch.setattr(http, "CONNECT_MOST", 0.5)
    with server(behaviour) as settings:
        provider = Postmark(replace(settings, message_stream="broadcast"), now=lambda: AT)
        ((_, outcome),) = provider.submit([message(1)])
    assert outcome == Uncertain("Postmark: it did not answer in time")


def test_nobody_there_and_no_such_name(monkeypatch: pytest.MonkeyPatch) -> None:
    known = socket.getaddrinfo

    def look_up(host: str, *args: object, **more: object) -> object:
        if host == "nowhere.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for url, why in (("http://127.0.0.1:9", "refused the connection"), ("http://nowhere.invalid", "by its name")):
        found = send(replace(QUICK, base_url=url))
        assert isinstance(found, Unsent) and why in found.why


def test_what_speaks_no_tls_is_not_handed_anything() -> None:
    with server(lambda connection: connection.sendall(b"220 hello\r\n")) as settings:
        found = send(replace(settings, base_url=settings.base_url.replace("http:", "https:")))
        assert isinstance(found, Unsent)


def test_neither_proxies_nor_passwords_of_the_surroundings_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login maya password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    got: list[bytes] = []

    def behaviour(connection: socket.socket) -> None:
        got.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with server(behaviour) as settings:
        assert send(settings) == Answer(200, {"content-length": "0"})
    assert b"uthorization" not in got[0] and got[0].startswith(b"POST /x ")


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        pytest.param({}, None, id="nothing is said"),
        pytest.param({"retry-after": "120"}, timedelta(minutes=2), id="seconds"),
        pytest.param(
            {"retry-after": "Mon, 02 Mar 2026 09:10:00 GMT", "date": "Mon, 02 Mar 2026 09:00:00 GMT"},
            timedelta(minutes=10), id="a date, by their own clock"),
        pytest.param(
            {"retry-after": "Mon, 02 Mar 2026 08:00:00 GMT", "date": "Mon, 02 Mar 2026 09:00:00 GMT"},
            timedelta(0), id="a date that is over"),
        pytest.param({"retry-after": "Mon, 02 Mar 2026 09:10:00 GMT"}, None, id="a date without theirs"),
        pytest.param({"retry-after": "soon"}, None, id="neither"),
        pytest.param({"retry-after": "-5"}, None, id="less than nothing"),
        pytest.param({"retry-after": "9" * 30}, timedelta(days=30), id="for ever"),
        pytest.param(
            {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", "date": "Mon, 02 Mar 2026 09:00:00 GMT"},
            timedelta(days=30), id="until the end of days",
        ),
    ],
)  # fmt: skip
def test_retry_after(headers: dict[str, str], wait: timedelta | None) -> None:
    assert Answer(429, headers).retry_after == wait


def test_an_answer_in_words_is_short_and_on_one_line() -> None:
    text = Answer(400, {}, b"<p>\x1b[31mno\r\n" + b"x" * 5_000).text
    assert len(text) <= 300 and text.isprintable() and text.startswith("<p> [31mno x")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_who_cannot_be_asked_now_is_asked_later(status: int) -> None:
    with PostmarkFake().running() as fake:
        fake.script = [Said(status, b"")]
        with pytest.raises(ProviderError):
            ask(fake.settings_here(), Request("/x", {}, method="GET"), "Postmark")


# --- the loop


def message(n: int) -> Message:
    data = b"From: maya@letters.example.org\r\nTo: r@example.org\r\nSubject: %d\r\n\r\nhi\r\n" % n
    return Message(n, f"{n:040x}@letters.example.org", Envelope(SENDER, Address.parse(f"reader{n}@example.org")), data)


def test_after_an_error_of_the_callers_own_what_it_gave_is_told_of_first() -> None:
    def messages() -> Iterator[Message]:
        yield from (message(n) for n in range(7))
        raise RuntimeError("the database is gone")

    with PostmarkFake().running() as fake:
        outcomes = Postmark(fake.settings_here(), now=lambda: AT).submit(messages())
        told = []
        with pytest.raises(RuntimeError, match="the database is gone"):
            told.extend(outcome for _, outcome in iter(lambda: next(outcomes), None))
        assert len(told) == len(fake.took) == 7 and all(isinstance(one, Accepted) for one in told)


def test_what_cannot_be_said_in_json_ends_the_run_and_what_is_in_flight_is_told_of() -> None:
    with PostmarkFake().running() as fake:
        provider = Postmark(fake.settings_here(), now=lambda: AT)
        real = Postmark(fake.settings_here(), now=lambda: AT)
        provider.part = lambda one: real.part(one) if one.delivery != 7 else _refuse()  # type: ignore[method-assign]
        told = []
        with pytest.raises(ProviderError, match="can't be said"):
            for one, _ in provider.submit(message(n) for n in range(20)):
                told.append(one.delivery)
        assert sorted(told) == [*range(7)] == sorted(int(took.subject) for took in fake.took)


def _refuse() -> bytes:
    raise ProviderError("this can't be said")


def test_a_message_too_large_for_a_request_is_refused_by_itself() -> None:
    with PostmarkFake().running() as fake:
        provider = Postmark(fake.settings_here(), now=lambda: AT)
        provider.octets_most = 600  # type: ignore[misc]
        big = replace(message(3), data=message(3).data + b"x" * 1_000)
        outcomes = {
            one.delivery: outcome for one, outcome in provider.submit([message(1), message(2), big, message(4)])
        }
        assert {n: type(outcome).__name__ for n, outcome in outcomes.items()} == {
            1: "Accepted", 2: "Accepted", 3: "Rejected", 4: "Accepted"
        }  # fmt: skip
        assert all(len(asked.body) <= 700 for asked in fake.asked)
