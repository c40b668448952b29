"""`newsletter serve` as the owner starts it: a way through, erasure, several at once, its end."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

from served import free_port, links_of, serving, settings
from typist import Typed

from newsletter.links import Purpose

ANA = "ana@example.org"
HTTPS = "https://letters.example.org/list"  # a letter whose links are not safe is held


def subscribe(server, address: str) -> None:
    _, page = server.ask("GET", "/subscribe")
    (nonce,) = re.findall(r'name="nonce" value="([^"]+)"', page)
    time.sleep(2.1)
    status, page = server.ask("POST", "/subscribe", {"email": address, "nonce": nonce})
    assert status == 200 and "look into your inbox" in page


def test_from_form_to_erasure_without_a_trace_of_the_address(project: Path, newsletter: Typed) -> None:
    port = free_port()
    url = settings(project, port, file='"newsletter.log"')
    with serving(project, port, url) as server:
        subscribe(server, ANA)
        link = server.link(ANA)
        assert link.startswith(f"{url}/c/")
        assert server.ask("POST", link.removeprefix(url).removeprefix("/list"), {"do": "confirm"})[0] == 200
        history = newsletter("history", ANA)
        assert "subscribe page, from" not in history.out, "127.0.0.1 is our proxy, and nobody's network"
        assert "it said: I would like to get Letters from the Practice by email." in history.out
        own = links_of(project, Purpose.PREFERENCES)[ANA]
        status, data = server.ask("POST", own, {"do": "data"})
        assert status == 200 and json.loads(data)["you"][0]["address"] == ANA
        assert "You are erased" in server.ask("POST", own, {"do": "erase", "sure": "yes"})[1]
        traced = [1]
        for _ in range(3_000):
            files = [*project.glob("newsletter.db*"), project / "newsletter.log"]
            if not (traced := [f.name for f in files if b"ana@example" in f.read_bytes()]):
                break
            time.sleep(0.01)
        assert traced == []
        assert server.ask("POST", links_path := own.replace("/s/", "/u/"))[0] == 404, "another purpose"
        log = (project / "newsletter.log").read_text()
        assert (
            '"page": "subscribe"' in log
            and "@" not in log
            and own.rpartition("/")[2] not in log
            and links_path not in log
        )
        said = server.end()
    assert server.process.returncode == 0 and ANA not in said


def test_two_servers_and_a_run_at_one_file(project: Path, newsletter: Typed) -> None:
    """Everybody who clicks has left, nobody meets an error, and the accounts balance."""
    one, two = free_port(), free_port()
    url = settings(
        project,
        one,
        'sign_ups = "100000 per hour"\nsign_ups_per_network = "100000 per hour"\n',
        url=HTTPS,
        first='"at once"',
    )
    rows = "".join(f"r{n}@example.org\n" for n in range(600))
    (project / "subscribers.csv").write_text(f"email\n{rows}")
    assert newsletter("send").status == 0
    for name in ("x@example.org", "y@example.org"):
        newsletter("subscribers", "add", name)
    paths = links_of(project, Purpose.UNSUBSCRIBE)
    statuses: list[int] = []
    with serving(project, one, url) as first, serving(project, two, url) as second:

        def clicks(server, mine: list[str]) -> None:
            connection = HTTPConnection("127.0.0.1", server.port)
            for path in mine:
                statuses.append(server.ask("POST", path, {"List-Unsubscribe": "One-Click"}, connection=connection)[0])
                statuses.append(server.ask("GET", path, connection=connection)[0])
            connection.close()

        leaving = [path for address, path in paths.items() if address.startswith("r")]
        threads = [
            threading.Thread(target=clicks, args=(server, leaving[k::6]))
            for k, server in enumerate((first, second, first, second, first, second))
        ]
        for thread in threads:
            thread.start()
        runs = [newsletter("send") for _ in range(3)]
        for thread in threads:
            thread.join()
        health = [json.loads(server.ask("GET", "/healthz")[1]) for server in (first, second)]
    assert set(statuses) == {200} and len(statuses) == 1_200
    assert {run.status for run in runs} <= {0, 75} and runs[0].status == 0, runs
    assert all(found["ok"] and found["faults"] == 0 for found in health)
    counts = json.loads(newsletter("status", "--json").out)
    assert newsletter("verify").status == 0 and counts
    listed = json.loads(newsletter("subscribers", "list", "--status", "unsubscribed", "--json").out)
    assert len(listed) == 600


def test_server_and_tick_in_one_process(project: Path, newsletter: Typed) -> None:
    port = free_port()
    url = settings(project, port, url=HTTPS, first='"at once"')
    (project / "subscribers.csv").write_text(f"email\n{ANA}\n")
    newsletter("subscribers", "add", "bo@example.org")
    with serving(project, port, url, "--schedule") as server:
        for _ in range(3_000):
            if server.letters("bo@example.org"):
                break
            time.sleep(0.01)
        assert len(server.letters("bo@example.org")) == 1
        health = json.loads(server.ask("GET", "/healthz")[1])
        assert health["ok"] and health["database"]
        assert not re.search(r"@|bo|ana", json.dumps(health).replace("database", ""))
        status, metrics = server.ask("GET", "/metrics")
        assert status == 200 and "newsletter_up 1\n" in metrics and "\nnewsletter_due 0\n" in metrics
        assert metrics.endswith("# EOF\n") and "@" not in metrics
        server.end()
    assert server.process.returncode == 0


def test_ctrl_c_ends_it_as_an_interruption(project: Path) -> None:
    port = free_port()
    with serving(project, port, settings(project, port)) as server:
        said = server.end(signal.SIGINT)
    assert server.process.returncode == 130 and "Traceback" not in said


def test_without_a_url_it_says_what_to_write(project: Path, newsletter: Typed) -> None:
    path = project / "newsletter.toml"
    path.write_text(re.sub(r'(?m)^url = "https.*$', 'url = ""', path.read_text()))
    answer = newsletter("serve")
    assert answer.status == 2 and "[newsletter] url is empty" in answer.err


def test_a_port_that_is_taken_is_said(project: Path, newsletter: Typed) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = newsletter("serve", "--port", str(taken.getsockname()[1]))
    assert answer.status == 1 and "choose another with --port" in answer.err


def test_one_click_as_the_letter_has_it(project: Path, newsletter: Typed) -> None:
    """RFC 8058 sections 3.1 and 3.2: what a mail provider sends for its button is enough: no cookie, no redirect."""
    port = free_port()
    url = settings(project, port, url=HTTPS, first='"at once"')
    (project / "subscribers.csv").write_text("email\n")
    newsletter("subscribers", "add", ANA)
    assert newsletter("send").status == 0
    (octets,) = [path.read_bytes() for path in (project / "outbox/new").glob("*.eml")]
    fields = octets.partition(b"\r\n\r\n")[0].decode("ascii")
    assert "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in fields
    (target,) = re.findall(rf"(?m)^List-Unsubscribe: <{re.escape(HTTPS)}(/[^>]+)>", fields)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with serving(project, port, url):

        def answered(method: str, body: str | None = None) -> tuple[int, str | None, str | None]:
            connection = HTTPConnection("127.0.0.1", port)
            connection.request(method, f"/list{target}", body, {"Host": "letters.example.org"} | (form if body else {}))
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status, answer.getheader("Location"), answer.getheader("Set-Cookie")

        def status() -> str:
            return str(json.loads(newsletter("subscribers", "list", "--json").out)[0]["status"])

        assert (answered("GET"), answered("HEAD")) == ((200, None, None),) * 2 and status() == "active"
        assert answered("POST", "List-Unsubscribe=One-Click") == (200, None, None)
        assert status() == "unsubscribed"
        assert answered("POST", "List-Unsubscribe=One-Click") == (200, None, None), "a provider may send it twice"
