"""The way out, and a reader's own page: what each button does to the sequence and the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from visits import Site, files_of
from world import ANA, BO, DAY, World, when

from newsletter import consent
from newsletter.config import Mode, Rate, Rules, Web
from newsletter.consent import wishes
from newsletter.errors import NotFound, StoreAway
from newsletter.links import Purpose
from newsletter.mail import Address
from newsletter.store import Store, Transaction
from newsletter.store.forecast import forecast
from newsletter.subscribers import Row, Status
from newsletter.web import turns

ONE_CLICK = b"List-Unsubscribe=One-Click"
OFTEN = DAY / 8  # begun at a multiple of three hours, one of them is at nine, when letters are due


@pytest.fixture
def site(store: Store) -> Iterator[Site]:
    made = Site(store, web=Web(tags_to_choose=("couples", "families")), rules=Rules(every=1))
    yield made
    made.close()


@pytest.fixture
def at_work(site: Site, world: World) -> World:
    """Five posts, one a day at nine, with Ana in the middle of them."""
    world.posts(1, 2, 3, 4, 5)
    world.join(ANA)
    world.run("2 00:00", "4 10:00", every=OFTEN)
    assert world.numbers(ANA) == [1, 2, 3]
    site.now = world.now
    return world


def leave_path(site: Site, address: str = ANA) -> str:
    return site.path(Purpose.UNSUBSCRIBE, address)


def own_path(site: Site, address: str = ANA) -> str:
    return site.path(Purpose.PREFERENCES, address)


class TestOneClick:
    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            pytest.param(ONE_CLICK, "application/x-www-form-urlencoded", id="as RFC 8058 has it"),
            pytest.param(
                b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n',
                "multipart/form-data; boundary=x",
                id="multipart, as it allows",
            ),
            pytest.param(b"", "", id="nothing at all"),
            pytest.param(b"\xff\x00&&&=", "application/x-www-form-urlencoded", id="rubbish"),
            pytest.param(b"List-Unsubscribe=One-Click&do=undo", "application/x-www-form-urlencoded", id="and more"),
        ],
    )
    def test_any_post_unsubscribes_without_cookie_or_redirect(self, site: Site, body: bytes, kind: str) -> None:
        site.member(ANA)
        answer = site.ask("POST", leave_path(site), body, headers={"content-type": kind})
        assert answer.status == 200 and not answer.header("set-cookie") and not answer.header("location")
        assert site.reader(ANA).status is Status.UNSUBSCRIBED
        assert site.consent(ANA)[-1] == ("unsubscribed", "unsubscribed")

    def test_it_works_for_ever_also_after_erasure(self, site: Site) -> None:
        site.member(ANA)
        path = leave_path(site)
        first = site.ask("POST", path, ONE_CLICK)
        site.pass_time(days=4000)
        assert site.ask("POST", path, ONE_CLICK).body == first.body
        site.store.audience.erase(ANA, keep_hash=True, fingerprint=site.hash, at=site.now)
        after = site.ask("POST", path, ONE_CLICK)
        assert (after.status, after.body) == (200, first.body)
        assert site.get(path).status == 200

    def test_the_link_of_an_old_letter_works_after_a_change_of_address_and_after_merging(self, site: Site) -> None:
        new, other = "ana.new@example.org", "ana@work.example"
        for address in (ANA, other):
            site.member(address)
        old, others = leave_path(site), leave_path(site, other)
        consent.correct(site.store, ANA, new, fingerprint=site.hash, at=site.now)
        consent.merge(site.store, new, other, fingerprint=site.hash, at=site.now)
        assert site.ask("POST", others, ONE_CLICK).status == 200, "the record that went"
        assert site.reader(new).status is Status.UNSUBSCRIBED
        assert "as before" in site.post(others, {"do": "undo"}).text and site.reader(new).status is Status.ACTIVE
        assert site.ask("POST", old, ONE_CLICK).status == 200, "the record that stayed, by its old letter"
        assert site.reader(new).status is Status.UNSUBSCRIBED

    def test_twice_is_once(self, site: Site) -> None:
        site.member(ANA)
        path = leave_path(site)
        site.ask("POST", path, ONE_CLICK)
        before = site.state()
        site.ask("POST", path, ONE_CLICK)
        assert site.state() == before

    def test_looking_changes_nothing(self, site: Site) -> None:
        site.member(ANA)
        site.sign_up(BO)
        paths = [leave_path(site), own_path(site), site.link(BO), site.path(Purpose.CONFIRM, BO), "/", "/subscribe"]
        before = site.state()
        for path in paths:
            for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
                site.ask(method, path)
        assert site.state() == before

    def test_the_page_shows_no_address_that_one_could_write_to(self, site: Site) -> None:
        site.member(ANA)
        for path in (leave_path(site), own_path(site)):
            page = site.get(path).text
            assert "a••••@e••••.org" in page and ANA not in page

    def test_links_are_never_rate_limited(self, site: Site, store: Store) -> None:
        if store.engine.dialect.name != "sqlite":
            pytest.skip("nothing of it is the database's")
        site.member(ANA)
        assert {site.ask("POST", leave_path(site), ONE_CLICK).status for _ in range(500)} == {200}
        assert {site.get(leave_path(site)).status for _ in range(300)} == {200}

    def test_an_unsubscribe_link_opens_nothing_else(self, site: Site) -> None:
        site.member(ANA)
        token = leave_path(site).rpartition("/")[2]
        nothing = site.get("/nothing")
        for path in (f"/s/{token}", f"/c/{token}"):
            for method in ("GET", "POST"):
                assert (site.ask(method, path).status, site.ask(method, path).body) == (404, nothing.body)


class TestTheSequence:
    def test_who_leaves_gets_nothing_that_had_not_begun(self, site: Site, at_work: World) -> None:
        at_work.tick("4 10:00")
        at_work.join(BO)
        at_work.provider.window = 1
        left = []

        def leave() -> None:
            site.now = at_work.now
            left.append(site.ask("POST", leave_path(site, BO), ONE_CLICK).status)

        at_work.provider.before[ANA] = leave
        at_work.run("4 12:00", "9 00:00", every=OFTEN)
        assert left == [200]
        assert at_work.numbers(ANA) == [1, 2, 3, 4, 5] and at_work.numbers(BO) == []

    def test_an_undo_within_a_day_goes_on_where_they_were(self, site: Site, at_work: World) -> None:
        page = site.post(leave_path(site), {"do": "leave"}).text
        assert "keep me subscribed" in page
        site.pass_time(hours=20)
        assert "as before" in site.post(leave_path(site), {"do": "undo"}).text
        assert site.reader(ANA).status is Status.ACTIVE
        at_work.run("5 06:00", "9 00:00", every=OFTEN)
        assert at_work.numbers(ANA) == [1, 2, 3, 4, 5]

    def test_after_a_day_there_is_no_undo(self, site: Site, at_work: World) -> None:
        site.post(leave_path(site), {"do": "leave"})
        site.pass_time(hours=24)
        assert "keep me subscribed" not in site.get(leave_path(site)).text
        site.post(leave_path(site), {"do": "undo"})
        assert site.reader(ANA).status is Status.UNSUBSCRIBED

    def test_an_undo_is_not_a_way_round_confirming(self, site: Site) -> None:
        site.sign_up(ANA)
        path = leave_path(site)
        site.ask("POST", path, ONE_CLICK)
        site.post(path, {"do": "undo"})
        assert site.reader(ANA).status is Status.UNSUBSCRIBED

    def test_thirty_days_of_quiet_and_then_on(self, site: Site, at_work: World) -> None:
        assert "3 April 2026" in site.post(leave_path(site), {"do": "pause"}).text
        at_work.run("5 03:00", "4-10 00:00", every=DAY / 4)
        assert at_work.diary(ANA)[3:] == ["#4 4-3 09:00", "#5 4-4 09:00"]

    def test_a_pause_catches_what_is_planned_and_waiting(self, site: Site, at_work: World) -> None:
        at_work.rules(quiet_hours=(when("5 08:00").time(), when("5 12:00").time()))
        at_work.tick("5 09:00")
        assert at_work.states(ANA)[-1][:2] == (4, "planned")
        site.now = at_work.now
        site.post(leave_path(site), {"do": "pause"})
        assert at_work.states(ANA)[-1][:2] == (4, "withdrawn")
        at_work.run("5 12:00", "4-7 00:00", every=DAY / 4)
        assert [line.split()[1] for line in at_work.diary(ANA)[3:]] == ["4-4", "4-5"]

    def test_a_pause_may_be_ended_on_the_own_page(self, site: Site, at_work: World) -> None:
        site.post(leave_path(site), {"do": "pause"})
        assert "You have a pause until 3 April 2026" in site.get(own_path(site)).text
        site.pass_time(days=2)
        site.post(own_path(site), {"do": "resume"})
        at_work.run("6 12:00", "9 00:00", every=OFTEN)
        assert at_work.numbers(ANA) == [1, 2, 3, 4, 5]

    def test_starting_over_is_a_new_epoch_at_the_same_pace(self, site: Site, at_work: World) -> None:
        site.post(leave_path(site), {"do": "again"})
        at_work.run("4 12:00", "8 00:00", every=OFTEN)
        assert at_work.diary(ANA)[3:] == ["#1 5 09:00", "#2 6 09:00", "#3 7 09:00"]
        assert site.reader(ANA).epoch == 1

    def test_starting_over_while_a_letter_is_on_its_way_starts_over_all_the_same(
        self, site: Site, at_work: World
    ) -> None:
        at_work.provider.before[ANA] = lambda: site.post(leave_path(site), {"do": "again"})
        at_work.run("5 06:00", "8 00:00", every=OFTEN)
        assert at_work.numbers(ANA) == [1, 2, 3, 4, 1, 2]

    def test_jumping_to_the_latest_skips_what_is_between(self, site: Site, at_work: World) -> None:
        at_work.posts(6, 7, 8)
        at_work.tick("4 11:00")
        site.post(leave_path(site), {"do": "latest"})
        at_work.run("4 12:00", "12 00:00", every=OFTEN)
        assert at_work.numbers(ANA) == [1, 2, 3, 8]

    def test_there_is_nothing_to_jump_to_when_it_comes_next_anyway(self, site: Site, at_work: World) -> None:
        at_work.run("5 08:00", "5 10:00", every=DAY / 24)
        before = site.reader(ANA)
        assert "next anyway" in site.post(leave_path(site), {"do": "latest"}).text
        assert site.reader(ANA).position == before.position

    @pytest.mark.parametrize("wish", ["pause", "again", "latest"])
    def test_who_has_left_has_nothing_to_pause_or_change(self, site: Site, at_work: World, wish: str) -> None:
        site.post(leave_path(site), {"do": "leave"})
        before = site.state()
        assert site.post(leave_path(site), {"do": wish}).status == 200
        assert site.state() == before

    @pytest.mark.parametrize("wish", ["pause", "again", "latest", "undo", "settings", "reason", "leave"])
    def test_the_link_of_somebody_erased_answers_every_button(self, site: Site, wish: str) -> None:
        site.member(ANA)
        path = leave_path(site)
        site.store.audience.erase(ANA, keep_hash=True, fingerprint=site.hash, at=site.now)
        before = site.state()
        assert site.post(path, {"do": wish, "reason": "x"}).status == 200 and site.state() == before


class TestReason:
    def test_is_kept_once_beside_the_record(self, site: Site) -> None:
        site.member(ANA)
        path = leave_path(site)
        assert "say why" in site.post(path, {"do": "leave"}).text
        site.post(path, {"do": "reason", "reason": "Too many letters", "more": "I read\r\nslowly"})
        site.post(path, {"do": "reason", "reason": "again"})
        details = [detail for *_, detail in site.store.accounts.consent(site.reader(ANA))]
        assert details[-1] == "said: Too many letters: I read slowly" and sum("said" in d for d in details) == 1
        assert "say why" not in site.get(path).text and "keep me subscribed" in site.get(path).text

    def test_a_long_one_is_cut_and_a_late_one_is_not_kept(self, site: Site) -> None:
        site.member(ANA)
        path = leave_path(site)
        site.post(path, {"do": "leave"})
        site.post(path, {"do": "reason", "more": "x" * 60_000})
        assert len(site.store.accounts.consent(site.reader(ANA))[-1][3]) < 510
        site.member(BO)
        site.post(leave_path(site, BO), {"do": "leave"})
        site.pass_time(days=2)
        site.post(leave_path(site, BO), {"do": "reason", "more": "late"})
        assert "late" not in str(site.store.accounts.consent(site.reader(BO)))


class TestOwnPage:
    def test_its_link_goes_to_the_mailbox_once_a_day(self, site: Site) -> None:
        site.member(ANA)
        site.pass_time(days=1)
        for _ in range(3):
            page = site.post(leave_path(site), {"do": "settings"}).text
        assert "/s/" not in page and len(site.letters(ANA)) == 2
        assert (
            site.letters(ANA)[-1]["Subject"].startswith("Your settings")
            and "Your settings" in site.get(site.link(ANA)).text
        )
        site.pass_time(days=1)
        site.post(leave_path(site), {"do": "settings"})
        assert len(site.letters(ANA)) == 3

    def test_what_the_reader_set_no_file_overwrites(self, site: Site, at_work: World) -> None:
        at_work.csv(f"{ANA},Ana,UTC,old,", BO)
        at_work.tick("4 11:00")
        site.post(
            own_path(site),
            {"do": "save", "name": "Ána  Lucero", "timezone": "Europe/Berlin", "tags": ["couples", "made up"]},
        )
        at_work.csv(f"{ANA},Anna,Asia/Tokyo,new,", BO)
        at_work.tick("4 12:00")
        reader = site.reader(ANA)
        assert (reader.name, reader.timezone, reader.tags) == ("Ána Lucero", "Europe/Berlin", {"old", "couples"})

    def test_what_the_reader_did_not_touch_stays_the_owners(self, site: Site, at_work: World) -> None:
        at_work.csv(f"{ANA},Ana,UTC,old,")
        at_work.tick("4 11:00")
        page = site.get(own_path(site)).text
        assert 'value="Ana"' in page
        site.post(own_path(site), {"do": "save", "name": "Ana", "timezone": "Europe/Berlin"})
        at_work.csv(f"{ANA},Anna,Asia/Tokyo,new,")
        at_work.tick("4 12:00")
        reader = site.reader(ANA)
        assert (reader.name, reader.timezone, reader.tags) == ("Anna", "Europe/Berlin", {"new"})

    def test_back_to_the_newsletters_own_zone(self, site: Site) -> None:
        site.member(ANA)
        site.post(own_path(site), {"do": "save", "timezone": "Europe/Berlin"})
        assert site.reader(ANA).timezone == "Europe/Berlin"
        site.post(own_path(site), {"do": "save", "timezone": ""})
        assert site.reader(ANA).timezone == ""

    def test_a_slower_pace_counts_from_the_last_letter_and_plan_knows_it(
        self, site: Site, at_work: World, store: Store
    ) -> None:
        at_work.join(BO)
        at_work.tick("4 11:00")
        site.now = at_work.now
        assert 'value="7"' in site.get(own_path(site)).text
        site.post(own_path(site), {"do": "save", "pace": "7", "timezone": "Asia/Kathmandu"})
        assert 'value="7" selected' in site.get(own_path(site)).text
        expected = forecast(store, at_work.config.identity, at_work.config.rules, at=at_work.now, days=12)
        at_work.run("4 12:15", "11 00:15", every=OFTEN)
        at_work.run("11 00:15", "11 06:15", every=DAY / 96)  # no quarter of an hour sooner
        at_work.run("11 06:15", "16 00:15", every=OFTEN)
        assert at_work.diary(ANA)[3:] == ["#4 11 03:15"], "a week after, at nine in Kathmandu"
        assert at_work.numbers(BO) == [1, 2, 3, 4, 5], "nobody else's pace is touched"
        assert [e.count for e in expected if e.post == 4] == [1, 1], "one on a day of his, one on a day of hers"
        site.post(own_path(site), {"do": "save", "pace": "0", "timezone": ""})
        at_work.run("16 03:00", "18 00:00", every=OFTEN)
        assert at_work.numbers(ANA) == [1, 2, 3, 4, 5]
        record = str(store.accounts.consent(site.reader(ANA)))
        assert "pace to every 7 days" in record and "pace to the newsletter's own" in record

    def test_no_pace_that_is_not_offered(self, site: Site, at_work: World) -> None:
        for pace in ("1", "-7", "3", "x", ""):
            site.post(own_path(site), {"do": "save", "pace": pace})
        at_work.run("4 12:00", "9 00:00", every=OFTEN)
        assert at_work.numbers(ANA) == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize(
        ("rules", "offered"),
        [
            pytest.param(Rules(every=1), (7, 14, 28), id="a daily course"),
            pytest.param(Rules(every=7), (14, 28), id="a weekly one: nothing faster, and not the same again"),
            pytest.param(Rules(every=30), (), id="a monthly one"),
            pytest.param(Rules(mode=Mode.BROADCAST), (), id="news come when they come out"),
        ],
    )
    def test_a_pace_may_be_slower_than_the_newsletters_own(self, rules: Rules, offered: tuple[int, ...]) -> None:
        assert wishes.paces(rules) == offered

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": "x" * 101},
            {"name": "a\x00b"},
            {"name": "a\u202eb"},
            {"timezone": "Mars/Olympus"},
            {"timezone": "../etc"},
        ],
        ids=str,
    )
    def test_what_cannot_be_is_said_and_not_kept(self, site: Site, fields: dict[str, str]) -> None:
        site.member(ANA)
        before = site.reader(ANA)
        assert site.post(own_path(site), {"do": "save"} | fields).status == 422
        assert site.reader(ANA) == before

    def test_markup_in_a_name_is_text(self, site: Site) -> None:
        site.member(ANA)
        page = site.post(own_path(site), {"do": "save", "name": '"><img src=x onerror=alert(1)>'}).text
        assert "<img" not in page

    def test_my_data_is_all_that_is_kept_and_nobody_elses(self, site: Site, at_work: World) -> None:
        at_work.join(BO)
        site.post(own_path(site), {"do": "save", "name": "Ana"})
        answer = site.post(own_path(site), {"do": "data"})
        assert "attachment" in answer.header("content-disposition")
        found = json.loads(answer.text)
        (you,) = found["you"]
        assert you["address"] == ANA and you["name"] == "Ana" and you["confirmed_at"].startswith("2026-03-02T")
        assert [letter["number"] for letter in found["letters"]] == [1, 2, 3]
        assert [row["cause"] for row in found["consent"]] == ["added", "preferred"]
        assert BO not in answer.text

    def test_erasing_needs_to_be_meant_and_leaves_no_trace(self, site: Site, at_work: World) -> None:
        path = own_path(site)
        site.post(path, {"do": "erase"})
        assert site.reader(ANA).status is Status.ACTIVE
        site.sign_up(ANA)
        assert "You are erased" in site.post(path, {"do": "erase", "sure": "yes"}).text
        site.look_after()
        with pytest.raises(NotFound):
            site.reader(ANA)
        if site.store.engine.dialect.name == "sqlite":
            assert b"ana@example.org" not in files_of(site.store)
        assert "You are erased" in site.get(path).text and site.post(path, {"do": "save", "name": "x"}).status == 200
        taken = site.store.audience.import_rows(
            [Row(1, Address.parse(ANA))], confirmed=True, floor=-1, fingerprint=site.hash, at=site.now
        )
        assert taken.added == 0 and taken.kept_out == 1

    def test_leaving_from_there(self, site: Site) -> None:
        site.member(ANA)
        assert "No letters go to you" in site.post(own_path(site), {"do": "leave"}).text
        assert site.reader(ANA).status is Status.UNSUBSCRIBED

    def test_the_language_of_pages_is_the_readers(self, site: Site, tmp_path: Path) -> None:
        site.member(ANA)
        if len(site.house.pages.languages()) < 2:
            pytest.skip("one language alone")
        site.post(own_path(site), {"do": "save", "language": "de"})
        assert '<html lang="de"' in site.get(own_path(site)).text


def test_a_busy_database_is_said_and_the_click_can_be_repeated(site: Site) -> None:
    site.member(ANA)
    works = site.store.together
    try:
        from newsletter.errors import StoreBusy

        site.store.together = lambda w: [StoreBusy("locked")] * len(w)  # type: ignore[method-assign]
        assert site.ask("POST", leave_path(site), ONE_CLICK).status == 503
    finally:
        site.store.together = works  # type: ignore[method-assign]
    assert site.ask("POST", leave_path(site), ONE_CLICK).status == 200
    assert Rate and site.reader(ANA).status is Status.UNSUBSCRIBED


def test_a_server_that_restarts_costs_nobody_their_click(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.member(ANA)
    works, naps, away = site.store.together, list[float](), [2]

    def together(asked: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
        if not away[0]:
            return works(asked)
        away[0] -= 1
        return [StoreAway("away")] * len(asked)

    monkeypatch.setattr(turns, "sleep", naps.append)
    monkeypatch.setattr(site.store, "together", together)
    assert site.ask("POST", leave_path(site), ONE_CLICK).status == 200 and len(naps) == 2
    away[0] = 1_000
    assert site.ask("POST", leave_path(site), ONE_CLICK).status == 503 and len(naps) == 42
    assert site.ask("POST", leave_path(site), ONE_CLICK).status == 503 and len(naps) == 42  # nobody waits twice
    away[0] = 0
    assert site.ask("POST", leave_path(site), ONE_CLICK).status == 200
    assert site.reader(ANA).status is Status.UNSUBSCRIBED
    if site.store.engine.dialect.name == "postgresql":  # connections that the server has ended
        for method, path, body in (("POST", leave_path(site), ONE_CLICK), ("GET", own_path(site), b"")):
            with psycopg.connect(site.store.url.replace("+psycopg", ""), autocommit=True) as c:
                c.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            assert site.ask(method, path, body).status == 200, path
