"""Opening a database, its transactions, and what is said when it can't be used."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from desk import DAY, SLOT, Desk
from sqlalchemy import RootTransaction, event, text

from newsletter.errors import StoreBusy, StoreError, StoreTooNew
from newsletter.store import Store
from newsletter.store.facts import HoldKind
from newsletter.store.marker import generation, set_generation

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


# Opening


def test_what_was_written_is_there_when_it_is_opened_again(store: Store, store_url: str) -> None:
    Desk(store).join("ana")
    store.close()
    again = Store.open(store_url)
    assert [str(r.address) for r in again.audience.readers()] == ["ana@example.org"]
    again.close()


@on_sqlite
def test_a_commit_survives_a_power_cut_and_what_is_erased_is_overwritten(empty_url: str) -> None:
    store = Store.open(empty_url)
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}  # 2 = FULL
    with store.read() as c:
        assert {name: c.scalar(text(f"PRAGMA {name}")) for name in wanted} == wanted
    store.close()


@on_sqlite
def test_a_question_does_not_make_a_database(empty_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no database yet \(newsletter\.db\)"):
        Store.open(empty_url, create=False)
    assert not (tmp_path / "newsletter.db").exists()


def test_a_database_of_a_newer_version_is_left_alone(store: Store, store_url: str) -> None:
    Desk(store).sql("UPDATE alembic_version SET version_num = '9999'")
    before = _dump(store)
    store.close()
    with pytest.raises(StoreTooNew, match="schema 9999.*upgrade") as refusal:
        Store.open(store_url)
    assert refusal.value.exit_status == 2
    assert _dump(store) == before


@on_sqlite
def test_a_file_that_is_no_database_is_refused_and_kept(empty_url: str, tmp_path: Path) -> None:
    path = tmp_path / "newsletter.db"
    path.write_bytes(b"Dear diary, this is no database. " * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"newsletter\.db: this file is not a newsletter database"):
        Store.open(empty_url)
    assert path.read_bytes() == before


@on_sqlite
def test_a_folder_is_no_database(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "newsletter.db").mkdir()
    with pytest.raises(StoreError, match="is a folder"):
        Store.open(empty_url)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"newsletter\.db: the database can't be opened; check that its folder exists"):
        Store.open(f"sqlite:///{tmp_path / 'nowhere' / 'newsletter.db'}")


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="PostgreSQL can't be reached") as refusal:
        Store.open(f"postgresql://maya:hunter2@/letters?host={tmp_path}")
    assert "hunter2" not in str(refusal.value)


def test_a_port_where_nobody_listens() -> None:
    # Port 1 (tcpmux) is served nowhere, and only root could.
    with pytest.raises(StoreError, match="PostgreSQL does not answer; is the server running"):
        Store.open("postgresql://maya@127.0.0.1:1/letters")


# Transactions


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    before = _dump(store)
    with pytest.raises(ZeroDivisionError), store.write() as c:
        c.execute(text("INSERT INTO meta (key, value) VALUES ('half', '1')"))
        raise ZeroDivisionError
    assert _dump(store) == before


def test_readers_do_not_wait_for_a_writer_and_see_what_was_committed(store: Store) -> None:
    store.facts.put("word", "before")
    with store.write() as c:
        c.execute(text("UPDATE meta SET value = '\"after\"' WHERE key = 'word'"))
        assert store.facts.get("word") == "before"
    assert store.facts.get("word") == "after"


def test_a_rehearsal_is_seen_inside_and_undone_at_the_end(store: Store) -> None:
    desk = Desk(store)
    desk.publish(1)
    desk.join("ana")
    before = _dump(store)
    with store.rehearsal():
        desk.deliver()
        assert desk.states("ana") == ["1 accepted"]
        store.facts.hold(HoldKind.OWNER, "paused", at=AT)
    assert _dump(store) == before
    assert store.facts.holds() == []


def test_a_rehearsal_is_invisible_to_others(store: Store, store_url: str) -> None:
    other = Store.open(store_url)
    with store.rehearsal():
        Desk(store).join("ana")
        assert list(other.audience.readers()) == []
    assert list(other.audience.readers()) == []
    other.close()


def test_a_rehearsal_that_fails_is_undone_too(store: Store) -> None:
    before = _dump(store)
    with pytest.raises(ZeroDivisionError), store.rehearsal():
        Desk(store).join("ana")
        raise ZeroDivisionError
    assert _dump(store) == before
    store.facts.put("word", "after")  # and the store is usable
    assert store.facts.get("word") == "after"


def test_a_failure_within_a_rehearsal_undoes_only_itself(store: Store) -> None:
    with store.rehearsal():
        store.facts.put("word", "kept")
        with pytest.raises(ZeroDivisionError), store.write() as c:
            c.execute(text("DELETE FROM meta WHERE key = 'word'"))
            raise ZeroDivisionError
        assert store.facts.get("word") == "kept"


def test_a_store_in_memory_has_the_same_tables() -> None:
    store = Store.in_memory()
    desk = Desk(store)
    desk.publish(1)
    desk.join("ana")
    desk.deliver()
    assert desk.states("ana") == ["1 accepted"]
    assert desk.verify() == []
    store.close()


# The marker against restored copies


@pytest.fixture
def marked(store_url: str, home: Path) -> Iterator[Store]:
    """A store that keeps its marker in the user's state folder, and has written."""
    opened = Store.open(store_url, state_folder=home / "state")
    opened.facts.put("word", "one")
    yield opened
    opened.close()


