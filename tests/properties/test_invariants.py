"""The invariants of the sequence rules, as properties of random lives, through `scheduler.tick`.

    1 nothing accepted twice      5 nothing before its slot or outside the hours    9 see test_slots.py
    2 numbers increase            6 a crash loses and doubles nothing              10 one recipient a message
    3 min_gap                     7 ticking k times in a minute equals once        11 `plan` forecasts the next tick
    4 nothing to whom may not     8 any script keeps 1 to 3                        12, 13 see below

What is judged is what the provider accepted (`life.Judge`); the ledger's own proof, `verify`, must agree.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, time, timedelta
from email import message_from_bytes, policy
from email.headerregistry import AddressHeader
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from crashes import CrashError, Fate, crashing
from hypothesis import assume, given
from hypothesis import strategies as st
from life import DAY, HOUR, MINUTE, READING, STARTS, WRITING, ZONES, Life, last_slot, rules, scripts
from world import GREYLISTED, LOST, NO_SUCH_USER, SECRET, SPAM, SearchableProvider, World

from newsletter.config import Mode, OnUncertain, Rules
from newsletter.errors import NewsletterError, ProviderError
from newsletter.mail import Mailbox, Message
from newsletter.press import Press
from newsletter.scheduler import Tick
from newsletter.store import Store
from newsletter.store.schema import metadata
from newsletter.subscribers import Cause, Row, Status

starts, zones = st.sampled_from(STARTS), st.sampled_from(ZONES)
readers = st.lists(zones, min_size=1, max_size=3)


@contextmanager
def living(chosen: Rules, zone: str, start: datetime, *, posts: int = 4, joined: list[str]) -> Iterator[Life]:
    """A life in memory; at its end the ledger must find that its own accounts balance."""
    with TemporaryDirectory() as folder:
        store = Store.in_memory()
        life = Life(Path(folder) / "project", store, chosen, zone=zone, start=start)
        life.begin(range(10, 10 * posts + 1, 10), joined)
        yield life
        assert store.accounts.verify() == []
        store.close()


LIVES = (rules(), zones, starts, readers, scripts(WRITING, READING))
FORESEEN = (rules(), zones, starts, readers, scripts(WRITING, READING, most=14))


@given(*LIVES)
def test_whatever_happens_the_rules_hold(
    chosen: Rules, zone: str, start: datetime, joined: list[str], script: list[Any]
) -> None:
    """1, 2, 3, 4, 5 and 8; and in the end nobody waits for anything."""
    with living(chosen, zone, start, joined=joined) as life:
        for step in script:
            life.act(step)
        life.settle_down()
        life.everybody_has_everything()


@given(rules(), zones, starts, readers, scripts(READING, most=30), st.integers(1, 4))
def test_ticking_again_within_a_minute_changes_nothing(
    chosen: Rules, zone: str, start: datetime, joined: list[str], script: list[Any], times: int
) -> None:
    """7"""
    with living(chosen, zone, start, joined=joined) as life:
        for step in script:
            life.act(step)
            if step[0] == "tick":
                arrived, counts = len(life.world.provider.box), life.world.store.accounts.counts()
                for _ in range(times):
                    life.world.now += MINUTE / 5
                    life.tick()
                assert len(life.world.provider.box) == arrived
                assert life.world.store.accounts.counts() == counts


@given(*FORESEEN)
def test_plan_says_what_the_next_tick_does(
    chosen: Rules, zone: str, start: datetime, joined: list[str], script: list[Any]
) -> None:
    """11"""
    with living(chosen, zone, start, joined=joined) as life:
        for step in script:
            if step[0] != "tick":
                life.act(step)
                continue
            life.world.now += step[1]
            before = dump(life.world.store)
            coming = life.world.forecast(1)
            assert dump(life.world.store) == before
            said = {e.post: e.count for e in coming if e.at <= life.world.now}
            arrived = len(life.world.provider.box)
            held = bool(life.tick().stopped)
            done = Counter(
                p.number
                for p in life.pieces
                for m in life.world.provider.box[arrived:]
                if m.subject.endswith(f" {p.ident}")
            )
            assert held or said == dict(done)


@given(rules(mode=Mode.BROADCAST) | rules(mode=Mode.HYBRID), zones, starts, st.data())
def test_news_goes_out_once_and_not_before_its_time(
    chosen: Rules, zone: str, start: datetime, data: st.DataObject
) -> None:
    """1 to 4 in the other modes."""
    with living(chosen, zone, start, posts=0, joined=data.draw(readers)) as life:
        dates: dict[str, datetime] = {}
        latest = life.world.now  # a clock that is set back does not call news in again
        for _ in range(data.draw(st.integers(5, 25), label="steps")):
            if data.draw(st.booleans(), label="write"):
                number = data.draw(st.integers(1, 60))
                before = len(life.pieces)
                life.act(("insert", number))
                if len(life.pieces) > before:
                    ahead = data.draw(st.sampled_from([-9 * DAY, -3 * HOUR, MINUTE, 5 * HOUR, 2 * DAY, 6 * DAY]))
                    dates[life.pieces[-1].ident] = life.world.now + ahead
                    life.write(life.pieces[-1], publish_at=f"{life.world.now + ahead:%Y-%m-%dT%H:%M:00Z}")
            seen = len(life.world.provider.box)
            life.act(data.draw(READING | st.tuples(st.just("tick"), st.sampled_from([HOUR, 7 * HOUR, DAY, 3 * DAY]))))
            for letter in life.world.provider.box[seen:]:
                latest = max(latest, letter.at)
                assert latest >= dates[letter.subject.rpartition(" ")[2]] - MINUTE or chosen.mode is Mode.HYBRID
            latest = max(latest, life.world.now)


@given(
    zones, starts, st.sampled_from([1, 2, 7]), st.times().map(lambda t: t.replace(microsecond=0)), st.integers(0, 1439)
)
def test_a_daily_cron_at_any_hour_keeps_the_cadence(
    zone: str, start: datetime, every: int, at: time, minute: int
) -> None:
    """9, through the planner: at most the days of a clock change are lost."""
    start += minute * MINUTE
    ticks = [start + n * DAY for n in range(1, 15)]
    for tick in ticks:  # by night and long after the slot nothing may leave at all
        local = tick.astimezone(ZoneInfo(zone))
        after = (tick - slot_before(tick, zone, at)) / HOUR
        assume(after <= 11 or 9 <= local.hour < 19)
    with living(Rules(every=every, at=at), zone, start, posts=14, joined=[zone]) as life:
        for tick in ticks:
            life.world.now = tick
            life.tick()
        arrived = [m.at for m in life.world.provider.box]
        assert len(arrived) >= (len(ticks) - 3) // every, [f"{a:%d %H:%M}" for a in arrived]


def slot_before(tick: datetime, zone: str, at: time) -> datetime:
    found = last_slot(tick, ZoneInfo(zone), Rules(at=at))
    assert found is not None
    return found[1]


# --- 6: crashes


answers = st.lists(
    st.sampled_from([None, None, LOST, LOST, GREYLISTED, SPAM, NO_SUCH_USER, ProviderError("the line is down")]), max_size=6
)  # fmt: skip
fates = st.builds(
    Fate,
    verb=st.sampled_from(Fate.VERBS + ("begin", "record", "answer", "pull", "record")),
    call=st.sampled_from([0, 0, 0, 1, 1, 2, 3]),
    done=st.booleans(),
)


@given(
    st.lists(
        st.tuples(fates, st.sampled_from([5 * MINUTE, 12 * MINUTE, 35 * MINUTE, 3 * HOUR])), min_size=1, max_size=6
    ),
    st.tuples(answers, answers, answers),
    st.frozensets(st.integers(0, 2)),
    st.sampled_from(OnUncertain),
    st.booleans(),
    st.sampled_from([1, 2, 50]),
)
def test_after_any_crash_everybody_ends_with_the_same(
    script: list[tuple[Fate, timedelta]], said: tuple[list[Any], ...], arrive: frozenset[int],
    on_uncertain: OnUncertain, searchable: bool, window: int,
) -> None:  # fmt: skip
    """6, with 1 to 5: nothing is lost, and doubled only where the ledger says that it may be."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/newsletter.db"
        shutil.copyfile(template(), f"{folder}/newsletter.db")
        life = Life(Path(folder) / "project", Store.open(url), Rules(every=1), start=STARTS[3])
        if searchable:
            life.world.provider = SearchableProvider(life.world)
        life.world.provider.window = window
        life.world.on_uncertain(on_uncertain)
        life.begin(range(10, 51, 10), ["UTC", "UTC", "UTC"])
        for n, outcomes in enumerate(said):
            life.world.provider.answers[life.readers[n]] = list(outcomes)
        life.world.provider.arrives = {life.readers[n] for n in arrive}
        for day, (fate, pause) in enumerate(script, 1):
            life.world.now = STARTS[3] + day * DAY + 10 * HOUR
            doomed(life, fate)
            life.world.store.close()
            life.world.store = Store.open(url)
            life.world.now += pause
            again(life)
        life.world.provider.answers.clear()  # from here on all is well
        for _ in range(9):
            life.world.now += DAY - HOUR
            again(life)
            life.world.now += HOUR
            again(life)
        accounted_for(life, searchable=searchable)
        assert life.world.store.accounts.verify() == []
        life.world.store.close()


