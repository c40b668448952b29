"""What every provider promises (newsletter.mail.Provider), asked of each; then what only the folder does."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes import FAKES
from letters import IDENTITY
from recorder import Recorder, listening

from newsletter.config import Config, FolderSettings, Security, SmtpSettings
from newsletter.errors import ConfigError, ProviderError
from newsletter.mail import Accepted, Address, Message, Provider
from newsletter.mail import Envelope as To
from newsletter.providers import open_provider
from newsletter.providers.folder import Folder, file_name

SENDER = Address.parse("maya@letters.example.org")
CONNECTIONS = 3
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def message(n: int, body: bytes = b"Dear reader\r\n") -> Message:
    head = b"From: Maya Thorne <maya@letters.example.org>\r\nTo: reader%d@example.org\r\nSubject: letter %d\r\n"
    data = head % (n, n) + b"Message-ID: <%d.k3@letters.example.org>\r\n\r\n" % n + body
    return Message(n, f"{n}.k3@letters.example.org", To(SENDER, Address.parse(f"reader{n}@example.org")), data)


def octets(message: Message) -> bytes:
    return message.data


def decoded(message: Message) -> tuple[str, str, str]:
    """What a vendor that is told of it in JSON should know of a message."""
    head, _, body = message.data.decode().partition("\r\n\r\n")
    return (
        str(message.envelope.recipient),
        head.partition("Subject: ")[2].partition("\r\n")[0],
        body.replace("\r\n", "\n"),
    )


@dataclass
class Rig:
    """A provider, and what arrived behind it."""

    provider: Provider
    arrived: Callable[[], list[Any]]
    ahead: int  #: most messages that may be pulled and not yet reported
    broken: Provider  #: the same, when it can't be used at all
    sent: Callable[[Message], Any] = octets  #: what of a message arrives


def opened(name: str, **sections: Any) -> Provider:
    return open_provider(Config(Path("/nowhere"), IDENTITY, provider=name, **sections), now=lambda: AT)


@pytest.fixture(params=["folder", "smtp", *FAKES])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    deaf = socket.socket()  # bound and not listening: a port that refuses
    deaf.bind(("127.0.0.1", 0))
    request.addfinalizer(deaf.close)
    nobody = SmtpSettings(port=deaf.getsockname()[1], security=Security.NONE)
    if request.param in FAKES:
        with FAKES[request.param]().running() as fake:
            settings = fake.settings_here()
            provider = opened(request.param, vendors={request.param: settings})
            nowhere = replace(settings, base_url=f"http://127.0.0.1:{nobody.port}")
            broken = opened(request.param, vendors={request.param: nowhere})

            def arrived() -> list[Any]:
                return [one.data if fake.raw else (one.recipient, one.subject, one.text) for one in fake.took]

            yield Rig(provider, arrived, provider.window, broken, octets if fake.raw else decoded)
        return
    broken = opened(request.param, folder=FolderSettings(in_the_way), smtp=nobody)
    if request.param == "folder":
        path = tmp_path / "outbox"
        provider = opened("folder", folder=FolderSettings(path))
        yield Rig(provider, lambda: [file.read_bytes() for file in (path / "new").glob("*.eml")], 1, broken)
        return
    recorder = Recorder()
    with listening(recorder) as port:
        provider = opened("smtp", smtp=SmtpSettings(port=port, security=Security.NONE, connections=CONNECTIONS))
        yield Rig(provider, lambda: [data for _, data in recorder.took], CONNECTIONS, broken)
        assert all(len(recipients) == 1 for recipients, _ in recorder.took)


def test_every_message_has_one_outcome_and_arrives_once(rig: Rig) -> None:
    messages = [message(n) for n in range(120)]
    outcomes = list(rig.provider.submit(messages))
    assert sorted(m.delivery for m, _ in outcomes) == list(range(120))
    assert {type(outcome) for _, outcome in outcomes} == {Accepted}
    assert sorted(rig.arrived()) == sorted(map(rig.sent, messages))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b".\r\n", id="a dot alone"),
        pytest.param(b"..\r\n.a\r\n...\r\n", id="lines that begin with dots"),
        pytest.param(b"\r\n\r\n.\r\n\r\nQUIT\r\n", id="what looks like the end of a message"),
        pytest.param(b"x" * 998 + b"\r\n", id="the longest line mail may have"),
        pytest.param(b"-- \r\nMaya \t\r\n", id="white space at line ends"),
        pytest.param(b"\r\n" * 5, id="empty lines at the end"),
        pytest.param(b"a line\r\n" * 20_000, id="a long letter"),
    ],
)
def test_bytes_arrive_as_they_are(rig: Rig, body: bytes) -> None:
    letter = message(1, body)
    ((_, outcome),) = rig.provider.submit([letter])
    assert isinstance(outcome, Accepted) and rig.arrived() == [rig.sent(letter)]


def test_messages_are_pulled_by_the_callers_thread_and_not_far_ahead(rig: Rig) -> None:
    threads: set[int] = set()
    pulled = reported = most = 0

    def messages() -> Iterator[Message]:
        nonlocal pulled, most
        for n in range(60):
            threads.add(threading.get_ident())
            pulled += 1
            most = max(most, pulled - reported)
            yield message(n)

    for _ in rig.provider.submit(messages()):
        reported += 1
    assert threads == {threading.get_ident()}
    # The message just reported is counted as open until its caller has come back for more.
    assert most <= min(rig.ahead + 1, rig.provider.window)
    assert pulled == reported == 60


def test_a_caller_who_stops_early_leaves_no_more_in_doubt_than_the_window(rig: Rig) -> None:
    pulled: list[int] = []

    def messages() -> Iterator[Message]:
        for n in range(60):
            pulled.append(n)
            yield message(n)

    outcomes = rig.provider.submit(messages())
    reported = [next(outcomes) for _ in range(10)]
    outcomes.close()  # type: ignore[attr-defined]
    assert len(reported) <= len(pulled) < len(reported) + rig.ahead
    assert {rig.sent(m) for m, _ in reported} <= set(rig.arrived())
    assert not [t for t in threading.enumerate() if t.name in ("smtp", "http")]


def test_a_provider_can_be_used_again(rig: Rig) -> None:
    for n in range(3):
        assert len(list(rig.provider.submit([message(n)]))) == 1
    assert len(rig.arrived()) == 3


def test_nothing_to_submit(rig: Rig) -> None:
    assert list(rig.provider.submit([])) == [] and rig.arrived() == []


def test_a_provider_that_cannot_be_used_says_so_and_reports_nobody(rig: Rig) -> None:
    with pytest.raises(ProviderError) as caught:
        list(rig.broken.submit([message(1)]))
    assert "newsletter.toml" in str(caught.value) and "reader1" not in str(caught.value)


def test_a_provider_nobody_knows() -> None:
    with pytest.raises(ConfigError, match="folder or smtp"):
        opened("pigeon")


# -- folder ------------------------------------------------------------------------------------------


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "outbox"


@pytest.fixture
def folder(outbox: Path) -> Folder:
    return Folder(FolderSettings(outbox))


def test_the_same_delivery_twice_is_one_file(folder: Folder, outbox: Path) -> None:
    for _ in range(2):
        ((_, outcome),) = folder.submit([message(4)])
        assert isinstance(outcome, Accepted)
    assert [file.name for file in (outbox / "new").iterdir()] == ["4.k3@letters.example.org.eml"]
    assert list((outbox / "tmp").iterdir()) == []


def test_another_text_under_the_same_message_id_stands_beside_the_first(folder: Folder, outbox: Path) -> None:
    other = message(4, b"something else\r\n")
    for sent in (message(4), other, other, message(4)):
        ((_, outcome),) = folder.submit([sent])
        assert isinstance(outcome, Accepted)
    assert {file.name: file.read_bytes() for file in (outbox / "new").iterdir()} == {
        "4.k3@letters.example.org.eml": message(4).data,
        "4.k3@letters.example.org,2.eml": other.data,
    }


def test_lookup_tells_what_arrived(folder: Folder) -> None:
    assert folder.lookup(message(4).message_id) is None
    list(folder.submit([message(4)]))
    assert isinstance(folder.lookup(message(4).message_id), Accepted)
    assert folder.lookup(message(5).message_id) is None


def test_a_draft_left_by_a_crash_is_no_arrival_and_does_no_harm(folder: Folder, outbox: Path) -> None:
    (outbox / "tmp").mkdir(parents=True)
    (outbox / "tmp" / file_name(message(4).message_id)).write_bytes(b"x" * 10_000)
    assert folder.lookup(message(4).message_id) is None
    list(folder.submit([message(4)]))
    assert [file.read_bytes() for file in (outbox / "new").iterdir()] == [message(4).data]


def test_files_are_for_their_owner_only_and_carry_no_readers_address(folder: Folder, outbox: Path) -> None:
    list(folder.submit([message(4)]))
    (file,) = (outbox / "new").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600 and outbox.stat().st_mode & 0o777 == 0o700
    assert "reader4" not in file.name


@pytest.mark.parametrize(
    ("message_id", "name"),
    [
        pytest.param("4.k3@letters.example.org", "4.k3@letters.example.org.eml", id="an ordinary one stays readable"),
        pytest.param("../../etc/passwd", "%2E./../etc/passwd".replace("/", "%2F") + ".eml", id="no way out"),
        pytest.param(".hidden@x", "%2Ehidden@x.eml", id="no hidden file"),
        pytest.param("a%2Fb@x", "a%252Fb@x.eml", id="what looks escaped is another one"),
        pytest.param("a b\r\n:<>|?*@x", "a%20b%0D%0A%3A%3C%3E%7C%3F%2A@x.eml", id="nothing a file system minds"),
    ],
)
def test_file_names(message_id: str, name: str) -> None:
    assert file_name(message_id) == name


def test_long_message_ids_have_short_names_of_their_own() -> None:
    names = {file_name("x" * 300 + str(n)) for n in range(50)}
    assert len(names) == 50 and max(map(len, names)) < 100


def test_a_full_disk_is_said_and_leaves_no_half_message(folder: Folder, outbox: Path) -> None:
    list(folder.submit([]))
    (outbox / "tmp" / file_name(message(4).message_id)).symlink_to("/dev/full")  # the kernel's own full disk
    outcomes = folder.submit([message(3), message(4), message(5)])
    assert next(outcomes)[0].delivery == 3
    with pytest.raises(ProviderError, match="disk that is full") as caught:
        next(outcomes)
    assert str(outbox) in str(caught.value)
    assert folder.lookup(message(4).message_id) is None and list((outbox / "tmp").iterdir()) == []


def test_no_permission_is_said(folder: Folder, outbox: Path) -> None:
    list(folder.submit([]))
    (outbox / "tmp").chmod(0o500)
    with without_privileges(), pytest.raises(ProviderError, match="can't be written to by this user"):
        list(folder.submit([message(4)]))
    (outbox / "tmp").chmod(0o700)


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may write anywhere; while this holds we're nobody."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("place", ["", "new", "tmp"])
def test_a_file_in_the_way_is_said(place: str, folder: Folder, outbox: Path) -> None:
    (outbox / place).parent.mkdir(parents=True)
    (outbox / place).touch()
    with pytest.raises(ProviderError, match="has a file where a folder should be"):
        list(folder.submit([message(4)]))
