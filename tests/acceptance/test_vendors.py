"""Real newsletters through each vendor, as their owner types it: the vendor is its fake on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tell
from fake import Fake, taken_then_reset
from fakes import FAKES
from mailserver import MailServer
from practice import ANA, BO, CY, DAY, HOUR, MONDAY, Practice, each
from through import through

from newsletter import feedback
from newsletter.config import VENDORS
from newsletter.intake import fingerprint
from newsletter.store import Store

CHECKOUT = Path(__file__).parents[2]
EVERYBODY = (ANA, BO, CY)
POSTS = sorted((CHECKOUT / "posts").glob("[0-9]*.md"))


@pytest.fixture(params=FAKES)
def fake(request: pytest.FixtureRequest) -> Iterator[Fake]:
    with FAKES[request.param]().running() as running:
        yield running


def live(practice: Practice, fake: Fake) -> None:
    through(practice, fake)
    ran = practice.run("go-live", "--yes")
    assert ran.status == 0 and VENDORS[fake.name].title in ran.out, ran
    assert fake.asked == [], "go-live asks nobody"


def test_the_posts_that_come_with_it_reach_everybody_in_order(practice: Practice, fake: Fake) -> None:
    shutil.rmtree(practice.root / "posts")
    shutil.copytree(CHECKOUT / "posts", practice.root / "posts")
    live(practice, fake)
    for day in range(len(POSTS) + 1):
        ran = practice.run("send", at=MONDAY.replace(hour=9, minute=5) + day * DAY)
        assert ran.status == 0, ran
    numbers = [*range(1, len(POSTS) + 1)]
    assert practice.accepted() == each(EVERYBODY, numbers)
    assert [took.recipient for took in fake.took].count(ANA) == len(numbers)
    assert practice.run("verify").status == 0
    for took in fake.took:
        assert "\nUnsubscribe" in took.text.replace("\r", "") or "nsubscribe" in took.text
        assert {"List-Unsubscribe", "Feedback-ID"} <= set(took.fields)
        assert ("List-Id" in took.fields) == (fake.name != "mailjet"), "Mailjet lets nobody set it"
    assert "Hello Ana," in next(took.text for took in fake.took if took.recipient == ANA)


def test_what_had_no_answer_is_named_and_comes_once(practice: Practice, fake: Fake) -> None:
    live(practice, fake)
    fake.script = [taken_then_reset] * 3
    practice.run("send", at=MONDAY.replace(hour=9, minute=5))
    for hour in (10, 11, 12):  # as long as the vendor can't be asked, the doubt waits
        practice.run("send", at=MONDAY.replace(hour=hour))
    assert practice.accepted() == each(EVERYBODY, [1])
    copies = EVERYBODY if fake.name == "ses" else ()  # can't be asked: a copy comes of doubt, one at most
    assert sorted(took.recipient for took in fake.took) == sorted([*EVERYBODY, *copies])


def test_a_wrong_key_is_said_and_marks_nobody(practice: Practice, fake: Fake) -> None:
    live(practice, fake)
    variable = VENDORS[fake.name].variable(fake.name, VENDORS[fake.name].key)
    practice.environment[variable] = "a-secret-that-must-not-show"
    ran = practice.run("send", at=MONDAY + 2 * HOUR)
    assert ran.status == 1 and "newsletter.toml" in ran.err and "a-secret" not in ran.said
    assert fake.took == [] and practice.accepted() == {}
    through(practice, fake)
    assert practice.run("send", at=MONDAY + 3 * HOUR).status == 0
    assert practice.accepted() == each(EVERYBODY, [1])


def test_changing_the_provider_midway_neither_repeats_nor_skips(practice: Practice, mail: MailServer) -> None:
    practice.mail_through(mail)
    assert practice.run("go-live", "--yes").status == 0
    practice.tick_at(mail, days=0)
    assert practice.run("send").status == 0
    kept = {}
    for day, name in enumerate(("postmark", "mailgun"), 1):
        with FAKES[name]().running() as fake:
            through(practice, fake)
            practice.tick_at(mail, days=day)
            assert practice.run("send").status == 1, "nothing leaves through another provider unasked"
            assert practice.run("go-live", "--yes").status == 0
            practice.at += HOUR
            assert practice.run("send").status == 0
            kept[name] = sorted(took.recipient for took in fake.took)
    assert kept == {"postmark": [*EVERYBODY], "mailgun": [*EVERYBODY]}
    assert sorted(letter.address for letter in mail.taken) == [*EVERYBODY]
    assert practice.accepted() == each(EVERYBODY, [1, 2, 3])
    assert practice.run("verify").status == 0


def test_go_live_refuses_what_postmark_cannot_do(practice: Practice) -> None:
    with FAKES["postmark"]().running() as fake:
        through(practice, fake, lines="")
        before = practice.tree()
        ran = practice.run("go-live", "--yes")
        assert ran.status == 1 and "manages_unsubscribe = false" in ran.err and "Nothing was changed." in ran.err
        assert practice.tree() == before and fake.asked == []


# what comes back


def test_what_comes_back_is_shown_as_it_is(practice: Practice, fake: Fake) -> None:
    live(practice, fake)
    practice.run("send", at=MONDAY.replace(hour=9, minute=5))
    practice.at += HOUR
    secret = (practice.root / "secret.key").read_text().strip().encode()
    store = Store.open(f"sqlite:///{practice.root / 'newsletter.db'}")
    letters = {took.recipient: replace(took, tag="") for took in fake.took}  # named by the vendor's own id alone
    told = [
        tell.heard(fake.name, letters[ANA], "bounce", at=practice.at),
        tell.heard(fake.name, letters[BO], "complaint", at=practice.at),
    ]
    for each_of in [*told, *told]:  # twice: it counts once
        feedback.take_in(store, each_of, source=fake.name, fingerprint=fingerprint(secret), at=practice.at)
    store.close()
    listed = {row["email"]: row["reason"] for row in practice.json("suppressions", "list")}
    assert listed == {ANA: "bounced", BO: "complained"}
    rows = {row["email"]: row for row in practice.json("who-got", "1")}
    assert "User unknown" in rows[ANA]["came_back"] and rows[BO]["complained_at"] and not rows[CY]["complained_at"]
    figures = next(post for post in practice.json("status")["posts"] if post["number"] == 1)
    assert {"accepted": 3, "failed": 1, "complained": 1}.items() <= figures.items()
    practice.run("send", at=MONDAY.replace(hour=9, minute=5) + DAY)
    assert [took.recipient for took in fake.took[3:]] == [CY]
    assert practice.run("verify").status == 0
