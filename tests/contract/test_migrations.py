"""Migrating gives the schema this version was written for, on both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from newsletter.errors import StoreError
from newsletter.store import HEAD, Store, migrations, stirring
from newsletter.store.engine import make_engine
from newsletter.store.marker import generation
from newsletter.store.schema import metadata


def test_the_migrated_schema_is_the_declared_one(empty_url: str) -> None:
    store = Store.open(empty_url)
    with store.engine.connect() as c:
        context = MigrationContext.configure(c, opts={"compare_type": True, "include_object": _declared_here(c)})
        assert compare_metadata(context, metadata) == []
    store.close()


def _declared_here(c: Connection) -> Callable[..., bool]:
    """Whether a constraint is declared for this kind of database."""

    def declared(item: Any, _name: str, kind: str, _reflected: bool, _other: Any) -> bool:
        only = getattr(item, "_ddl_if", None)
        return kind != "foreign_key_constraint" or only is None or only.dialect == c.dialect.name

    return declared


def test_the_indexes_are_the_declared_ones_with_their_conditions(empty_url: str) -> None:
    """What Alembic does not compare: the conditions of partial indexes, checks, defaults."""
    store = Store.open(empty_url)
    migrated = _definitions(store)
    with store.engine.begin() as c:
        metadata.drop_all(c)
        metadata.create_all(c)
        stirring.install(c)
    assert _definitions(store) == migrated
    assert any("uq_delivery_open" in d and "WHERE" in d for d in migrated)
    store.close()


def _definitions(store: Store) -> list[str]:
    if store.engine.dialect.name == "sqlite":
        question = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
    else:
        question = (
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
            " UNION ALL SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'"
        )
    with store.engine.connect() as c:
        # A table's own clauses may stand in any order.
        return sorted(" ".join(sorted(row[0].replace(",", " ").split())) for row in c.execute(text(question)))


def test_head_is_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_database_is_migrated_once_and_keeps_its_name(empty_url: str) -> None:
    store = Store.open(empty_url)
    question = text("SELECT value FROM meta WHERE key = 'id'")
    with store.read() as c:
        name = c.scalar(question)
    store.close()
    again = Store.open(empty_url)
    with again.read() as c:
        assert c.scalar(question) == name
        assert c.scalar(text("SELECT COUNT(*) FROM alembic_version")) == 1
    again.close()
    assert len(str(name)) == 32


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    engine = make_engine(empty_url)
    with engine.begin() as c:
        c.execute(text("CREATE TABLE attempt (mine INTEGER)"))  # somebody else's, in the way of the last of ours
    with pytest.raises(StoreError, match="attempt.* already exists"):
        Store.open(empty_url)
    assert inspect(engine).get_table_names() == ["attempt"]
    engine.dispose()


def test_two_programs_that_open_an_empty_database_at_once_both_can(empty_url: str) -> None:
    code = (
        "import sys; from newsletter.store import Store\n"
        "sys.stdin.readline(); s = Store.open(sys.argv[1]); s.facts.put(sys.argv[2], 1); s.close()"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code, empty_url, f"p{n}"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for n in range(4)
    ]
    for p in programs:
        assert p.stdin
        p.stdin.write(b"\n")
        p.stdin.flush()
    for p in programs:
        assert (p.communicate()[1].decode(), p.returncode) == ("", 0)
    engine = create_engine(make_engine(empty_url).url)
    with engine.connect() as c:
        found = {r[0]: r[1] for r in c.execute(text("SELECT key, value FROM meta"))}
        assert generation(c) == 4
    engine.dispose()
    assert {"p0", "p1", "p2", "p3", "id"} < set(found)


@pytest.mark.postgres
@pytest.mark.parametrize("database", ["postgresql"])
def test_a_worker_of_the_version_before_that_commits_after_the_upgrade_makes_no_restored_copy(empty_url: str) -> None:
    engine = make_engine(empty_url)
    with engine.begin() as c:
        migrations.upgrade(c, to="0010")
        c.execute(text("INSERT INTO meta (key, value) VALUES ('generation', '7')"))
    with engine.begin() as c:
        migrations.upgrade(c)
        assert generation(c) > 7 + 1_000  # what it still raises the row to, and notes in the marker
    engine.dispose()
