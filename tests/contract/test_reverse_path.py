"""`bounces_to`: each delivery goes out under a reverse path of its own, the same on every attempt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from world import OWNER, SECRET, FakeProvider, World

from newsletter.mail import Address, Deferred, Message, Outcome, Reply
from newsletter.verp import ReversePaths

BOUNCES = Address.parse("bounces@example.org")
LATER = Deferred(Reply(451, "4.3.0", "later"))


class Recording(FakeProvider):
    """Remembers under which reverse path each address was written to."""

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        for message, outcome in super().submit(messages):
            self.paths.setdefault(str(message.envelope.recipient), []).append(str(message.envelope.sender))
            yield message, outcome

    @property
    def paths(self) -> dict[str, list[str]]:
        return self.__dict__.setdefault("_paths", {})


@pytest.fixture
def provider(world: World) -> Recording:
    world.provider = Recording(world)
    world.posts(1, 2)
    world.join("ana@example.org", "ben@example.org", at_once=True)
    return world.provider


def test_each_delivery_has_its_own_and_keeps_it(world: World, provider: Recording) -> None:
    world.config = replace(world.config, identity=replace(world.config.identity, bounces_to=BOUNCES))
    provider.answers["ana@example.org"] = [LATER, LATER]
    for at in ("2 09:00", "2 10:00", "2 12:00"):
        world.tick(at)
    paths = ReversePaths(SECRET, BOUNCES, world.config.identity.list_id)
    for address, attempts in (("ana@example.org", 3), ("ben@example.org", 1)):
        (record,) = world.history(address)
        assert provider.paths[address] == [str(paths.path(record.id))] * attempts


def test_without_the_setting_it_is_the_sender(world: World, provider: Recording) -> None:
    world.tick("2 09:00")
    assert provider.paths["ana@example.org"] == ["maya@letters.example.org"]


def test_the_bytes_of_a_message_do_not_tell_of_it(world: World, provider: Recording) -> None:
    world.config = replace(world.config, identity=replace(world.config.identity, bounces_to=BOUNCES))
    world.tick("2 09:00")
    assert b"bounces" not in world.letters("ana@example.org")[0].data


def test_an_alert_comes_back_to_the_same_mailbox_without_a_token(world: World, provider: Recording) -> None:
    world.config = replace(world.config, identity=replace(world.config.identity, bounces_to=BOUNCES))
    world.alert_owner()
    world.tick("2 09:00")
    world.tick("9 09:00")
    assert provider.paths[OWNER] == ["bounces@example.org"]
