"""The owner's commands on a real PostgreSQL: the same answers, and a sentence when the server is away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import NotInstalled, Server, running
from practice import Practice
from sqlalchemy import text
from typist import Typed

from newsletter.errors import StoreError
from newsletter.store import Store

pytestmark = pytest.mark.postgres
SECRET = "correct-horse"


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    """An empty database, with a password that the server does not ask for."""
    with postgres.database() as name:
        yield f"postgresql://postgres:{SECRET}@/{name}?host={postgres.folder}"


def readers(project: Path, *addresses: str) -> None:
    (project / "subscribers.csv").write_text("email\n" + "\n".join(addresses) + "\n")


COMMANDS = (
    "history ana@example.org", "status", "plan", "send", "report", "verify", "health", "subscribers list", "subscribers add dee@example.org",
    "subscribers pause ana@example.org", "subscribers resume ana@example.org", "subscribers export", "who-got 1",
    "history ana@example.org", "suppressions list", "pause", "resume", "posts", "check", "resend 1 --missing --yes",
    "subscribers import old.csv --confirmed --yes", "subscribers imports", "subscribers duplicates",
    "subscribers unsubscribe bo@example.org", "subscribers erase bo@example.org --yes", "prune --yes",
)  # fmt: skip


@pytest.mark.parametrize("how", ["variable", "file", "settings"])
def test_every_command_answers_as_on_sqlite(
    how: str, url: str, project: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers(project, "ana@example.org", "bo@example.org")
    (project / "old.csv").write_text("email\neve@example.org\nana+x@example.org\n")
    settings = project / "newsletter.toml"
    before = [(line, typed(*line.split())) for line in COMMANDS]
    assert [answer.status for _, answer in before[:6]] == [0] * 6
    if how == "variable":
        monkeypatch.setenv("NEWSLETTER_STORE_URL", url)
    else:
        line = f'url = "{url}"' if how == "settings" else 'url_file = "store-url.txt"'
        settings.write_text(settings.read_text().replace('url = "sqlite:///newsletter.db"', line))
        (project / "store-url.txt").write_text(url + "\n")
        (project / "store-url.txt").chmod(0o600)
    for line, sqlite in before:
        answer = typed(*line.split())
        assert answer.status == sqlite.status, (line, answer.out, answer.err)
        assert SECRET not in answer.out + answer.err
        assert _timeless(answer.out) == _timeless(sqlite.out), line


def _timeless(words: str) -> str:
    return re.sub(r"\d\d:\d\d(:\d\d\.\d+)?", "00:00", words)


def test_moving_there_and_what_the_old_file_says(url: str, project: Path, typed: Typed) -> None:
    readers(project, "ana@example.org", "bo@example.org")
    sent = typed("send")
    assert sent.status == 0, sent.err
    key = (project / "secret.key").read_text()
    moved = typed("move", "--to", url)
    assert moved.status == 0, moved.err
    assert "2 readers" in moved.out and 'url_file = "store-url.txt"' in moved.out
    assert SECRET not in moved.out + moved.err
    assert (project / "store-url.txt").stat().st_mode & 0o777 == 0o600
    for line in ("send", "status", "subscribers add x@example.org", "verify", "plan"):
        refused = typed(*line.split())
        assert refused.status == 2, (line, refused)
        assert "postgresql://postgres@/" in refused.err and "[store]" in refused.err
        assert SECRET not in refused.out + refused.err
    again = typed("move", "--to", url)
    assert again.status == 0 and "already" in again.out
    settings = project / "newsletter.toml"
    settings.write_text(settings.read_text().replace('url = "sqlite:///newsletter.db"', 'url_file = "store-url.txt"'))
    listed = typed("subscribers", "list")
    assert listed.status == 0 and "ana@example.org" in listed.out
    assert typed("verify").status == 0
    assert (project / "secret.key").read_text() == key


def test_a_move_needs_a_place_of_another_kind(project: Path, typed: Typed) -> None:
    readers(project, "ana@example.org")
    assert typed("move").status == 2
    typed("send")
    assert "newsletter backup" in typed("move", "--to", "sqlite:///other.db").err
    assert not (project / "other.db").exists()
    wrong = typed("move", "--to", f"mysql://u:{SECRET}@h/x")
    assert wrong.status == 2 and SECRET not in wrong.err


def test_a_server_that_stops_in_the_middle_is_a_sentence() -> None:
    try:
        with running(durable=True) as server:
            store = Store.open(server.url("postgres"))
            with pytest.raises(StoreError, match="went away in the middle"), store.read() as c:
                server.halt()
                c.execute(text("SELECT 1"))
            with pytest.raises(StoreError, match="can't be reached"):
                store.facts.get("x")
            server.start()
            assert store.facts.get("x") is None
            store.close()
            with pytest.raises(StoreError, match="no such database"):
                Store.open(server.url("elsewhere"))
    except NotInstalled:
        pytest.skip("PostgreSQL is not installed")


def test_a_run_whose_clock_is_not_the_servers_sends_nothing(practice: Practice, url: str) -> None:
    practice.environment["NEWSLETTER_STORE_URL"] = url  # where it is not March 2026
    refused = practice.run("send")
    assert refused.status == 1 and "behind PostgreSQL's" in refused.said
    assert not (practice.root / "outbox" / "new").exists()


def test_a_server_that_is_away_is_a_sentence(project: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with running() as server:
            monkeypatch.setenv(
                "NEWSLETTER_STORE_URL", server.url("postgres").replace("postgres@", f"postgres:{SECRET}@")
            )
            assert typed("status").status == 0
    except NotInstalled:
        pytest.skip("PostgreSQL is not installed")
    for line in ("status", "send", "subscribers list", "verify"):
        away = typed(*line.split())
        assert away.status == 1, (line, away)
        assert "can't be reached" in away.err and SECRET not in away.err and "\n" not in away.err.strip()
    asked = typed("health", "--json")
    assert asked.status == 1 and not asked.json()["ok"] and "can't be reached" in asked.json()["attention"][0]
