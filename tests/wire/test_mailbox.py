"""The mailbox, on a real Dovecot: what is moved, what stays, and what goes wrong."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dovecot import BARE, PASSWORD, PROGRAM, USER, Dovecot, running
from returned import complaint, dsn, letter, person
from world import OWNER, SECRET, World

from newsletter import incoming
from newsletter.cli import answer
from newsletter.config import MailboxSettings, Security
from newsletter.errors import ProviderError
from newsletter.links import Links, Purpose
from newsletter.mail import Address
from newsletter.providers.mailbox import Mailbox
from newsletter.store import Store
from newsletter.subscribers import Status
from newsletter.verp import ReversePaths

pytestmark = pytest.mark.skipif(not Path(PROGRAM).exists(), reason="Dovecot is not installed")

DONE = ".Newsletter.Handled"
BOUNCES = Address.parse("bounces@example.org")
FULL = {"status": "5.2.2", "said": "smtp; 552 5.2.2 mailbox full"}


@pytest.fixture(scope="session")
def certificate(authority: Any) -> Path:
    return authority.issue("localhost", "127.0.0.1")


@pytest.fixture
def server(certificate: Path) -> Iterator[Dovecot]:
    with running(certificate) as made:
        yield made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ana, Ben and Cleo have got post 1, sent with a reverse path of its own each."""
    store = Store.in_memory()
    (tmp_path / "project").mkdir()
    made = World(tmp_path / "project", store)
    made.config = replace(made.config, identity=replace(made.config.identity, bounces_to=BOUNCES))
    made.posts(1, 2)
    made.join("ana@example.org", "ben@example.org", "cleo@example.org", at_once=True)
    made.tick("2 09:00")
    yield made
    made.check()
    store.close()


def settings(port: int, authority: Any = None, **changes: Any) -> MailboxSettings:
    made = MailboxSettings("127.0.0.1", port, Security.NONE, USER, PASSWORD)
    if authority:
        made = replace(made, host="localhost", security=Security.TLS, ca_file=authority.file)
    return replace(made, **changes)


def look(world: World, box: MailboxSettings | incoming.Open) -> incoming.Look:
    opened: incoming.Open = (lambda: Mailbox(box)) if isinstance(box, MailboxSettings) else box
    at = datetime.now(UTC) if world.now < datetime.now(UTC) else world.now
    return incoming.look(opened, world.store, world.config.identity, SECRET, fingerprint=world.hash, at=at)


def path_of(world: World, address: str) -> str:
    """The reverse path of what *address* got."""
    (record,) = world.history(address)
    return str(ReversePaths(SECRET, BOUNCES, world.config.identity.list_id).path(record.id))


def token_of(world: World, address: str) -> str:
    links = Links(SECRET, "", world.config.identity.list_id)
    return links.token(Purpose.UNSUBSCRIBE, world.reader(address).token)


def test_what_was_dealt_with_moves_and_people_stay(world: World, server: Dovecot) -> None:
    bounce = dsn("someone@elsewhere.example", to=path_of(world, "ana@example.org"))
    leaves = person("", subject=f"unsubscribe {token_of(world, 'ben@example.org')}", to=world.identity_address)
    hers = person("What you wrote about grief stayed with me.")
    away = person("I am back on Monday.", subject="Out of office: No. 1", more="Auto-Submitted: auto-replied\n")
    server.put(hers, bounce, away, leaves)
    found = look(world, settings(server.port))
    assert (found.read, found.left) == (4, 2)
    assert world.reader("ana@example.org").status is Status.SUPPRESSED
    assert world.reader("ben@example.org").status is Status.UNSUBSCRIBED
    assert world.reader("cleo@example.org").status is Status.ACTIVE
    assert server.lies_in() == [hers, away]
    assert server.lies_in(DONE) == [bounce, leaves]
    assert server.flags() == ""
    assert look(world, settings(server.port)).read == 0