def test_every_commit_raises_the_generation_and_the_marker_follows(marked: Store, home: Path) -> None:
    (marker,) = (home / "state").iterdir()
    for _ in range(3):
        noted = int(marker.read_text())
        marked.facts.put("word", "more")
        assert int(marker.read_text()) == noted + 1 == _generation(marked)
    assert not marked.restored()


def test_questions_raise_nothing(marked: Store) -> None:
    before = _generation(marked)
    marked.accounts.verify()
    marked.audience.counts()
    with marked.rehearsal():
        marked.facts.put("word", "rehearsed")
    assert _generation(marked) == before


@on_sqlite
def test_an_older_copy_in_its_place_is_noticed(marked: Store, store_url: str, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "newsletter.db"
    marked.close()
    shutil.copyfile(path, tmp_path / "copy.db")
    marked.facts.put("word", "later")
    marked.close()
    shutil.copyfile(tmp_path / "copy.db", path)
    again = Store.open(store_url, state_folder=home / "state")
    assert again.restored()
    assert again.restored()  # looking changes nothing
    again.overtake_marker()
    assert not again.restored()
    again.facts.put("word", "on")
    assert not again.restored()
    again.close()


def test_an_older_generation_is_noticed(marked: Store) -> None:
    marked.facts.put("word", "two")
    with marked.engine.begin() as c:
        set_generation(c, 1)
    assert marked.restored()


@pytest.mark.parametrize("damage", ["missing", "empty", "a folder"])
def test_a_marker_that_cannot_be_read_is_no_alarm(marked: Store, home: Path, damage: str) -> None:
    (marker,) = (home / "state").iterdir()
    marker.unlink()
    if damage == "empty":
        marker.touch()
    elif damage == "a folder":
        marker.mkdir()
    assert not marked.restored()
    marked.facts.put("word", "goes on")
    marked.overtake_marker()
    assert marked.facts.get("word") == "goes on"


def test_without_a_state_folder_the_run_goes_on(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = Store.open(store_url, state_folder=tmp_path / "file")
    store.facts.put("word", "goes on")
    assert not store.restored()
    store.close()


@on_sqlite
def test_a_copy_of_the_project_elsewhere_is_no_older_copy(marked: Store, home: Path, tmp_path: Path) -> None:
    marked.close()
    shutil.copyfile(tmp_path / "newsletter.db", tmp_path / "copy.db")
    marked.facts.put("word", "later")
    other = Store.open(f"sqlite:///{tmp_path / 'copy.db'}", state_folder=home / "state")
    assert not other.restored()
    other.close()


# Trouble


def _connecting(store: Store, *pragmas: str) -> None:
    """Have every connection from now on begin with *pragmas*."""

    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        for pragma in pragmas:
            connection.execute(pragma)

    store.engine.dispose()
    event.listen(store.engine, "connect", prepare)


def test_a_second_ctrl_c_within_a_commit_is_still_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLAlchemy would say that its transaction is still active, which is nothing that a command expects."""

    def interrupted(_transaction: RootTransaction) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), store.write() as c:
        c.execute(text("UPDATE meta SET value = value"))
        monkeypatch.setattr(RootTransaction, "_deactivate_from_connection", interrupted)
    store.facts.put("word", "one")
    assert store.facts.get("word") == "one"


@on_sqlite
def test_a_locked_database_is_busy_and_can_still_be_read(store: Store, tmp_path: Path) -> None:
    Desk(store).join("ana")
    _connecting(store, "PRAGMA busy_timeout=20")
    before = _dump(store)
    with closing(sqlite3.connect(tmp_path / "newsletter.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match=r"newsletter\.db: another program keeps the database locked") as refusal:
            store.facts.put("word", "one")
        assert refusal.value.exit_status == 75
        assert store.audience.counts()["active"] == 1
        other.execute("ROLLBACK")
    assert _dump(store) == before
    store.facts.put("word", "one")


@on_sqlite
def test_a_full_disk_changes_nothing(store: Store) -> None:
    desk = Desk(store)
    desk.publish(1)
    desk.join("ana")
    desk.plan()
    (pages,) = desk.ask("PRAGMA page_count")[0]
    _connecting(store, f"PRAGMA max_page_count={pages}")
    before = _dump(store)
    with pytest.raises(StoreError, match=r"newsletter\.db: the disk is full; make room and run it again"):
        desk.join(*(f"reader{n}" for n in range(3_000)))
    assert _dump(store) == before
    assert desk.verify() == []
    _connecting(store, "PRAGMA max_page_count=1000000")
    desk.join(*(f"reader{n}" for n in range(3_000)))
    assert store.audience.counts()["active"] == 3_001


@on_sqlite
def test_a_database_that_may_only_be_read_can_be_read(store: Store, tmp_path: Path) -> None:
    # Permissions do not stop root; SQLite's own mode does.
    Desk(store).join("ana")
    only = Store.open(f"sqlite:///file:{tmp_path / 'newsletter.db'}?mode=ro&uri=true")
    assert only.audience.counts()["active"] == 1
    with pytest.raises(StoreError, match="can't be written; check who owns the file"):
        only.facts.put("word", "one")
    only.close()
    assert store.facts.get("word") is None


@pytest.mark.postgres
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_server_that_takes_no_writes(store: Store) -> None:
    with store.engine.begin() as c:
        c.execute(text(f'ALTER DATABASE "{store.engine.url.database}" SET default_transaction_read_only = on'))
    store.close()
    with pytest.raises(StoreError, match="open for reading only"):
        store.facts.put("word", "one")
    assert store.audience.counts()["active"] == 0


@on_sqlite
def test_a_damaged_database_is_said_to_be_damaged(store: Store, store_url: str, tmp_path: Path) -> None:
    Desk(store).join(*(f"reader{n}" for n in range(500)))
    store.scrub()
    store.close()
    with (tmp_path / "newsletter.db").open("r+b") as file:
        file.seek(200)  # past the header that says what file this is
        file.write(os.urandom(100_000))
    with pytest.raises(StoreError, match=r"newsletter\.db: the database is damaged; restore a backup"):
        Store.open(store_url)


# Facts


def test_facts_are_kept_as_they_were(store: Store) -> None:
    value = {"digest": "x", "bad": ["row 3: “ä”"], "n": 2**60}
    store.facts.put("thing", value)
    assert store.facts.get("thing") == value
    store.facts.put("thing", None)
    assert store.facts.get("thing") is None


def test_holds_keep_their_beginning_and_are_lifted_by_kind(store: Store) -> None:
    store.facts.hold(HoldKind.BACKLOG, "many", at=AT)
    store.facts.hold(HoldKind.OWNER, "paused", at=AT + DAY)
    store.facts.hold(HoldKind.BACKLOG, "more", at=AT + 2 * DAY)
    found = [(h.kind, h.since, h.reason, h.stops_all) for h in store.facts.holds()]
    assert found == [(HoldKind.BACKLOG, AT, "more", False), (HoldKind.OWNER, AT + DAY, "paused", True)]
    store.facts.lift([HoldKind.BACKLOG], at=AT + 3 * DAY)
    assert [h.kind for h in store.facts.holds()] == [HoldKind.OWNER]


def test_an_owner_s_pause_shifts_the_readers_clock(store: Store) -> None:
    desk = Desk(store, every=7)
    desk.publish(1, 2)
    desk.join("ana")
    desk.deliver()
    store.facts.hold(HoldKind.OWNER, "paused", at=SLOT + DAY)
    store.facts.lift([HoldKind.OWNER], at=SLOT + 4 * DAY)
    desk.at = SLOT + 7 * DAY
    assert desk.plan().planned == {}
    desk.at = SLOT + 10 * DAY
    assert desk.plan().planned == {2: 1}


def test_a_provider_goes_live_once_and_stays_so(store: Store) -> None:
    assert store.facts.went_live("smtp") is None
    store.facts.go_live("smtp", at=AT)
    store.facts.go_live("other", at=AT + DAY)
    assert (store.facts.went_live("smtp"), store.facts.went_live("other")) == (AT, AT + DAY)


def _generation(store: Store) -> int:
    with store.read() as c:
        return generation(c)


def _dump(store: Store) -> dict[str, list[Any]]:
    """Every row of every table."""
    from newsletter.store.schema import metadata

    with store.engine.connect() as c:
        return {t.name: sorted(map(repr, c.execute(t.select()).all())) for t in metadata.sorted_tables}
