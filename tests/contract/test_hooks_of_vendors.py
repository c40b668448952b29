"""Each vendor's webhook through the route into the database: a genuine one, and what else may come."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import test_hear
import test_hear_sendgrid
import test_hear_ses
import test_hear_unsigned
from desk import Desk
from test_hooks import KEY, Site, status

from newsletter.events import Hook
from newsletter.mail import Accepted
from newsletter.providers import brevo, mailgun, mailjet, postmark, resend, sendgrid, ses
from newsletter.store import Store
from newsletter.subscribers import Status
from newsletter.web.hooks import Hear, path_for

AT = test_hear.AT  # of all these samples
_SENDGRID = {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 <ana@example.org>: user unknown"}

#: vendor → how it is heard, and a genuine request: a dead address, ana@example.org
GENUINE: dict[str, tuple[Callable[..., object], Hook]] = {
    "postmark": (partial(postmark.hear, settings=test_hear.POSTMARK), test_hear.GENUINE["postmark"][1]),
    "resend": (partial(resend.hear, settings=test_hear.RESEND), test_hear.GENUINE["resend"][1]),
    "mailgun": (partial(mailgun.hear, settings=test_hear.MAILGUN), test_hear.GENUINE["mailgun"][1]),
    "ses": (
        partial(ses.hear, settings=test_hear_ses.SETTINGS, fetch=test_hear_ses.Amazon()),
        test_hear_ses.hook(test_hear_ses.signed("2")),
    ),
    "sendgrid": (
        partial(sendgrid.hear, settings=test_hear_sendgrid.settings()),
        test_hear_sendgrid.signed([test_hear_sendgrid.event("bounce", **_SENDGRID)]),
    ),
    "brevo": (
        partial(brevo.hear, settings=test_hear_unsigned.settings("pass")),
        test_hear_unsigned.hook(test_hear_unsigned.BOUNCES["brevo"], "pass"),
    ),
    "mailjet": (
        partial(mailjet.hear, settings=test_hear_unsigned.settings("pass")),
        test_hear_unsigned.hook(test_hear_unsigned.BOUNCES["mailjet"], "pass"),
    ),
}
SIGNS_THE_BODY = ("resend", "ses", "sendgrid")
every_vendor = pytest.mark.parametrize("name", GENUINE)


@pytest.fixture
def site(store: Store, name: str) -> Site:
    """Ana and Ben got post 1 on the day of the samples; *name* may tell what came back."""
    hear = GENUINE[name][0]

    def heard(hook: Hook, at: object) -> object:
        return hear(hook, at=at)

    as_hear: Hear = heard  # type: ignore[assignment]
    desk = Desk(store, at=AT.replace(hour=9, minute=0))
    desk.publish(1)
    desk.join("ana", "ben")
    for claim in desk.submitting():
        desk.record([claim], Accepted())
    desk.at = AT
    return Site(desk, name, as_hear)


@every_vendor
def test_a_dead_address_is_suppressed_once(site: Site, name: str) -> None:
    hook = GENUINE[name][1]
    for _ in range(2):
        assert site.ask("POST", path_for(name, KEY), [hook.body], dict(hook.headers)).status == 200
    assert (status(site, "ana"), status(site, "ben")) == (Status.SUPPRESSED, Status.ACTIVE)
    (event,) = site.desk.ask("SELECT source, kind, effect, code, status, delivery_id FROM event")
    assert event == (name, "bounced", "suppressed", 550, "5.1.1", site.desk.record_of("ana").id)
    assert site.desk.record_of("ana").state == "accepted" and site.desk.record_of("ana").came_back
    assert site.desk.verify() == []


@every_vendor
def test_who_does_not_know_the_address_is_told_nothing(site: Site, name: str) -> None:
    hook = GENUINE[name][1]
    assert site.ask("POST", path_for(name, b"another key"), [hook.body], dict(hook.headers)).status == 404
    assert status(site, "ana") is Status.ACTIVE


@every_vendor
def test_a_forgery_changes_nothing(site: Site, name: str) -> None:
    """The body changed where the vendor signs it, else what stands for the signature taken away."""
    hook, path = GENUINE[name][1], path_for(name, KEY)
    signs = name in SIGNS_THE_BODY
    body = hook.body.replace(b"ana@example.org", b"ben@example.org") if signs else hook.body
    if name == "mailgun":
        body = body.replace(b'"token": "f', b'"token": "e')
    answer = site.ask("POST", path, [body], dict(hook.headers) if signs else {})
    assert (answer.status, answer.body) == (401, b"Not accepted.\n")
    assert (status(site, "ana"), status(site, "ben")) == (Status.ACTIVE, Status.ACTIVE)


@pytest.mark.parametrize("name", ["mailgun"])
def test_a_token_that_was_used_does_not_open_for_another_body(site: Site, name: str) -> None:
    hook, path = GENUINE[name][1], path_for(name, KEY)
    assert site.ask("POST", path, [hook.body]).status == 200
    other = hook.body.replace(b"ana@example.org", b"ben@example.org").replace(b"G9Bn5sl1TC6nu79C8C0bwg", b"another")
    assert site.ask("POST", path, [other]).status == 200
    assert status(site, "ben") is Status.ACTIVE