def test_a_bounce_of_the_owners_own_mail_stays(world: World, server: Dovecot) -> None:
    private = dsn("friend@elsewhere.example", back="From: maya@example.org\nTo: friend@elsewhere.example\n\nHi\n")
    server.put(private)
    assert look(world, settings(server.port)).left == 1
    world.store.facts.put("mailbox", None)  # the mailbox was made anew: it is read once more
    assert look(world, settings(server.port)).left == 1
    assert server.lies_in() == [private]


def test_a_plain_request_from_the_address_on_the_list(world: World, server: Dovecot) -> None:
    server.put(person("Please unsubscribe me. Thanks!", subject="hello", to=world.identity_address))
    look(world, settings(server.port))
    assert world.reader("ana@example.org").status is Status.UNSUBSCRIBED
    assert server.lies_in() == []


def test_a_complaint_by_the_link_in_the_letter_that_came_back(world: World, server: Dovecot) -> None:
    listed = f"<mailto:maya@example.org?subject=unsubscribe%20{token_of(world, 'cleo@example.org')}>"
    server.put(complaint(letter(listed=listed).replace("ana@example.org", "redacted@example.org")))
    look(world, settings(server.port))
    assert world.reader("cleo@example.org").status is Status.SUPPRESSED


def test_a_complaint_that_anybody_could_have_written_is_the_owners(world: World, server: Dovecot) -> None:
    forged = complaint(more="Original-Rcpt-To: ana@example.org\n")
    server.put(forged)
    assert look(world, settings(server.port)).left == 1
    assert world.reader("ana@example.org").status is Status.ACTIVE
    assert server.lies_in() == [forged]


def test_a_crash_between_commit_and_move_counts_once(world: World, server: Dovecot) -> None:
    class Cut(Mailbox):
        def put_away(self, uids: Any) -> None:
            raise ProviderError("the power failed")

    ours, box = dsn(to=path_of(world, "ana@example.org"), **FULL), settings(server.port)
    server.put(ours)
    for _ in range(3):
        with pytest.raises(ProviderError):
            look(world, lambda: Cut(box))
    assert len(world.store.facts.get("mailbox") or {}) == 0
    assert server.lies_in() == [ours]
    again = look(world, box)
    assert not again.effects
    assert server.lies_in(DONE) == [ours]
    assert world.reader("ana@example.org").status is Status.ACTIVE


@pytest.mark.parametrize(
    "capabilities",
    [pytest.param(f"{BARE} UIDPLUS", id="no MOVE"), pytest.param(BARE, id="neither MOVE nor UIDPLUS")],
)
def test_servers_that_cannot_move(world: World, certificate: Path, capabilities: str) -> None:
    with running(certificate, capabilities=capabilities) as server:
        hers, bounce = person(), dsn(to=path_of(world, "ana@example.org"))
        server.put(hers, bounce)
        look(world, settings(server.port))
        assert server.lies_in(DONE) == [bounce]
        kept = [hers] if "UIDPLUS" in capabilities else [hers, bounce]
        assert server.lies_in() == kept
        assert server.flags() == ("" if "UIDPLUS" in capabilities else "T")


def test_what_the_owner_has_marked_as_deleted_is_not_expunged(world: World, certificate: Path) -> None:
    with running(certificate, capabilities=f"{BARE} UIDPLUS") as server:
        hers, bounce = person(), dsn(to=path_of(world, "ana@example.org"))
        server.put(hers, bounce)
        with Mailbox(settings(server.port)) as box:
            box._open.add_flags([1], [b"\\Deleted"])
        look(world, settings(server.port))
        assert server.lies_in() == [hers]


def test_a_server_with_dots_between_folders(world: World, certificate: Path) -> None:
    with running(certificate, separator=".") as server:
        bounce = dsn(to=path_of(world, "ana@example.org"))
        server.put(bounce)
        look(world, settings(server.port))
        assert server.lies_in(DONE) == [bounce]


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_over_tls(world: World, server: Dovecot, authority: Any, security: Security) -> None:
    port = server.tls_port if security is Security.TLS else server.port
    server.put(person())
    assert look(world, settings(port, authority, security=security)).read == 1


