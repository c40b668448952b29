"""The doctor as a command: a DNS server, a mail server and a website on loopback, and none of them at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mailserver import MailServer
from nameserver import Fault, NameServer, serving
from typist import CHECKOUT, Typed

from newsletter.links import Links, Purpose

HOME = "thorne.net"
DNS = f"""
{HOME} MX 10 mail.{HOME}
mail.{HOME} A 1.2.3.5
{HOME} TXT v=spf1 ip4:1.2.3.5 -all
_dmarc.{HOME} TXT v=DMARC1; p=reject
"""


def configure(project: Path, **changes: str) -> None:
    """The settings of a new project, with `from` at a domain of one's own; values are TOML."""
    file = project / "newsletter.toml"
    text = file.read_text()
    values = {"from": f'"Maya Thorne <maya@{HOME}>"', "reply_to": f'"maya@{HOME}"', "url": '""'} | changes
    for key, value in values.items():
        line = f"{key} = {value}".replace("\\", r"\\")
        # An example that is commented out only where nothing else has that name: [mailbox] has a host too.
        for place in (rf"^{key} = .*$", rf"^# {key} = .*$"):
            text, found = re.subn(place, line, text, count=1, flags=re.MULTILINE)
            if found:
                break
        assert found, key
    file.write_text(text)


