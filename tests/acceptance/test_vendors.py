"""Real newsletters through each vendor, as their owner types it: the vendor is its fake on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import tell
from fake import Fake, taken_then_reset
from fakes import FAKES
from genuine import (
    SVIX,
    bounce_at_mailgun,
    bounce_at_postmark,
    bounce_at_resend,
    from_mailgun,
    from_postmark,
    from_resend,
)
from mailserver import MailServer
from practice import ANA, BO, CY, DAY, HOUR, MONDAY, SETTINGS, Practice, each

from newsletter import feedback
from newsletter.config import VENDORS
from newsletter.events import EventKind, Heard, Hook
from newsletter.intake import fingerprint
from newsletter.providers import vendor
from newsletter.store import Store

CHECKOUT = Path(__file__).parents[2]
EVERYBODY = (ANA, BO, CY)
POSTS = sorted((CHECKOUT / "posts").glob("[0-9]*.md"))
#: what each needs beside base_url and its keys
MORE = {
    "postmark": "manages_unsubscribe = false\n",
    "mailgun": 'domain = "letters.example.org"\n',
    "ses": 'region = "eu-west-1"\n',
    "brevo": 'manages_unsubscribe = false\n\n[theme]\nimages = "hosted"\n',
}


@pytest.fixture(params=FAKES)
def fake(request: pytest.FixtureRequest) -> Iterator[Fake]:
    with FAKES[request.param]().running() as running:
        yield running


def through(practice: Practice, fake: Fake, **more: str) -> None:
    """Take *fake* as the provider from now on, its keys from the environment."""
    known, settings = VENDORS[fake.name], fake.settings_here()
    text = SETTINGS.replace('provider = "folder"', f'provider = "{fake.name}"')
    if fake.name == "brevo":  # shows no attached pictures, and hosted ones are on a website
        text = text.replace("[newsletter]\n", '[newsletter]\nurl = "https://letters.example.org"\n')
    text += f'\n[provider.{fake.name}]\nbase_url = "{fake.url}"\n{more.get("lines", MORE.get(fake.name, ""))}'
    (practice.root / "newsletter.toml").write_text(text)
    practice.environment[known.variable(fake.name, known.key)] = settings.key
    if known.secret:
        practice.environment[known.variable(fake.name, known.secret)] = settings.secret


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


def genuine(fake: Fake, address: str, kind: EventKind, at: datetime) -> Hook:
    """What the vendor tells about the letter that it took for *address*, named by its own id alone."""
    ident = next(took.ident for took in fake.took if took.recipient == address).strip("<>")
    moment, epoch = f"{at:%Y-%m-%dT%H:%M:%SZ}", at.timestamp()
    match fake.name:
        case "postmark":
            told = bounce_at_postmark(MessageID=ident, Email="", ID=f"{kind}", BouncedAt=moment)
            if kind is EventKind.COMPLAINED:
                told |= {"RecordType": "SpamComplaint"}
            return from_postmark(told)
        case "resend":
            told = bounce_at_resend()
            told |= {"type": "email.bounced" if kind is EventKind.BOUNCED else "email.complained", "created_at": moment}
            told["data"] |= {"email_id": ident, "to": []}  # type: ignore[operator]
            return from_resend(told, at=at, ident=f"msg_{kind}")
        case "mailgun":
            told = bounce_at_mailgun(id=f"{kind}", timestamp=epoch, recipient="")
            told |= {"message": {"headers": {"message-id": ident}}}
            told |= {} if kind is EventKind.BOUNCED else {"event": "complained"}
            return from_mailgun(told, at=at, token=f"{kind}" * 5)
        case name:
            raise AssertionError(name)


SECRETS = {"postmark": "open-sesame", "resend": SVIX, "mailgun": "signing-key"}


def heard(fake: Fake, address: str, kind: EventKind, at: datetime) -> Heard:
    """What the vendor's webhook is taken for."""
    if fake.name in SECRETS:
        settings = fake.settings_here(webhook_secret=SECRETS[fake.name])
        found: Heard = vendor(fake.name).hear(genuine(fake, address, kind, at), settings, at=at)
        return found
    took = next(took for took in fake.took if took.recipient == address)
    return tell.heard(fake.name, replace(took, tag=""), "bounce" if kind is EventKind.BOUNCED else "complaint", at=at)


def test_what_comes_back_is_shown_as_it_is(practice: Practice, fake: Fake) -> None:
    live(practice, fake)
    practice.run("send", at=MONDAY.replace(hour=9, minute=5))
    practice.at += HOUR
    secret = (practice.root / "secret.key").read_text().strip().encode()
    store = Store.open(f"sqlite:///{practice.root / 'newsletter.db'}")
    told = [heard(fake, ANA, EventKind.BOUNCED, practice.at), heard(fake, BO, EventKind.COMPLAINED, practice.at)]
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
