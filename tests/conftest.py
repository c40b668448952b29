"""What every test may ask for: a home of its own, and stores on both databases."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import wraps
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from postgres import NotInstalled, Server, running
from sqlalchemy import event

from newsletter.store import Store, planning
from newsletter.store.planning import Planned

DATABASES = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgres),
]

# `ci` holds the whole of tests/properties under two minutes on one core; HYPOTHESIS_PROFILE=night looks longer.
_CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
settings.register_profile("ci", max_examples=30, deadline=None, suppress_health_check=_CALM, print_blob=True)
settings.register_profile("night", parent=settings.get_profile("ci"), max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, whatever the order of the rest: no worker is left alone with it at the end."""
    items.sort(key=lambda item: "slow" not in item.keywords)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, and none of this machine's settings for newsletter."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    for name in [n for n in os.environ if n.startswith("NEWSLETTER_") or n == "COLUMNS"]:
        monkeypatch.delenv(name)
    return folder


@pytest.fixture(autouse=True)
def nobody_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever plans in a test is held to it that looking at few leaves nothing to plan by looking at everybody.

    The second look is a savepoint of the planning's own transaction: it costs its statements, and leaves nothing behind.
    """
    narrow = planning._Run.plan

    @wraps(narrow)
    def plan(self: planning._Run) -> Planned:
        planned = narrow(self)
        if self.only != "TRUE":  # it looked at few
            everybody = planning._Run(self.connection, self.rules, self.at, self.values["tick_before"], narrow=False)
            with self.connection.begin_nested() as undone:
                left = narrow(everybody)
                undone.rollback()
            assert not (left.planned or left.skipped), f"{planned} planned, and by looking at everybody {left} more"
        return planned

    monkeypatch.setattr(planning._Run, "plan", plan)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running PostgreSQL; each worker of pytest-xdist has its own."""
    try:
        with running() as server:
            yield server
    except NotInstalled:
        pytest.skip("PostgreSQL is not installed")


@pytest.fixture(scope="session")
def postgres_url(postgres: Server) -> str:
    """The URL of the server's own database; tests that write ask for `empty_url` or `store`."""
    return postgres.url("postgres")


@pytest.fixture(scope="session")
def postgres_template(postgres: Server) -> Iterator[str]:
    """A database with our tables, to be copied: that costs a tenth of migrating."""
    with postgres.database() as name:
        Store.open(postgres.url(name)).close()
        yield name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with our tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "newsletter.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """Which database: the test runs once for each."""
    return str(request.param)


@pytest.fixture
def empty_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own, without tables."""
    if database == "sqlite":
        yield f"sqlite:///{tmp_path / 'newsletter.db'}"
        return
    server: Server = request.getfixturevalue("postgres")
    with server.database() as name:
        yield server.url(name)


@pytest.fixture
def store_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own, with our tables and nothing in them."""
    if database == "sqlite":
        path = tmp_path / "newsletter.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: Server = request.getfixturevalue("postgres")
    with server.database(template=request.getfixturevalue("postgres_template")) as name:
        yield server.url(name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An open, empty store, on SQLite and on PostgreSQL."""
    opened = Store.open(store_url)
    if opened.engine.dialect.name == "sqlite":  # as for PostgreSQL here: no test cuts the power
        event.listen(opened.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
        opened.engine.dispose()
    yield opened
    opened.close()