def doomed(life: Life, fate: Fate) -> None:
    """A tick that ends as *fate* has it; what had arrived before is judged all the same."""
    life.judge.before_tick(life.world.now, life.pieces, back=False)
    with crashing(life.world, fate), suppress(CrashError):
        life.world.tick()
    doubt(life)
    life.look(Tick(life.world.now))


def again(life: Life) -> None:
    """A tick without a crash; an owner who lifts what the trouble put in force."""
    life.world.resume()
    doubt(life)
    life.tick()
    doubt(life)


def doubt(life: Life) -> None:
    """What the ledger says was in doubt may arrive twice; nothing else may."""
    with life.world.store.read() as c:
        table = metadata.tables["delivery"]
        rows = c.execute(table.select().where(table.c.state.in_(["submitting", "uncertain"]) | (table.c.resent == 1)))
        life.forgiven |= {r.message_id for r in rows}


def accounted_for(life: Life, *, searchable: bool) -> None:
    """Everybody has everything, or the ledger says why not."""
    store = life.world.store
    arrived = Counter(m.message_id for m in life.world.provider.box)
    for address in life.readers:
        reader = store.audience.find(address)
        records = {r.ident: r for r in store.accounts.history(reader)}
        got = life.judge.books[address].got
        for piece in life.pieces:
            record = records.get(piece.ident)
            if piece.ident in got:
                assert record is not None, f"{address} has {piece.ident}, and the ledger does not know"
                # What was sent again after doubt may have been refused the second time.
                known = record.state in ("accepted", "uncertain") or record.resent
                assert known, f"{address} has {piece.ident}: {record}"
                if arrived[record.message_id] > 1:
                    assert record.resent and not searchable and arrived[record.message_id] == 2
            elif record is None or record.state == "planned":
                assert reader.pauses or reader.status is not Status.ACTIVE, (
                    f"{address} still waits for {piece}: {record}"
                )
            else:
                assert record.state in ("uncertain", "rejected", "withdrawn"), f"{address} lacks {piece}: {record}"


