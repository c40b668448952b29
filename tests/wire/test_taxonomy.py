"""The whole table of replies, from the wire to the ledger: what a mail server does at each step, and what is on record.

Each row is one sentence. A real provider talks to the scripted server in a real tick; then the server is well again and
an hour goes by. `after` is what the ledger says of both readers right after the trouble, `later` an hour later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from servers import Act, Fault, Scripted, Slowly, ThenDrop
from world import ANA, BO, HOUR, World

from newsletter.config import Security, SmtpSettings
from newsletter.providers.smtp import Smtp
from newsletter.store import Store

GARBAGE = b"what do you want?\r\n"
#: Ways to say nothing that makes sense.
MUTE: dict[str, Act] = {
    "drops": Fault.DROP,
    "resets": Fault.RESET,
    "hangs": Fault.HANG,
    "talks garbage": GARBAGE,
    "sends a reply without an end": Fault.ENDLESS,
    "sends a reply of two codes": b"250-yes\r\n550 no\r\n",
}
#: Ways to say the same refusal.
FORMS = {
    "": lambda words: words,
    ", in several lines": lambda words: words[:3] + b"-" + words[4:] + words,
    ", byte by byte": Slowly,
    ", and hangs up": ThenDrop,
}
US = ("banner", "EHLO", "STARTTLS", "AUTH", "MAIL")  #: steps at which everything is about us


@dataclass(frozen=True)
class Row:
    """One sentence of the table."""

    id: str
    step: str
    act: Act
    after: str  #: Ana's and Bo's states
    told: str  #: a word of what the owner is told; "" = nothing
    later: str = "accepted accepted"
    copies: int = 1  #: at most, of each letter
    suppressed: bool = False


def _rows() -> Iterator[Row]:
    untouched = "planned planned"
    for step in US:
        for way, act in MUTE.items():
            yield Row(f"at {step} it {way}: untouched", step, act, untouched, "the mail server")
        code = {"banner": 554, "AUTH": 535}.get(step, 550)
        for form, made in FORMS.items():
            temporary, permanent = made(b"451 4.3.0 later\r\n"), made(f"{code} 5.7.1 no\r\n".encode())
            yield Row(f"at {step} it defers us{form}: untouched", step, temporary, untouched, "is busy")
            yield Row(f"at {step} it refuses us{form}: untouched", step, permanent, untouched, "said")
    for step in ("RCPT", "DATA"):
        for way, act in MUTE.items():
            yield Row(f"at {step} it {way}, again and again: untouched", step, [act] * 9, untouched, "breaks off")
    for way, act in MUTE.items():
        yield Row(f"after the dot it {way}: in doubt", "dot", [act], "uncertain accepted", "", copies=2)
    for form, made in FORMS.items():
        for step in ("RCPT", "DATA", "dot"):
            yield Row(f"at {step} it defers{form}", step, [made(b"450 4.2.0 greylisted\r\n")], "deferred accepted", "")
        gone, full = made(b"550 5.1.1 User unknown\r\n"), made(b"552 5.2.2 mailbox full\r\n")
        yield Row(
            f"at RCPT it says that nobody lives there{form}: rejected, suppressed", "RCPT", [gone], "rejected accepted",
            "", later="rejected accepted", suppressed=True,
        )  # fmt: skip
        yield Row(f"at RCPT it says that the mailbox is full{form}: deferred", "RCPT", [full], "deferred accepted", "")
        relay = made(b"554 5.7.1 Relay access denied\r\n")
        yield Row(f"at RCPT it denies us the relay{form}: untouched", "RCPT", [relay] * 2, untouched, "refuses us")
        policy = made(b"550 5.7.1 recipient policy\r\n")
        yield Row(
            f"at RCPT it has a policy{form}: rejected, not suppressed", "RCPT", [policy], "rejected accepted", "",
            later="rejected accepted",
        )  # fmt: skip
        for step in ("DATA", "dot"):
            spam = made(b"554 5.7.1 looks like spam\r\n")
            yield Row(
                f"at {step} it refuses the message{form}: rejected, not suppressed", step, [spam], "rejected accepted",
                "", later="rejected accepted",
            )  # fmt: skip
    for step, after in (("RSET", "deferred accepted"), ("QUIT", "accepted accepted")):
        for way, act in {**MUTE, "refuses": b"500 5.5.1 what\r\n"}.items():
            yield Row(f"at {step} it {way}: nobody cares", step, act, after, "")


@pytest.fixture
def world(sqlite_template: Path, tmp_path: Path) -> Iterator[World]:
    """Ana and Bo, whose first post is due at nine."""
    (tmp_path / "project").mkdir()
    (tmp_path / "newsletter.db").write_bytes(sqlite_template.read_bytes())
    store = Store.open(f"sqlite:///{tmp_path / 'newsletter.db'}")
    made = World(tmp_path / "project", store)
    made.posts(1)
    made.join(ANA, BO)
    store.facts.go_live("smtp", at=made.now)
    yield made
    store.close()


def provider(server: Scripted, seconds: float, security: Security = Security.NONE) -> Smtp:
    settings = SmtpSettings(port=server.port, security=security, connections=1, username="maya", password="secret")
    return Smtp(replace(settings, timeout=timedelta(seconds=seconds)), final_timeout=timedelta(seconds=seconds))


def states(world: World) -> str:
    return " ".join(state for who in (ANA, BO) for _, state, _ in world.states(who))


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in _rows()])
def test_what_a_server_does_is_on_record_as_it_is(row: Row, world: World) -> None:
    acts = row.act if isinstance(row.act, list) else [row.act]
    patience = 0.3 if Fault.HANG in acts else 5
    script = {row.step: row.act} | ({"RCPT": [b"450 4.2.0 later\r\n"]} if row.step == "RSET" else {})
    tls = Security.STARTTLS if row.step == "STARTTLS" else Security.NONE
    with Scripted(script, extensions=["AUTH PLAIN", "STARTTLS"]) as server:
        world.provider = provider(server, patience, tls)  # type: ignore[assignment]
        world.tick("2 09:00")
        assert states(world) == row.after
        assert row.told in world.notes if row.told else world.ticks[-1].stopped == []
        attempts = [r.attempts for who in (ANA, BO) for r in world.history(who)]
        if row.after == "planned planned":
            assert attempts == [0, 0]  # as if nobody had tried
        server.script.clear()
        world.provider = provider(server, 5)  # type: ignore[assignment]
        world.tick(world.now + HOUR)
        assert states(world) == row.later
        copies = Counter(who for who, _ in server.took)
        assert max(copies.values()) <= row.copies
        assert all(copies[who] for who, state in zip((ANA, BO), row.later.split(), strict=True) if state == "accepted")
    assert (world.reader(ANA).status == "suppressed") == row.suppressed
    world.check()