def test_two_thousand_letters(world: World, server: Dovecot) -> None:
    server.put(*(person(f"Letter {n}") for n in range(1_990)))
    server.put(*(dsn(to=path_of(world, "ana@example.org"), ident=f"d{n}", **FULL) for n in range(10)))
    found = look(world, settings(server.port))
    assert (found.read, found.left) == (2_000, 1_990)
    assert len(server.lies_in()) == 1_990
    assert len(server.lies_in(DONE)) == 10


def test_of_what_is_huge_only_the_beginning_is_read(world: World, server: Dovecot) -> None:
    server.put(dsn(to=path_of(world, "ana@example.org"), back=letter() + "x" * 78 + "\n" * 1 + "y" * 20_000_000))
    with Mailbox(settings(server.port)) as box:
        ((huge,),) = box.letters(after=0)
    assert len(huge.data) == 131_072
    look(world, settings(server.port))
    assert world.reader("ana@example.org").status is Status.SUPPRESSED


def test_letters_of_long_ago_are_not_looked_at_the_first_time(world: World, server: Dovecot) -> None:
    old = dsn(to=path_of(world, "ana@example.org"))
    server.put(old, at=(datetime.now(UTC) - timedelta(days=60)).timestamp())
    assert look(world, settings(server.port)).read == 0
    assert server.lies_in() == [old]


# --- what goes wrong


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"password": "wrong"}, "refused the login of maya@example.org", id="a wrong password"),
        pytest.param({"password": "pässword"}, "refused the login", id="a password outside ASCII"),
        pytest.param({"folder": "Rückläufer"}, "has no folder", id="no such folder"),
        pytest.param({"host": "nowhere.invalid"}, "can't be found by its name", id="no such host"),
    ],
)
def test_wrong_settings(world: World, server: Dovecot, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        look(world, settings(server.port, **changes))


def test_nobody_listens(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ProviderError, match="nothing listens there"):
        look(world, settings(port))


def test_a_server_that_says_nothing(world: World) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ProviderError, match="did not answer within 1 s"),
    ):
        look(world, settings(silent.getsockname()[1], timeout=timedelta(seconds=1)))


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_no_password_goes_to_a_server_with_a_wrong_certificate(
    world: World, authority: Any, security: Security
) -> None:
    with running(authority.issue("elsewhere.example")) as server:
        port = server.tls_port if security is Security.TLS else server.port
        with pytest.raises(ProviderError, match="certificate that is for another name"):
            look(world, settings(port, authority, security=security))
        assert "Login" not in (server.folder / "log").read_text().replace("auth attempts", "")


def test_a_server_that_logs_us_in_before_tls(world: World, authority: Any) -> None:
    """PREAUTH would leave STARTTLS out, and everything in the clear."""
    with scripted(b"* PREAUTH welcome\r\n") as port, pytest.raises(ProviderError):
        look(world, settings(port, authority, security=Security.STARTTLS))


def test_a_connection_that_is_cut_goes_on_where_it_was(world: World, server: Dovecot) -> None:
    server.put(*(person(f"Letter {n} " + "x" * 2_000) for n in range(100)))
    server.put(*(dsn(to=path_of(world, "ana@example.org"), ident=f"d{n}") for n in range(5)))
    cuts = 0
    for _ in range(20):
        with cut_after(server.port, 60_000) as port:
            try:
                look(world, settings(port))
                break
            except ProviderError as error:
                assert "broke off" in str(error)
                cuts += 1
    assert cuts > 2
    assert len(server.lies_in()) == 100
    assert len(server.lies_in(DONE)) == 5
    assert world.reader("ana@example.org").status is Status.SUPPRESSED