@pytest.fixture(scope="module", autouse=True)
def _template(sqlite_template: Path) -> None:
    _TEMPLATE.append(sqlite_template)


_TEMPLATE: list[Path] = []


def template() -> Path:
    """A database with our tables, to be copied."""
    return _TEMPLATE[-1]


# --- 10: recipients


_names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40)
_odd = st.sampled_from(
    [
        "Ana, Ben <ben@example.org>",
        'Ana "B" Sousa',
        "Ana <ana@example.org>",
        "a@b, c@d",
        "Ana;Ben:",
        "=?utf-8?q?x?=",
        "Zoë",
    ]
)


@given(_names | _odd, st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9]{1,10})?", fullmatch=True))
def test_every_message_has_exactly_one_recipient(printing: tuple[World, Press], name: str, local: str) -> None:
    """10, with the real letterhead and whatever people call themselves."""
    world, press = printing
    assume(not local.startswith("-"))
    message = printed(press, name, f"{local}@example.org")
    parsed = message_from_bytes(message.data, policy=policy.default)
    fields = [f for f in ("To", "Cc", "Bcc", "Resent-To") for _ in parsed.get_all(f) or []]
    assert fields == ["To"]
    to = parsed["To"]
    assert isinstance(to, AddressHeader)
    assert [a.addr_spec for a in to.addresses] == [f"{local}@example.org"]
    assert str(message.envelope.recipient) == f"{local}@example.org"


@pytest.fixture(scope="module")
def printing(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Press]:
    """A press with the real templates, and a post on it."""
    root = tmp_path_factory.mktemp("printing")
    world = World(root, Store.in_memory())
    world.posts(1)
    world.tick()
    from newsletter.posts import read_folder

    folder = read_folder(root / "posts", zone=ZoneInfo("UTC"), at=world.config.rules.at)
    return world, Press.of(folder.posts, world.config.identity, world.config.design, SECRET, world.store.ledger)


