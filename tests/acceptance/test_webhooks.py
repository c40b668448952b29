"""What comes back, from the vendor's request to the owner's screen: `newsletter serve` is a process, as is each command."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import tell
from fake import Fake, Took
from fakes import FAKES
from practice import ANA, BO, CY, DAY, DEE, HOUR, MONDAY, Practice
from served import free_port
from through import URL, through

from newsletter.events import Hook
from newsletter.web.hooks import path_for

READERS = (ANA, BO, CY, DEE)
DEMO = Path(__file__).parents[2] / "posts"

#: Stands for Amazon's two addresses in the server's process: what it is asked for goes into a file, and a
#: certificate made for this run comes back.
AMAZON = """\
import os
from pathlib import Path
from newsletter.providers import sns

def fetch(url):
    with open(os.environ["AMAZON_LOG"], "a") as log:
        log.write(url + "\\n")
    return Path(os.environ["AMAZON_PEM"]).read_bytes() if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"

sns.fetch = fetch
"""


@dataclass
class House:
    """A newsletter whose first post is out through *fake*, and its server."""

    practice: Practice
    process: subprocess.Popen[bytes]
    port: int
    path: str  #: of the webhook
    fake: Fake

    def post(self, hook: Hook, path: str = "", method: str = "POST") -> int:
        """The status that *hook* is answered with."""
        with closing(HTTPConnection("127.0.0.1", self.port)) as connection:
            with suppress(BrokenPipeError):  # a body that is not read to its end
                connection.request(method, path or self.path, hook.body, dict(hook.headers))
            return connection.getresponse().status

    def letter(self, address: str) -> Took:
        return next(took for took in self.fake.took if took.recipient == address)

    def tell(self, address: str, kind: str) -> int:
        return self.post(tell.request(self.fake.name, self.letter(address), kind, at=self.practice.at))

    @property
    def suppressed(self) -> dict[str, str]:
        return {row["email"]: row["reason"] for row in self.practice.json("suppressions", "list")}


@contextmanager
def serving(practice: Practice, path: str, fake: Fake | None = None) -> Iterator[House]:
    port = free_port()
    process = practice.start("serve", "--port", str(port))
    try:
        for _ in range(3_000):
            with suppress(OSError):
                with closing(HTTPConnection("127.0.0.1", port)) as connection:
                    connection.connect()
                break
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        yield House(practice, process, port, path, fake or Fake())
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        said = practice.finish(process).said
        assert not any(secret in said for secret in secrets(practice)), "no secret is said"


def secrets(practice: Practice) -> list[str]:
    """What must stand nowhere."""
    return [value for name, value in practice.environment.items() if name.startswith("NEWSLETTER_") and value]


@pytest.fixture(params=FAKES)
def house(request: pytest.FixtureRequest, practice: Practice, tmp_path: Path) -> Iterator[House]:
    practice.readers(*(f"{address},{address[:2].title()},UTC" for address in READERS))
    with FAKES[request.param]().running() as fake:
        through(practice, fake, url=URL)
        text = (practice.root / "newsletter.toml").read_text()
        (practice.root / "newsletter.toml").write_text(text + '\n[log]\nfile = "newsletter.log"\n')
        if fake.name == "ses":
            (tmp_path / "amazon").mkdir()
            (tmp_path / "amazon/sitecustomize.py").write_text(AMAZON)
            (tmp_path / "amazon/key.pem").write_bytes(tell.certificate("amazon"))
        assert practice.run("go-live", "--yes").status == 0
        assert practice.run("send", at=MONDAY.replace(hour=9, minute=5)).status == 0
        practice.at += HOUR
        if fake.name == "ses":
            practice.environment |= {
                "PYTHONPATH": f"{tmp_path / 'amazon'}:{Path(__file__).parents[2]}",
                "AMAZON_PEM": str(tmp_path / "amazon/key.pem"),
                "AMAZON_LOG": str(tmp_path / "amazon/asked"),
            }
        secret = (practice.root / "secret.key").read_text().strip().encode()
        with serving(practice, path_for(fake.name, secret), fake) as found:
            yield found


def test_what_comes_back_is_heard_once_and_shown_as_it_is(house: House) -> None:
    practice, name = house.practice, house.fake.name
    can_leave = "leave" in tell.kinds_of(name)
    told = [(ANA, "bounce"), (BO, "complaint"), *([(CY, "leave")] if can_leave else [])]
    for _ in range(2):  # twice: it counts once
        assert [house.tell(*one) for one in told] == [200] * len(told)
    nobody = Took("nobody@example.org", "", "", tag="0@letters.example.org", ident="999")
    assert house.post(tell.request(name, nobody, "bounce", at=practice.at)) == 200
    house.process.kill()  # what was answered with 200 is on the disk
    house.process.wait()
    assert house.suppressed == {ANA: "bounced", BO: "complained"}
    rows = {row["email"]: row for row in practice.json("who-got", "1")}
    assert {row["state"] for row in rows.values()} == {"accepted"}, "an event moves no delivery backwards"
    assert "User unknown" in rows[ANA]["came_back"] and rows[BO]["complained_at"]
    assert not rows[DEE]["came_back"] and not rows[DEE]["complained_at"]
    (figures,) = [post for post in practice.json("status")["posts"] if post["number"] == 1]
    left = {"unsubscribed": 1} if can_leave else {}
    assert {"accepted": 4, "failed": 1, "complained": 1, **left}.items() <= figures.items()
    practice.run("send", at=MONDAY.replace(hour=9, minute=5) + DAY)
    assert [took.recipient for took in house.fake.took[4:]] == [*([] if can_leave else [CY]), DEE]
    assert practice.run("verify").status == 0
    log = (practice.root / "newsletter.log").read_text()
    assert "@example.org" not in log and not any(secret in log for secret in secrets(practice))
    assert '"unknown": 1' in log, "what is about nobody we know is counted"


def test_nothing_else_is_let_in(house: House) -> None:
    hook = tell.request(house.fake.name, house.letter(ANA), "bounce", at=house.practice.at)
    assert house.post(hook, "/hooks/" + house.fake.name + "/" + "0" * 32) == 404
    assert house.post(hook, house.path[:-1]) == 404
    assert house.post(hook, house.path.replace(house.fake.name, "pigeon")) == 404
    assert house.post(hook, method="GET") in (404, 405)
    for wrong in forged(house.fake.name, hook):
        assert house.post(wrong) == 401
    assert house.post(replace(hook, body=b" " * 1_000_001)) == 413
    assert house.suppressed == {}
    assert house.post(hook) == 200
    assert house.suppressed == {ANA: "bounced"}


def forged(name: str, hook: Hook) -> Iterator[Hook]:
    """One without what proves it, and one whose body is another's."""
    if name == "mailgun":  # proves itself within its body
        posted: Mapping[str, Any] = json.loads(hook.body)
        yield replace(hook, body=json.dumps({**posted, "signature": {}}).encode())
        yield replace(hook, body=json.dumps({"event-data": posted["event-data"]}).encode())
    elif name == "ses":
        fields = json.loads(hook.body)
        yield replace(hook, body=json.dumps({**fields, "Signature": ""}).encode())
        yield replace(hook, body=json.dumps({**fields, "Message": "{}"}).encode())
        yield replace(hook, body=json.dumps({**fields, "SigningCertURL": "https://127.0.0.1/a.pem"}).encode())
        yield replace(hook, body=json.dumps({**fields, "TopicArn": tell.TOPIC + "s"}).encode())
    else:
        yield replace(hook, headers={})
    if name in ("resend", "sendgrid"):
        yield replace(hook, body=hook.body + b" ")


