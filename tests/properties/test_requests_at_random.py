"""Over any sequence of requests: looking changes nothing, and nothing opens without a token that we signed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from visits import IDENTITY, Site

from newsletter.config import Archive, Config, Visible
from newsletter.intake import take_posts
from newsletter.links import Purpose
from newsletter.store import Store
from newsletter.subscribers import TRANSITIONS, Status

LOOKS = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE")
PEOPLE = tuple(f"{name}@example.org" for name in ("ana", "bo", "cy", "di"))
BUTTONS = (
    "leave",
    "undo",
    "pause",
    "again",
    "latest",
    "settings",
    "reason",
    "save",
    "resume",
    "data",
    "erase",
    "confirm",
    "",
    "x",
)
PLACES = (
    "/",
    "/subscribe",
    "/subscribe.json",
    "/subscribe.js",
    "/healthz",
    "/nothing",
    "/u",
    "/u/",
    "/hooks/x/y",
    "/archive",
    "/p/letter-1",
    "/p/letter-2",
    "/p/1",
    "/p/9",
    "/atom.xml",
    "/rss.xml",
    "/m/0a/x.png",
    "//",
    "/../x",
)

person, purpose = st.sampled_from(PEOPLE), st.sampled_from(list(Purpose))
below = st.sampled_from(["/", "/letter-1", "/letter-2"])
place = st.one_of(
    st.sampled_from(PLACES), st.tuples(purpose, person), st.tuples(st.just(Purpose.ARCHIVE), person, below)
)
fields = st.fixed_dictionaries(
    {"do": st.sampled_from(BUTTONS)},
    optional={
        "sure": st.just("yes"),
        "name": st.text(max_size=12),
        "reason": st.text(max_size=12),
        "timezone": st.text(max_size=8),
    },
)
look = st.tuples(st.sampled_from(LOOKS), place, st.booleans())
act = st.one_of(
    st.tuples(st.just("sign up"), person),
    st.tuples(st.just("post"), st.tuples(purpose, person), fields),
    st.tuples(st.just("pass"), st.sampled_from([1, 25, 24 * 8])),
)


@pytest.fixture(scope="module")
def template(sqlite_template: Path) -> Path:
    return sqlite_template


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


def posts(folder: Path) -> Path:
    """Two letters, one of them taken back."""
    (folder / "posts").mkdir(exist_ok=True)
    for n, status in ((1, "live"), (2, "retracted")):
        text = f"---\ntitle: Letter {n}\nid: letter-{n}\nstatus: {status}\n---\n\nWords enough for a letter.\n"
        (folder / f"posts/{n:03d}-letter.md").write_text(text)
    return folder


def opened(template: Path, folder: Path, visible: Visible = Visible.ALL) -> Site:
    """A site of its own for one example, with two letters and two readers."""
    path = folder / "newsletter.db"
    for stale in folder.glob("newsletter.db*"):
        stale.unlink()
    shutil.copyfile(template, path)
    config = Config(posts(folder), IDENTITY, archive=Archive(visible))
    site = Site(Store.open(f"sqlite:///{path}"), letters=config)
    take_posts(config, site.store, at=site.now)
    site.member(PEOPLE[0])
    site.member(PEOPLE[1])
    return site


def where(site: Site, found: object, tokens: dict[str, bytes]) -> str:
    """The path of a place; of a person who is not there, a link that they might have had."""
    if isinstance(found, str):
        return found
    assert isinstance(found, tuple)
    kind, who, *below = found
    return f"/{kind.value}/{site.links.token(kind, tokens.get(who, b'nobody of ours!!'))}{''.join(below)}"


def tokens_of(site: Site, known: dict[str, bytes]) -> None:
    for reader in site.store.audience.readers():
        known[str(reader.address)] = reader.token


@given(steps=st.lists(st.one_of(look, act), max_size=25), visible=st.sampled_from(list(Visible)))
@settings(max_examples=25)
def test_looking_changes_nothing_and_the_law_of_consent_holds(
    template: Path, folder: Path, steps: list[tuple[object, ...]], visible: Visible
) -> None:
    site = opened(template, folder, visible)
    tokens: dict[str, bytes] = {}
    try:
        for step in steps:
            tokens_of(site, tokens)
            before, stood = site.state(), standing(site)
            match step:
                case ("sign up", str(who)):
                    site.sign_up(who)
                case ("post", tuple(found), dict(sent)):
                    status = site.post(where(site, found, tokens), sent).status
                    assert status in ((404,) if found[0] is Purpose.ARCHIVE else (200, 422))
                case ("pass", int(hours)):
                    site.pass_time(hours=hours)
                    site.look_after()
                case (str(method), found, bool(prefixed)):
                    path = where(site, found, tokens)
                    site.ask(method, f"/list{path}" if prefixed else path, b"do=leave")
                    assert site.state() == before
            for token, now in standing(site).items():
                was = stood.get(token)
                assert was == now or (was, now) in TRANSITIONS, "only what the table allows"
        with site.store.read() as c:
            # Whoever is active said so: there is a row for it, and it came from a POST.
            assert c.scalar(text(_UNPROVEN)) == 0
    finally:
        site.close()
        site.store.close()


def standing(site: Site) -> dict[bytes, Status]:
    return {reader.token: reader.status for reader in site.store.audience.readers()}


_UNPROVEN = (
    "SELECT COUNT(*) FROM subscriber s WHERE s.status = 'active' AND NOT EXISTS"
    " (SELECT 1 FROM consent k WHERE k.subscriber_id = s.id AND k.cause = 'confirmed' AND k.form <> '')"
)


def test_ten_thousand_flipped_tokens_get_one_and_the_same_answer(template: Path, folder: Path) -> None:
    site, chance = opened(template, folder), random.Random(7)
    try:
        before = site.state()
        nothing = site.get("/nothing")
        answers, tried = set(), 0
        good = [(kind, site.path(kind, PEOPLE[0])) for kind in Purpose]
        while tried < 10_000:
            kind, path = chance.choice(good)
            token = path.rpartition("/")[2]
            at, bit = chance.randrange(len(token)), 1 << chance.randrange(7)
            flipped = token[:at] + chr(ord(token[at]) ^ bit) + token[at + 1 :]
            if flipped == token or "/" in flipped or "?" in flipped or "#" in flipped or not flipped.isprintable():
                continue
            tried += 1
            answer = site.ask(chance.choice(("GET", "POST")), f"/{kind.value}/{flipped}")
            answers.add((answer.status, tuple(answer.headers), answer.body))
        assert answers == {(404, tuple(nothing.headers), nothing.body)}
        assert site.state() == before
    finally:
        site.close()
        site.store.close()


@given(path=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#"), max_size=60))
def test_no_other_address_answers_anything(template: Path, folder: Path, path: str) -> None:
    site = opened_once(template, folder)
    answer = site.get(f"/{path}")
    known = dict.fromkeys(("", "subscribe", "subscribe.json", "subscribe.js", "healthz"), 200)
    known |= dict.fromkeys(("archive", "atom.xml", "rss.xml", "p/letter-1"), 200)
    known |= {"p/1": 302, "p/2": 410, "p/letter-2": 410}
    bare = path.removeprefix("list/") if path.startswith("list/") else "" if path == "list" else path
    assert answer.status == known.get(bare, 404)


_open: dict[Path, Site] = {}


def opened_once(template: Path, folder: Path) -> Site:
    if folder not in _open:
        _open[folder] = opened(template, folder)
    return _open[folder]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("letters.example.org", 200),
        ("LETTERS.example.org:443", 200),
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("evil.example", 421),
        ("letters.example.org.evil.example", 421),
        ("letters.example.org:8080", 421),
        ("", 421),
        ("letters.example.org@evil.example", 421),
    ],
)
def test_another_name_leads_nowhere(template: Path, folder: Path, host: str, status: int) -> None:
    site = opened(template, folder)
    try:
        leave = site.path(Purpose.UNSUBSCRIBE, PEOPLE[0])
        for path in ("/", leave, "/subscribe.js", "/healthz"):
            assert site.get(path, headers={"host": host}).status == status
        if status == 421:
            site.ask("POST", leave, headers={"host": host})
            assert site.reader(PEOPLE[0]).status is Status.ACTIVE
    finally:
        site.close()
        site.store.close()


def test_what_holds_for_every_answer(template: Path, folder: Path) -> None:
    site = opened(template, folder)
    try:
        leave = site.path(Purpose.UNSUBSCRIBE, PEOPLE[0])
        for method, path in [
            ("GET", "/"),
            ("GET", leave),
            ("GET", "/nothing"),
            ("POST", leave),
            ("OPTIONS", "/"),
            ("PUT", "/"),
        ]:
            answer = site.ask(method, path)
            assert (
                answer.header("x-content-type-options") == "nosniff"
                and answer.header("referrer-policy") == "no-referrer"
            )
            assert answer.header("set-cookie") == "" and answer.header("cache-control") == "no-store"
            if answer.header("content-type").startswith("text/html"):
                policy = answer.header("content-security-policy")
                assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
                assert "<script>" not in answer.text and " style=" not in answer.text and " onclick" not in answer.text
        big = site.ask(
            "POST", leave, b"x=" + b"y" * 70_000, headers={"content-type": "application/x-www-form-urlencoded"}
        )
        assert big.status == 413
        assert IDENTITY.url.endswith("/list") and site.get("/list/subscribe").status == 200
    finally:
        site.close()
        site.store.close()
