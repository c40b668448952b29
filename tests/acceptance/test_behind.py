"""What docs/serve.md gives to copy works: nginx and Caddy in front of `newsletter serve`, and the unit of systemd."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest
from served import CHECKOUT, free_port, links_of, serving, settings
from typist import Typed

from newsletter.links import Purpose

PAGE = (CHECKOUT / "docs/serve.md").read_text()
NGINX, CADDY = shutil.which("nginx", path="/usr/sbin:/usr/bin"), shutil.which("caddy")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def block(begins: str) -> str:
    """The block of the page that begins so."""
    (found,) = (b for b in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) if b.startswith(begins))
    return str(found)


@contextlib.contextmanager
def running(*command: str, port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for _ in range(1_000):
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        process.communicate()


def ask(port: int, method: str, path: str, **fields: str) -> tuple[int, str]:
    """As a visitor from elsewhere, whom a web server further out has seen."""
    connection = HTTPConnection("127.0.0.1", port)
    headers = FORM | {"X-Forwarded-For": "198.51.100.7"}
    connection.request(method, path, urlencode(fields) if fields else None, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def visit(project: Path, newsletter: Typed, front: int, base: str) -> None:
    """A sign-up, a click and a link that is none, all through the web server at *front*."""
    status, page = ask(front, "GET", f"{base}/subscribe")
    assert status == 200 and f'action="{base}/subscribe"' in page
    (nonce,) = re.findall(r'name="nonce" value="([^"]+)"', page)
    time.sleep(2.1)
    assert ask(front, "POST", f"{base}/subscribe", email="bo@example.org", nonce=nonce)[0] == 200
    leave = base + links_of(project, Purpose.UNSUBSCRIBE)["ana@example.org"]
    assert ask(front, "POST", leave, **{"List-Unsubscribe": "One-Click"}) == (200, "You have unsubscribed.\n")
    assert ask(front, "GET", f"{leave}x")[0] == 404
    assert {ask(front, "GET", f"{base}{end}")[0] for end in ("", "/")} == {200}
    assert ask(front, "POST", f"{base}/subscribe", email="x" * 70_000)[0] == 413
    for _ in range(1_000):
        if "from 198.51.100.0/24" in newsletter("history", "bo@example.org").out:
            return
    raise AssertionError("the visitor's network is not on record")


@pytest.mark.skipif(NGINX is None, reason="needs nginx")
def test_behind_nginx(project: Path, newsletter: Typed, tmp_path: Path) -> None:
    assert NGINX is not None
    front, port = free_port(), free_port()
    newsletter("subscribers", "add", "ana@example.org")
    url = settings(project, port, url=f"http://127.0.0.1:{front}")
    server = (
        block("server {")
        .replace("listen 443 ssl", f"listen 127.0.0.1:{front}")
        .replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    )
    server = re.sub(r"(?m)^ *ssl_.*\n", "", server)
    paths = "".join(f"{k}_temp_path {tmp_path}/{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}} http {{ {paths} {server} }}"
    )
    with serving(project, port, url), running(NGINX, "-e", f"{tmp_path}/log", "-c", str(conf), port=front):
        visit(project, newsletter, front, "")


@pytest.mark.skipif(CADDY is None, reason="needs Caddy")
def test_behind_caddy_below_a_path(project: Path, newsletter: Typed, tmp_path: Path) -> None:
    assert CADDY is not None
    front, port = free_port(), free_port()
    newsletter("subscribers", "add", "ana@example.org")
    url = settings(project, port, url=f"http://127.0.0.1:{front}/letters")
    site = (
        block("example.org {")
        .replace("example.org {", f"http://127.0.0.1:{front} {{", 1)
        .replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    )
    # This test stands for a web server further out, whose word Caddy takes only when told to.
    site = site.replace(f"127.0.0.1:{port}\n", f"127.0.0.1:{port} {{\n trusted_proxies private_ranges\n }}\n")
    conf = tmp_path / "Caddyfile"
    conf.write_text(f"{{\n admin off\n storage file_system {tmp_path}\n}}\n{site}")
    command = (CADDY, "run", "--config", str(conf), "--adapter", "caddyfile")
    with serving(project, port, url), running(*command, port=front):
        visit(project, newsletter, front, "/letters")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_the_unit_is_one(tmp_path: Path) -> None:
    program = tmp_path / "newsletter"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "newsletter-serve.service"
    unit.write_text(block("# /etc/systemd").replace("/srv/letters/.venv/bin/newsletter", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
