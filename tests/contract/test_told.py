"""From a letter that was accepted to what came back of it, through each vendor's own way of telling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from desk import hashed
from fake import Fake, Took
from fakes import FAKES
from tell import heard
from world import World

from newsletter import feedback
from newsletter.feedback import Effect
from newsletter.providers import vendor
from newsletter.subscribers import Status


@dataclass
class Sent:
    """A newsletter that went out through one vendor."""

    world: World
    fake: Fake

    def take(self, took: Took, kind: str) -> list[Effect]:
        told, source = heard(self.fake.name, took, kind, at=self.world.now), self.fake.name
        taken = feedback.take_in(self.world.store, told, source=source, fingerprint=hashed, at=self.world.now)
        return [effect for effect, count in taken.effects.items() if count]


@pytest.fixture(params=["ses", "sendgrid", "brevo", "mailjet"])
def sent(request: pytest.FixtureRequest, world: World) -> Iterator[Sent]:
    with FAKES[request.param]().running() as fake:
        world.provider = vendor(fake.name).open_(fake.settings_here(), now=lambda: world.now)
        world.store.facts.go_live(fake.name, at=world.now)
        world.posts(1)
        world.join("ana@example.org", "ben@example.org", "cem@example.org")
        world.tick("2 09:00")
        assert len(fake.took) == 3
        yield Sent(world, fake)


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
