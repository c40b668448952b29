"""A worker that was frozen or cut off: what it had begun stays with it until it has leases again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from world import SECRET, World

from newsletter.config import Config
from newsletter.posts import Folder, read_folder
from newsletter.scheduler import tick
from newsletter.worker import Worker

pytestmark = pytest.mark.postgres


@pytest.fixture
def database() -> str:
    """Workers are PostgreSQL's alone."""
    return "postgresql"


@dataclass
class Desk:
    config: Config
    provider: Any
    folder: Folder
    press: Any
    secret: bytes = SECRET


@dataclass
class Watch:
    """Seconds, as the test lets them pass."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds

    def freeze(self) -> None:
        """Longer than a lease lasts."""
        self.seconds += 11


def test_a_worker_that_thaws_hands_out_nothing_before_it_has_leases_again(world: World) -> None:
    at = world.store.workers.clock() - timedelta(minutes=1)
    world.rules(at=at.time())
    world.post(1)
    world.now = at - timedelta(days=1)
    addresses = world.crowd(10)
    world.now = at + timedelta(minutes=1)
    tick(
        world.config, world.store, world.provider, SECRET, now=lambda: world.now, press=world.press,
        dispatch=lambda c, at: 1,
    )  # fmt: skip
    watch = Watch()
    desk = Desk(
        world.config,
        world.provider,
        read_folder(world.config.posts, zone=world.config.identity.timezone, at=world.config.rules.at),
        world.press,
    )
    worker = Worker(world.store, lambda: desk, stop=lambda: False, ident="one", host="here", say=print, seconds=watch)
    worker.begin()
    got = world.provider.box
    world.provider.before[addresses[2]] = watch.freeze  # while its whole batch is begun
    worker.batch(500)
    before = len(got)
    assert 0 < before < 10, "it went on with what it had begun"
    worker.batch(500)
    assert len(got) == before
    worker.beat()
    worker.batch(500)
    assert len({letter.address for letter in got}) == len(got) == 10