def test_a_tick_sends_whatever_becomes_of_the_mailbox(world: World, server: Dovecot) -> None:
    world.alert_owner()
    wrong = settings(server.port, password="wrong")
    for at in ("3 09:00", "3 10:00", "3 11:00"):
        world.tick(at, box=lambda: Mailbox(wrong))
        assert "refused the login" in world.notes
    assert world.numbers("ana@example.org") == [1, 2]
    assert len(world.provider.alerts) == 1
    assert "refused the login" in world.provider.alerts[0]
    assert world.ticks[-1].clean


def test_whoever_left_by_mail_gets_nothing_more_in_the_same_tick(world: World, server: Dovecot) -> None:
    world.now = datetime.now(UTC) + timedelta(days=1)
    server.put(person("", subject=f"unsubscribe {token_of(world, 'ben@example.org')}", to=world.identity_address))
    world.tick(world.now, box=lambda: Mailbox(settings(server.port)))
    assert 2 not in world.numbers("ben@example.org")
    assert OWNER not in world.numbers("ben@example.org")


def test_a_bug_in_reading_stops_no_letter(world: World) -> None:
    class Broken:
        def __call__(self) -> Any:
            raise RuntimeError("unheard of")

    world.tick("3 09:00", box=Broken())
    assert world.numbers("ana@example.org") == [1, 2]
    assert "unheard of" in world.notes


# --- servers of our own


@contextmanager
def scripted(greeting: bytes) -> Iterator[int]:
    """A server that greets, says CAPABILITY, and refuses the rest."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as stream:
            stream.write(greeting)
            stream.flush()
            for line in stream:
                tag, word = line.split()[:2]
                if word.upper() == b"CAPABILITY":
                    stream.write(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n" + tag + b" OK\r\n")
                else:
                    stream.write(tag + b" BAD no\r\n")
                stream.flush()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join()


@contextmanager
def cut_after(port: int, octets: int) -> Iterator[int]:
    """A way to *port* that breaks off when the server has said *octets*."""
    listener = socket.create_server(("127.0.0.1", 0))

    def forward(source: socket.socket, to: socket.socket, most: int) -> None:
        left = most
        try:
            while left > 0 and (data := source.recv(min(left, 65_536))):
                to.sendall(data)
                left -= len(data)
        except OSError:
            pass
        for end in (source, to):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def serve() -> None:
        here, _ = listener.accept()
        with here, socket.create_connection(("127.0.0.1", port)) as there:
            out = threading.Thread(target=forward, args=(here, there, 10**9))
            out.start()
            forward(there, here, octets)
            out.join()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join()


# --- as it is typed


def test_as_it_is_typed(
    server: Dovecot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two readers, a request to leave, a letter for the owner."""
    root = tmp_path / "letters"
    (root / "posts").mkdir(parents=True)
    (root / "newsletter.toml").write_text(
        '[newsletter]\nname = "N"\nfrom = "maya@letters.example.org"\nreply_to = "maya@example.org"\n'
        'postal_address = "12 Birch Lane"\n'
        f'[mailbox]\nhost = "127.0.0.1"\nport = {server.port}\nsecurity = "none"\nusername = "{USER}"\n'
    )
    monkeypatch.setenv("NEWSLETTER_MAILBOX_PASSWORD", PASSWORD)

    def typed(*words: str) -> str:
        capsys.readouterr()
        assert answer(["--root", str(root), *words]) == 0
        return capsys.readouterr().out

    for name in ("ana", "ben"):
        typed("subscribers", "add", f"{name}@example.org")
    server.put(person("Please unsubscribe me."), person("Thank you, Maya."))
    assert typed("mailbox").splitlines() == [
        "2 new letters read: 1 request to leave.",
        "1 reader left the list, as they asked.",
        "1 letter stays where it was, for you.",
    ]
    assert json.loads(typed("mailbox", "--json")) == {"read": 0, "handled": {}, "effects": {}, "left": 0}
    assert "unsubscribed" in typed("history", "ana@example.org")
