"""Carrying a ledger to PostgreSQL and back: nothing is lost on the way, and there are never two."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from postgres import Server
from sqlalchemy import Connection, Table, text
from world import World

from newsletter.errors import StoreBusy, StoreError, StoreMoved
from newsletter.store import Store, fence, moving
from newsletter.store.moving import TABLES, move

pytestmark = pytest.mark.postgres


@pytest.fixture
def there(postgres: Server) -> Iterator[str]:
    """An empty database."""
    with postgres.database() as name:
        yield postgres.url(name)


@pytest.fixture
def here(tmp_path: Path) -> str:
    """A ledger in SQLite with readers, posts and what was sent to them."""
    (tmp_path / "project").mkdir()
    url = f"sqlite:///{tmp_path / 'project' / 'newsletter.db'}"
    store = Store.open(url, state_folder=tmp_path / "state")
    world = World(tmp_path / "project", store)
    world.posts(1, 2, 3)
    world.crowd(30)
    world.run("2 09:00", "11 09:00")
    store.close()
    return url


def carried(here: str, there: str, tmp_path: Path) -> moving.Moved:
    source, target = (Store.half_open(url, state_folder=tmp_path / "state") for url in (here, there))
    try:
        return move(source, target)
    finally:
        source.close()
        target.close()


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    store = Store.half_open(url)
    with store.engine.connect() as c:
        found = {t.name: sorted(map(repr, moving._rows(c, t))) for t in TABLES}
    store.close()
    return found  # type: ignore[return-value]


def test_every_row_arrives_and_the_accounts_balance(here: str, there: str, tmp_path: Path) -> None:
    before = contents(here)
    assert before["delivery"]
    moved = carried(here, there, tmp_path)
    assert contents(there) == before
    assert moved.tables["delivery"].rows == len(before["delivery"]) == sum(moved.states.values())
    store = Store.open(there)
    assert store.accounts.verify() == []
    store.close()


def test_new_rows_are_numbered_after_those_that_came(here: str, there: str, tmp_path: Path) -> None:
    carried(here, there, tmp_path)
    (tmp_path / "other").mkdir()
    world = World(tmp_path / "other", store := Store.open(there))
    world.crowd(40, start=30)
    assert store.audience.counts()["active"] == 70
    assert store.accounts.verify() == []
    store.close()


def test_whoever_opens_the_old_file_is_told_where_to(here: str, there: str, tmp_path: Path) -> None:
    carried(here, there, tmp_path)
    with pytest.raises(StoreMoved, match=r"postgresql://.*\[store\]"):
        Store.open(here)


def test_a_program_that_had_the_old_file_open_writes_nothing_more(here: str, there: str, tmp_path: Path) -> None:
    running = Store.open(here)
    carried(here, there, tmp_path)
    with pytest.raises(StoreMoved, match="moved to postgresql://"):
        running.facts.put("x", 1)
    with pytest.raises(StoreMoved, match=r"postgresql://.*\(with its password\) ends it"):
        running.stay()  # which the figures of a server ask for
    running.close()


def test_a_copy_from_before_the_move_is_known_when_it_is_put_back(here: str, there: str, tmp_path: Path) -> None:
    file = Path(here.removeprefix("sqlite:///"))
    shutil.copyfile(file, tmp_path / "copy.db")
    carried(here, there, tmp_path)
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").unlink(missing_ok=True)
    shutil.copyfile(tmp_path / "copy.db", file)
    with pytest.raises(StoreMoved, match="postgresql://"):
        Store.open(here, state_folder=tmp_path / "state")


def test_a_copy_from_before_the_move_is_not_carried_elsewhere(
    here: str, there: str, postgres: Server, tmp_path: Path
) -> None:
    file = Path(here.removeprefix("sqlite:///"))
    shutil.copyfile(file, tmp_path / "copy.db")
    carried(here, there, tmp_path)
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").unlink(missing_ok=True)
    shutil.copyfile(tmp_path / "copy.db", file)
    with postgres.database() as name, pytest.raises(StoreMoved, match="newsletter move"):
        carried(here, postgres.url(name), tmp_path)


def test_typed_again_it_says_that_it_is_done(here: str, there: str, tmp_path: Path) -> None:
    first = carried(here, there, tmp_path)
    again = carried(here, there, tmp_path)
    assert again.tables == {} and again.states == first.states


def test_a_database_with_something_in_it_is_refused(here: str, there: str, tmp_path: Path) -> None:
    store = Store.open(there)
    store.facts.put("x", 1)
    store.close()
    with pytest.raises(StoreError, match="Nothing was changed"):
        carried(here, there, tmp_path)
    Store.open(here).close()  # and the old one goes on


def test_there_and_back(here: str, there: str, tmp_path: Path) -> None:
    before = contents(here)
    carried(here, there, tmp_path)
    back = f"sqlite:///{tmp_path / 'back.db'}"
    carried(there, back, tmp_path)
    assert contents(back) == before
    with pytest.raises(StoreMoved, match="sqlite://"):
        Store.open(there)
    store = Store.open(back, state_folder=tmp_path / "state")
    assert store.accounts.verify() == []
    store.close()


def test_who_is_at_work_in_postgresql_is_waited_for_but_not_for_ever(
    here: str, there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried(here, there, tmp_path)
    monkeypatch.setattr(moving, "_QUIET", "50ms")
    back, working = f"sqlite:///{tmp_path / 'back.db'}", Store.open(there)
    with working.write() as c:
        c.execute(text("UPDATE subscriber SET name = 'x'"))
        with pytest.raises(StoreBusy, match="stop workers and servers.*Nothing was changed"):
            carried(there, back, tmp_path)
    carried(there, back, tmp_path)
    working.close()


MOMENTS = ["_prepare", "_carry", "_compare", "put_mark", "shut", "leave_note", "open_gate"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_point_it_goes_on_when_typed_again(
    moment: str, after: bool, here: str, there: str, tmp_path: Path
) -> None:
    before = contents(here)
    if not (pid := os.fork()):
        _die_at(moment, after)
        carried(here, there, tmp_path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert sum(_lives(url, tmp_path) for url in (here, there)) <= 1
    carried(here, there, tmp_path)
    assert contents(there) == before
    assert not _lives(here, tmp_path) and _lives(there, tmp_path)


def _die_at(moment: str, after: bool) -> None:
    place = moving if hasattr(moving, moment) else fence
    real = getattr(place, moment)

    def dying(*given: object) -> object:
        found = real(*given) if after else None
        os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(place, moment, dying)


def _lives(url: str, tmp_path: Path) -> bool:
    """Whether *url* has a ledger that would be used."""
    store = Store.half_open(url)
    with store.engine.connect() as c:
        empty = not fence.version(c)
        used = not empty and fence.version(c) not in (fence.MOVED, fence.ARRIVING)
        found = used and bool(c.scalar(text("SELECT COUNT(*) FROM subscriber")))
    store.close()
    return found


def test_a_row_that_changes_on_the_way_undoes_the_move(
    here: str, there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill, before = moving._fill, contents(here)

    def spoilt(c: Connection, table: Table, rows: Iterator[tuple[Any, ...]]) -> None:
        fill(c, table, iter([(*row[:-1], "spoilt") for row in rows]) if table.name == "meta" else rows)

    with monkeypatch.context() as patch:
        patch.setattr(moving, "_fill", spoilt)
        with pytest.raises(StoreError, match="the table meta arrived with"):
            carried(here, there, tmp_path)
    carried(here, there, tmp_path)  # nothing was changed, so it may be tried again
    assert contents(there) == before