@pytest.fixture
def nameserver(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    with serving(DNS) as server:
        monkeypatch.setenv("NEWSLETTER_RESOLVER", server.address)
        yield server


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_project_in_order(project: Path, newsletter: Typed, nameserver: NameServer) -> None:
    configure(project)
    before = tree(project)
    ran = newsletter("doctor")
    assert ran.status == 0
    assert ran.out.endswith(f"The DNS of {HOME} and this machine looked at: 2 notes.\n")
    assert tree(project) == before, "looking changes nothing"
    found = json.loads(newsletter("doctor", "--json").out)
    assert [(f["rule"], f["severity"]) for f in found] == [("provider", "note"), ("one-click", "note")]
    assert all(list(f) == ["rule", "severity", "place", "problem", "remedy", "record"] for f in found)


def test_a_new_project_is_asked_for_its_own_address_first(
    project: Path, newsletter: Typed, nameserver: NameServer
) -> None:
    ran = newsletter("doctor")
    assert ran.status == 1
    assert "letters.example.org is a name for examples" in ran.out
    assert nameserver.asked == []


def test_a_record_is_there_to_copy(
    project: Path, newsletter: Typed, nameserver: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project)
    with serving(DNS.replace("_dmarc", "_elsewhere")) as server:
        monkeypatch.setenv("NEWSLETTER_RESOLVER", server.address)
        ran, strict = newsletter("doctor"), newsletter("doctor", "--strict")
    assert ran.out.startswith(
        f"{HOME}\n"
        f"  warning  {HOME} has no DMARC record.\n"
        "           Add this one. It changes nothing yet; it shows that the domain is looked after.\n"
        "           [dmarc-record]\n"
        "             Type   TXT\n"
        f"             Name   _dmarc.{HOME}\n"
        "             Value  v=DMARC1; p=none\n"
        "\n"
    )
    assert (ran.status, strict.status) == (0, 1)


def test_the_key_that_dkim_made_is_held_against_the_dns(
    project: Path, newsletter: Typed, nameserver: NameServer
) -> None:
    configure(project)
    made = json.loads(newsletter("dkim", "--json").out)["keys"][0]
    with (project / "newsletter.toml").open("a") as file:
        file.write('\n[dkim]\nselector = "newsletter"\nkey_file = "dkim.key"\n')
    ran = newsletter("doctor", "--json")
    (found,) = [f for f in json.loads(ran.out) if f["rule"] == "dkim-key"]
    assert ran.status == 1
    assert found["record"] == {name: made[name] for name in ("type", "name", "value")}
    nameserver.zone.records[made["name"], "TXT"] = [made["value"]]
    assert newsletter("doctor").status == 0


def test_a_key_that_is_no_key_hides_nothing_else(project: Path, newsletter: Typed, nameserver: NameServer) -> None:
    configure(project)
    (project / "dkim.key").write_text("nonsense")
    with (project / "newsletter.toml").open("a") as file:
        file.write('\n[dkim]\nselector = "newsletter"\nkey_file = "dkim.key"\n')
    rules = [f["rule"] for f in json.loads(newsletter("doctor", "--json").out)]
    assert {"settings", "provider"} <= set(rules)


# -- the mail server


@pytest.fixture
def mail(project: Path) -> Iterator[MailServer]:
    with MailServer().running() as server:
        configure(project, provider='"smtp"', host='"127.0.0.1"', security='"none"', port=str(server.port))
        yield server


def test_the_mail_server_is_called_on_and_gets_no_letter(
    mail: MailServer, newsletter: Typed, nameserver: NameServer
) -> None:
    ran = newsletter("doctor", "--json")
    assert not [f for f in json.loads(ran.out) if f["rule"] in ("mail-server", "dns-answer")]
    assert mail.taken == []


def test_a_login_that_is_refused(
    mail: MailServer, project: Path, newsletter: Typed, nameserver: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail.login = ("maya", "right")
    configure(project, username='"maya"')
    monkeypatch.setenv("NEWSLETTER_SMTP_PASSWORD", "wrong-password")
    ran = newsletter("doctor")
    assert ran.status == 1
    assert "refused the login" in ran.out
    assert "wrong-password" not in ran.said


# -- the website


@contextlib.contextmanager
def website(status: int = 200) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """The port of a page that answers with *status*, and what it was asked."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append((self.command, self.path))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = answer  # noqa: N815  as the library calls them

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_unsubscribe_link_is_tried_with_a_token_of_nobody(
    project: Path, newsletter: Typed, nameserver: NameServer
) -> None:
    with website() as (port, asked):
        url = f"http://127.0.0.1:{port}"
        configure(project, url=f'"{url}"')
        assert newsletter("doctor").status == 0
        assert asked == [], "nothing was signed yet, and a look must not make a key"
        assert not (project / "secret.key").exists()
        secret = "s" * 64
        (project / "secret.key").write_text(secret + "\n")
        (project / "secret.key").chmod(0o600)
        ran = newsletter("doctor")
    assert ran.status == 0, ran
    assert f"he pages at {url} and this machine looked at" in ran.out
    assert [method for method, _ in asked] == ["GET", "POST"]
    token = asked[0][1].removeprefix("/u/")
    assert Links(secret.encode(), url, f"list.{HOME}").read(Purpose.UNSUBSCRIBE, token) == bytes(16)


def test_newsletter_serve_answers_as_it_should(
    project: Path, newsletter: Typed, nameserver: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = closed_port()
    configure(project, url=f'"http://127.0.0.1:{port}"')
    server = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "serve", "--port", str(port)],
        cwd=project, env=os.environ | {"PYTHONPATH": str(CHECKOUT)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        assert b"is answered at" in server.stdout.readline()
        ran = newsletter("doctor", "--json")
        shown = newsletter("doctor").out
    finally:
        server.terminate()
        server.communicate()
    assert [f for f in json.loads(ran.out) if f["rule"] in ("unsubscribe-page", "clock")] == []
    assert f"http://127.0.0.1:{port} and this machine looked at" in shown


def test_a_website_that_knows_no_such_page(project: Path, newsletter: Typed, nameserver: NameServer) -> None:
    (project / "secret.key").write_text("s" * 64)
    with website(404) as (port, _):
        configure(project, url=f'"http://127.0.0.1:{port}"')
        ran = newsletter("doctor")
    assert ran.status == 1
    assert "The page for leaving is not there (404)." in ran.out
    assert "The button for leaving is not there (404)." in ran.out


def test_a_provider_is_asked_whether_it_knows_the_key(
    project: Path, newsletter: Typed, nameserver: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_RESEND_KEY", "re_SECRET")
    with website(401) as (port, asked):
        configure(project, provider='"resend"')
        with (project / "newsletter.toml").open("a") as file:
            file.write(f'\n[provider.resend]\nbase_url = "http://127.0.0.1:{port}"\n')
        ran = newsletter("doctor", "--json")
    assert asked == [("GET", "/domains")]
    (found,) = [f for f in json.loads(ran.out) if f["rule"] == "provider"]
    assert (ran.status, found["place"], found["problem"]) == (1, "Resend", "Resend refused the key (401).")
    assert "re_SECRET" not in ran.said


# -- files


def test_files_that_others_can_read() -> None:
    """In a folder that everybody may pass through, which pytest's are not."""
    from newsletter.cli.doctor import _exposed

    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        for name, mode in (("open", 0o644), ("group", 0o640), ("shut", 0o600)):
            (folder / name).touch()
            (folder / name).chmod(mode)
        paths = [folder / name for name in ("open", "group", "shut", "absent")]
        assert [p.name for p in _exposed(paths, 0o077)] == ["open", "group"]
        assert [p.name for p in _exposed(paths, 0o007)] == ["open"]
        folder.chmod(0o700)
        assert list(_exposed(paths, 0o077)) == [], "nobody comes as far as the file"
    finally:
        shutil.rmtree(folder)


# -- when there is no network


def closed_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_without_a_network_each_silence_is_a_sentence(
    project: Path, newsletter: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_RESOLVER", f"127.0.0.1:{closed_port()}")
    (project / "secret.key").write_text("s" * 64)
    configure(
        project, provider='"smtp"', host='"127.0.0.1"', security='"none"', port=str(closed_port()),
        url=f'"http://127.0.0.1:{closed_port()}"',
    )  # fmt: skip
    ran = newsletter("doctor", "--json")
    assert ran.status == 1
    found: list[dict[str, Any]] = json.loads(ran.out)
    errors = {f["rule"]: f["problem"] for f in found if f["severity"] == "error"}
    assert set(errors) == {"mail-server", "unsubscribe-page", "dns-answer"}
    assert "nothing listens there" in errors["mail-server"]
    assert "refuses the connection" in errors["unsubscribe-page"]
    assert errors["dns-answer"].startswith("The DNS does not answer, so nothing that stands there was looked at")


def test_one_name_that_nobody_answers_for(project: Path, newsletter: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(project)
    with serving(DNS, {f"_dmarc.{HOME}": Fault.SERVFAIL}) as server:
        monkeypatch.setenv("NEWSLETTER_RESOLVER", server.address)
        ran = newsletter("doctor")
    assert ran.status == 0
    said = " ".join(ran.out.split())
    assert f"Not everything could be looked at: _dmarc.{HOME}: its DNS servers failed (SERVFAIL)." in said


@pytest.mark.parametrize("given", ["dns.example.org", "1.2.3.4:dns"])
def test_a_resolver_that_is_none(given: str, project: Path, newsletter: Typed) -> None:
    configure(project)
    ran = newsletter("doctor", "--resolver", given)
    assert ran.status == 2
    assert f"{given} is no address of a DNS server" in ran.err


def test_settings_that_are_wrong_are_told_as_everywhere(project: Path, newsletter: Typed) -> None:
    configure(project, **{"from": '"nobody"'})
    assert newsletter("doctor").status == 2


def test_a_database_that_can_t_be_read_hides_nothing_else(
    project: Path, newsletter: Typed, nameserver: NameServer
) -> None:
    configure(project)
    (project / "newsletter.db").write_bytes(b"not a database" * 1_000)
    (project / "newsletter.db").chmod(0o600)
    ran = newsletter("doctor", "--json")
    rules = [f["rule"] for f in json.loads(ran.out)]
    assert {"settings", "provider"} <= set(rules)
