"""Each vendor's webhook through the route into the database: a genuine one, and what else may come."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import genuine
import pytest
import tell
from desk import Desk
from test_hooks import KEY, Site, status

from newsletter.events import Heard, Hook
from newsletter.mail import Accepted
from newsletter.providers import brevo, mailgun, mailjet, postmark, resend, sendgrid, ses
from newsletter.store import Store
from newsletter.subscribers import Status
from newsletter.web.hooks import path_for

AT = genuine.AT  # of all these samples
_SES = {
    "notificationType": "Bounce",
    "bounce": {
        "bounceType": "Permanent",
        "bouncedRecipients": [
            {"emailAddress": "ana@example.org", "status": "5.1.1", "diagnosticCode": f"smtp; {genuine.NO_SUCH}"}
        ],
        "timestamp": "2026-03-09T09:29:38.237Z",
        "feedbackId": "0102018c-fb-000000",
    },
    "mail": {"messageId": "0102018c-7a-000000", "destination": ["ana@example.org"]},
}
_SENDGRID = {"type": "bounce", "status": "5.1.1", "reason": genuine.NO_SUCH}
_BREVO = tell.brevos("hard_bounce", reason=genuine.NO_SUCH)
_MAILJET = tell.mailjets("bounce", hard_bounce=True, error="user unknown", comment=genuine.NO_SUCH)
_UNSIGNED = replace(tell.UNSIGNED, webhook_secret="open-sesame")

#: vendor → how it is heard, and a genuine request: a dead address, ana@example.org
GENUINE: dict[str, tuple[Callable[..., Heard], Hook]] = {
    "postmark": (
        partial(postmark.hear, settings=genuine.POSTMARK),
        genuine.from_postmark(genuine.bounce_at_postmark()),
    ),
    "resend": (partial(resend.hear, settings=genuine.RESEND), genuine.from_resend(genuine.bounce_at_resend())),
    "mailgun": (partial(mailgun.hear, settings=genuine.MAILGUN), genuine.from_mailgun(genuine.bounce_at_mailgun())),
    "ses": (
        partial(ses.hear, settings=tell.SES_SETTINGS, fetch=tell.Amazon()),
        tell.sns_hook(tell.sns_fields("2", Message=json.dumps(_SES))),
    ),
    "sendgrid": (
        partial(sendgrid.hear, settings=tell.sendgrid_settings()),
        tell.sendgrid_hook([tell.sendgrid_event("bounce", **_SENDGRID)]),
    ),
    "brevo": (partial(brevo.hear, settings=_UNSIGNED), genuine.from_postmark(_BREVO)),
    "mailjet": (partial(mailjet.hear, settings=_UNSIGNED), genuine.from_postmark(_MAILJET)),
}
SIGNS_THE_BODY = ("resend", "ses", "sendgrid")
every_vendor = pytest.mark.parametrize("name", GENUINE)


@pytest.fixture
def site(store: Store, name: str) -> Site:
    """Ana and Ben got post 1 on the day of the samples; *name* may tell what came back."""
    hear = GENUINE[name][0]
    desk = Desk(store, at=AT.replace(hour=9, minute=0))
    desk.publish(1)
    desk.join("ana", "ben")
    for claim in desk.submitting():
        desk.record([claim], Accepted())
    desk.at = AT
    return Site(desk, name, lambda hook, at: hear(hook, at=at))


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