def printed(press: Press, name: str, address: str) -> Message:
    from newsletter.mail import Address
    from newsletter.store.attempts import Claim

    claim = Claim(1, 1, 1, "post-1", 0, 0, 0, b"\1" * 16, Mailbox(name, Address.parse(address)), None, None, None)
    return press.print(claim, at=STARTS[0])[1]


# --- 12: consent


_who = st.sampled_from(["ana", "ben"])
_consent = st.one_of(
    st.tuples(
        st.sampled_from(
            ["import", "import to confirm", "file", "add", "leave", "confirm", "bounce", "complain", "erase", "forget"]
        ),
        _who,
    ),
    st.tuples(st.just("empty file"), _who),
)


@given(st.lists(_consent, max_size=25))
def test_no_file_ever_turns_somebody_who_left_into_a_reader(script: list[tuple[str, str]]) -> None:
    """12: only the person's own word does."""
    store = Store.in_memory()
    out: set[str] = set()  # who may not be active
    at = STARTS[0]
    for what, name in script:
        at += HOUR
        person(store, what, name, at)
        active = {r.address.local for r in store.audience.readers(Status.ACTIVE)}
        if what in ("leave", "complain") and known(store, name):
            out.add(name)
        elif what == "confirm" and name in active:
            out.discard(name)  # whether it may be so is the table of transitions' business
        elif what == "forget" and name not in out:
            pass
        assert not out & active, f"{what} {name}: {out & active} came back"
    assert store.accounts.verify() == []
    store.close()


def person(store: Store, what: str, name: str, at: datetime) -> None:
    """One step; what is refused is refused."""
    from newsletter.mail import Address

    address = f"{name}@example.org"
    row = Row(2, Address.parse(address))
    hashed = World.hash
    causes = {
        "leave": (Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED), "confirm": (Cause.CONFIRMED, Status.ACTIVE),
        "bounce": (Cause.BOUNCED, Status.SUPPRESSED), "complain": (Cause.COMPLAINED, Status.SUPPRESSED),
    }  # fmt: skip
    try:
        match what:
            case "import" | "import to confirm":
                store.audience.import_rows([row], confirmed=what == "import", floor=-1, fingerprint=hashed, at=at)
            case "file" | "empty file":
                rows = [row] if what == "file" else []
                store.audience.take_file(rows, floor=-1, fingerprint=hashed, at=at, meant=True)
            case "add":
                store.audience.add(row, floor=-1, at_once=True, fingerprint=hashed, at=at)
            case "erase" | "forget":
                store.audience.erase(address, keep_hash=what == "erase", fingerprint=hashed, at=at)
            case _:
                cause, status = causes[what]
                store.audience.change(address, cause, status, at=at)
    except NewsletterError:
        pass


def known(store: Store, name: str) -> bool:
    found = {r.address.local: r.status for r in store.audience.readers()}
    return found.get(name) in (Status.UNSUBSCRIBED, Status.SUPPRESSED)


# --- 13: preview


@given(rules(), starts, readers, scripts(WRITING, READING, most=12), st.integers(0, 5), st.integers(0, 3))
def test_a_preview_changes_nothing(
    chosen: Rules, start: datetime, joined: list[str], script: list[Any], which: int, whose: int
) -> None:
    """13"""
    from newsletter import preview, proof
    from newsletter.posts import read_folder

    with living(chosen, "UTC", start, joined=joined) as life:
        for step in script:
            life.act(step)
        world = life.world
        folder = read_folder(world.config.posts, zone=world.config.identity.timezone, at=chosen.at)
        assume(folder.posts)
        post = folder.posts[which % len(folder.posts)]
        reader = world.store.audience.find(life.readers[whose % len(life.readers)])
        before, files = dump(world.store), tree(world.root)
        told = preview.outlook(world.store, world.config.identity, chosen, post, reader, {}, at=world.now)
        made = proof.pull(post, world.config.identity, world.config.design, Mailbox("", reader.address), date=world.now)
        with TemporaryDirectory() as elsewhere:
            preview.write(preview.Sheet(made, told), Path(elsewhere))
        assert dump(world.store) == before
        assert tree(world.root) == files
        assert world.provider.attempts == [] or world.provider.attempts[-1][1] <= world.now


def dump(store: Store) -> dict[str, list[Any]]:
    """Every row of every table."""
    with store.read() as c:
        return {t.name: sorted(map(repr, c.execute(t.select()).all())) for t in metadata.sorted_tables}


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time and bytes."""
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}
