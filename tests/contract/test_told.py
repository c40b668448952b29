"""From a letter that was accepted to what came back of it, through each vendor's own way of telling."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import pytest
from desk import hashed
from fake import Fake, Took
from fakes import FAKES
from tell import (
    SES_SETTINGS,
    Amazon,
    brevos,
    mailjets,
    sendgrid_event,
    sendgrid_hook,
    sendgrid_settings,
    sns_fields,
    sns_hook,
)
from world import World

from newsletter import feedback
from newsletter.config import VendorSettings
from newsletter.events import Heard, Hook
from newsletter.feedback import Effect
from newsletter.providers import brevo, mailjet, sendgrid, ses, vendor
from newsletter.subscribers import Status

REFUSED = "550 5.1.1 <x>: user unknown"
UNSIGNED = VendorSettings("https://example.org")


def by_ses(world: World, took: Took, kind: str) -> Heard:
    person = {"emailAddress": took.recipient, "status": "5.1.1", "diagnosticCode": f"smtp; {REFUSED}"}
    what = {
        "bounce": {"notificationType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": [person]}},
        "complaint": {"notificationType": "Complaint", "complaint": {"complainedRecipients": [person]}},
    }[kind]
    stamp = world.now.isoformat()
    fields = sns_fields(
        "2",
        Message=json.dumps(
            {"mail": {"messageId": took.ident, "headers": [{"name": "Message-ID", "value": took.tag}]}, **what}
        ),
        Timestamp=stamp,
    )
    return ses.hear(sns_hook(fields), SES_SETTINGS, at=world.now, fetch=Amazon())


def by_sendgrid(world: World, took: Took, kind: str) -> Heard:
    found = sendgrid_event(
        {"bounce": "bounce", "complaint": "spamreport", "leave": "unsubscribe"}[kind],
        email=took.recipient,
        sg_message_id=f"{took.ident}.recvd-5d.1",
        message_id=took.tag,
        reason=REFUSED,
        timestamp=world.now.timestamp(),
    )
    return sendgrid.hear(sendgrid_hook([found], at=world.now), sendgrid_settings(), at=world.now)


def by_brevo(world: World, took: Took, kind: str) -> Heard:
    found = brevos(
        {"bounce": "hard_bounce", "complaint": "spam", "leave": "unsubscribed"}[kind],
        email=took.recipient,
        reason=REFUSED,
        ts_epoch=world.now.timestamp() * 1_000,
        **{"message-id": f"<{took.ident}>", "X-Mailin-custom": took.tag},
    )
    return brevo.hear(Hook(json.dumps(found).encode()), UNSIGNED, at=world.now)


def by_mailjet(world: World, took: Took, kind: str) -> Heard:
    found = mailjets(
        {"bounce": "bounce", "complaint": "spam", "leave": "unsub"}[kind],
        email=took.recipient,
        MessageID=int(took.ident or 0),
        CustomID=took.tag,
        hard_bounce=True,
        comment=REFUSED,
        time=world.now.timestamp(),
    )
    return mailjet.hear(Hook(json.dumps([found]).encode()), UNSIGNED, at=world.now)


TELLERS: dict[str, Callable[[World, Took, str], Heard]] = {
    "ses": by_ses,
    "sendgrid": by_sendgrid,
    "brevo": by_brevo,
    "mailjet": by_mailjet,
}


@dataclass
class Sent:
    """A newsletter that went out through one vendor."""

    world: World
    fake: Fake
    tell: Callable[[Took, str], Heard]

    def take(self, took: Took, kind: str) -> list[Effect]:
        heard = self.tell(took, kind)
        source = heard.events[0].source
        taken = feedback.take_in(self.world.store, heard, source=source, fingerprint=hashed, at=self.world.now)
        return [effect for effect, count in taken.effects.items() if count]


@pytest.fixture(params=TELLERS)
def sent(request: pytest.FixtureRequest, world: World) -> Iterator[Sent]:
    with FAKES[request.param]().running() as fake:
        world.provider = vendor(fake.name).open_(fake.settings_here(), now=lambda: world.now)
        world.store.facts.go_live(fake.name, at=world.now)
        world.posts(1)
        world.join("ana@example.org", "ben@example.org", "cem@example.org")
        world.tick("2 09:00")
        assert len(fake.took) == 3
        yield Sent(world, fake, partial(TELLERS[request.param], world))


def test_what_a_vendor_tells_finds_its_letter_by_the_vendors_own_id(sent: Sent) -> None:
    first, second = (replace(took, tag="") for took in sent.fake.took[:2])
    assert sent.take(first, "bounce") == [Effect.SUPPRESSED]
    assert sent.take(first, "bounce") == [], "told twice, it counts once"
    assert sent.take(second, "complaint") == [Effect.SUPPRESSED]
    assert sent.world.reader(first.recipient).status is Status.SUPPRESSED
    assert sent.world.reader(second.recipient).status is Status.SUPPRESSED
    assert sent.world.reader(sent.fake.took[2].recipient).status is Status.ACTIVE


def test_it_is_found_by_our_message_id_when_the_vendors_is_not_known(sent: Sent) -> None:
    took = sent.fake.took[0]
    ours = took.tag or took.fields["Message-ID"]
    assert sent.take(replace(took, ident="", tag=ours), "complaint") == [Effect.SUPPRESSED]


def test_who_leaves_at_the_vendors_is_unsubscribed_here(sent: Sent) -> None:
    if sent.fake.name == "ses":
        pytest.skip("it puts no link of its own into letters, so nobody leaves there")
    took = sent.fake.took[2]
    assert sent.take(took, "leave") == [Effect.UNSUBSCRIBED]
    assert sent.world.reader(took.recipient).status is Status.UNSUBSCRIBED
