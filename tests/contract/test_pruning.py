"""Old details go; who got what, the accounts and every doubt stay. On both databases."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from world import World, when

from newsletter.errors import ConfigError
from newsletter.store import pruning

LATER = when("6-1 09:00")


@pytest.fixture
def old(world: World) -> World:
    """Three posts, accepted long ago by 20 readers."""
    world.posts(1, 2, 3)
    world.crowd(20)
    world.run("2 09:00", "12 09:00")
    assert world.store.accounts.counts()["accepted"] == 60
    return world


def told(world: World) -> list[tuple[str, int, str]]:
    return [(r.address, r.post, r.state) for n in (1, 2, 3) for r in world.store.accounts.who_got(n)]


def test_who_got_what_and_the_accounts_stay(old: World) -> None:
    before, counts = told(old), old.store.accounts.counts()
    found = pruning.count(old.store, before=LATER)
    assert found["attempt"] == 60
    assert pruning.prune(old.store, before=LATER) == found
    assert told(old) == before and old.store.accounts.counts() == counts
    assert old.store.accounts.verify() == []
    assert pruning.count(old.store, before=LATER) == dict.fromkeys(pruning.OLD, 0)
    pruning.make_room(old.store)


def test_an_attempt_that_is_lost_elsewhere_still_shows(old: World) -> None:
    pruning.prune(old.store, before=when("3 00:00"))
    with old.store.write() as c:
        c.execute(text("DELETE FROM attempt WHERE delivery_id = (SELECT MAX(delivery_id) FROM attempt)"))
    assert any("accounted for" in line for line in old.store.accounts.verify())
    with old.store.write() as c:  # so that the world's own check balances
        c.execute(text("DELETE FROM attempt"))
        c.execute(text("UPDATE meta SET value = '9000000000000000' WHERE key = 'pruned'"))


def test_what_is_young_or_was_ever_in_doubt_stays(old: World) -> None:
    assert pruning.count(old.store, before=old.now - timedelta(days=365))["attempt"] == 0
    with old.store.write() as c:
        c.execute(text("UPDATE delivery SET resent = 1 WHERE number = 2"))
        # The provider said that the first had not arrived: sent again, and no double.
        ids = "SELECT id FROM delivery WHERE number = 3"
        c.execute(text(f"UPDATE attempt SET outcome = 'uncertain' WHERE delivery_id IN ({ids})"))
    assert pruning.prune(old.store, before=LATER)["attempt"] == 20
    assert old.store.accounts.verify() == []


def test_the_archive_has_every_row_that_goes(old: World, tmp_path: Path) -> None:
    file = tmp_path / "old.jsonl.gz"
    pruning.archive(old.store, file, before=LATER)
    rows = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert len([r for r in rows if r["table"] == "attempt"]) == 60
    assert all(r["outcome"] == "accepted" for r in rows if r["table"] == "attempt")
    with pytest.raises(ConfigError, match="exists already"):
        pruning.archive(old.store, file, before=LATER)