def test_too_much_at_once_waits_for_the_owner(house: House) -> None:
    practice = house.practice
    practice.readers(*(f"r{n}@example.org,,UTC" for n in range(60)), *(f"{address},,UTC" for address in READERS))
    for _ in range(2):
        practice.run("send", at=practice.at + DAY)
    crowd = [took.recipient for took in house.fake.took if took.recipient.startswith("r")]
    assert len(crowd) == 60
    house.process.kill()
    house.process.wait()
    with serving(practice, house.path, house.fake) as again:
        assert {again.tell(address, "bounce") for address in crowd[:12]} == {200}
    assert len(house.suppressed) == 5
    waiting = practice.json("suppressions", "quarantined")
    assert {row["email"] for row in waiting} == set(crowd[5:12])
    assert "suppressions quarantined" in practice.run("status").said


@pytest.mark.parametrize("house", ["ses"], indirect=True)
def test_a_topic_is_confirmed_if_it_is_listened_to_and_no_other(house: House, tmp_path: Path) -> None:
    stamp, asked = f"{house.practice.at:%Y-%m-%dT%H:%M:%S.000Z}", tmp_path / "amazon/asked"
    kind = {"Type": "SubscriptionConfirmation", "Timestamp": stamp}
    elsewhere = {"SubscribeURL": "https://127.0.0.1/?Action=ConfirmSubscription"}
    for version in ("1", "2"):
        for wrong in ({"TopicArn": tell.TOPIC + "-of-another"}, elsewhere):
            assert house.post(tell.sns_hook(tell.sns_fields(version, **kind, **wrong))) == 401
        before = asked.read_text().count("ConfirmSubscription") if asked.exists() else 0
        assert house.post(tell.sns_hook(tell.sns_fields(version, **kind))) == 200
        assert asked.read_text().count("ConfirmSubscription") == before + 1
    assert {line.partition("/?")[0].partition("/Simple")[0] for line in asked.read_text().split()} == {tell.HOST}
