"""The way in: from a form to a reader, and nothing else than that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from visits import SECRET, Site, files_of

from newsletter import consent
from newsletter.config import Rate, Web
from newsletter.errors import NotFound
from newsletter.links import Purpose
from newsletter.mail import Address
from newsletter.store import Store
from newsletter.subscribers import Pause, Row, Status
from newsletter.web.forms import new_nonce

ANA, BO = "ana@example.org", "bo@example.org"
OPEN = Rate(1_000_000, timedelta(hours=1))


@pytest.fixture
def site(store: Store) -> Iterator[Site]:
    made = Site(store)
    yield made
    made.close()


def add(site: Site, address: str) -> None:
    """On the owner's word."""
    site.store.audience.add(Row(0, Address.parse(address)), floor=-1, at_once=False, fingerprint=site.hash, at=site.now)


class TestTheWay:
    def test_a_form_a_letter_and_a_button_make_a_reader(self, site: Site) -> None:
        assert site.sign_up("Ana@Example.org").status == 200
        assert site.reader(ANA).status is Status.PENDING
        (letter,) = site.letters()
        assert letter["To"] == "Ana@example.org" and letter["Subject"].startswith("Please confirm")
        assert site.get(site.link("Ana@example.org")).status == 200 and site.reader(ANA).status is Status.PENDING
        site.pass_time(hours=3)
        answer = site.confirm("Ana@example.org")
        assert answer.status == 200 and "Welcome" in answer.text
        reader = site.reader(ANA)
        assert reader.status is Status.ACTIVE and reader.confirmed_at == site.now

    def test_the_record_says_what_was_shown_and_from_where(self, site: Site) -> None:
        site.sign_up(ANA)
        site.confirm(ANA)
        with site.store.read() as c:
            rows = c.execute(text("SELECT cause, form, wording, origin FROM consent ORDER BY id")).all()
        asked, said_yes = rows
        assert (asked.cause, asked.form, asked.origin) == ("requested", "subscribe page", "198.51.100.0/24")
        shown = re.sub(r"<[^>]+>", "", site.get("/subscribe").text)
        assert asked.wording.partition(" [")[0] in shown and "Subscribe" in asked.wording
        assert (said_yes.cause, said_yes.form, said_yes.origin) == ("confirmed", "confirm page", "198.51.100.0/24")
        assert "Yes, send me Letters from the Practice" in said_yes.wording

    def test_the_button_pressed_twice_says_welcome_and_then_that_all_is_done(self, site: Site) -> None:
        site.sign_up(ANA)
        first, second = site.confirm(ANA), site.confirm(ANA)
        assert "Welcome" in first.text and second.status == 200 and "already" in second.text
        assert [cause for cause, _ in site.consent(ANA)] == ["requested", "confirmed"]

    def test_one_reminder_then_the_request_is_erased(self, site: Site) -> None:
        site.sign_up(ANA)
        for _ in range(4):
            site.pass_time(days=1)
            site.look_after()
        assert [m["Subject"].partition(":")[0] for m in site.letters()] == ["Please confirm", "Still to confirm"]
        assert site.get(site.link(ANA)).status == 200, "the reminder's link works"
        link = site.link(ANA)
        site.pass_time(days=4)
        assert site.look_after() == 1
        with pytest.raises(NotFound):
            site.reader(ANA)
        late = site.post(link)
        assert late.status == 200 and "This link has done its work" in late.text
        if site.store.engine.dialect.name == "sqlite":
            assert b"ana@example.org" not in files_of(site.store)

    def test_who_confirmed_is_neither_reminded_nor_erased(self, site: Site) -> None:
        site.member(ANA)
        site.pass_time(days=30)
        assert site.look_after() == 0 and len(site.letters()) == 1 and site.reader(ANA).status is Status.ACTIVE


class TestWhoAsks:
    """The answer is the same; the letter says which."""

    def answers(self, site: Site, *addresses: str) -> set[tuple[int, tuple[tuple[str, str], ...], bytes]]:
        found = [site.sign_up(address) for address in addresses]
        return {(a.status, tuple(a.headers), a.body) for a in found}

    def test_everybody_is_answered_alike_in_status_fields_and_octets(self, site: Site) -> None:
        add(site, "active@example.org")
        add(site, "left@example.org")
        consent.unsubscribe(site.store, "left@example.org", at=site.now)
        add(site, "gone@example.org")
        site.store.audience.erase("gone@example.org", keep_hash=True, fingerprint=site.hash, at=site.now)
        site.sign_up("pending@example.org")
        everybody = [f"{who}@example.org" for who in ("new", "active", "left", "gone", "pending", "a.much.longer.one")]
        assert len(self.answers(site, *everybody)) == 1

    def test_a_reader_is_told_so_and_nothing_changes(self, site: Site) -> None:
        add(site, ANA)
        site.sign_up(ANA)
        (letter,) = site.letters()
        assert letter["Subject"].startswith("You are a reader already")
        assert site.link(ANA).startswith(f"/{Purpose.PREFERENCES}/") and site.get(site.link(ANA)).status == 200
        assert site.reader(ANA).status is Status.ACTIVE

    def test_who_left_goes_on_where_they_stopped_on_their_own_word(self, site: Site) -> None:
        add(site, ANA)
        consent.unsubscribe(site.store, ANA, at=site.now)
        site.sign_up(ANA)
        assert site.letters()[-1]["Subject"].startswith("Welcome back")
        assert site.reader(ANA).status is Status.UNSUBSCRIBED
        site.confirm(ANA)
        assert site.reader(ANA).status is Status.ACTIVE

    def test_who_left_and_does_not_answer_stays_away_and_on_record(self, site: Site) -> None:
        add(site, ANA)
        consent.unsubscribe(site.store, ANA, at=site.now)
        site.sign_up(ANA)
        site.pass_time(days=8)
        assert site.look_after() == 0 and site.reader(ANA).status is Status.UNSUBSCRIBED
        assert "done its work" in site.confirm(ANA).text and site.reader(ANA).status is Status.UNSUBSCRIBED

    def test_whose_row_left_the_owners_file_comes_back_by_their_own_word(self, site: Site) -> None:
        add(site, ANA)
        with site.store.write() as c:
            c.execute(text("UPDATE subscriber SET pauses = :p"), {"p": int(Pause.FILE)})
        site.sign_up(ANA)
        assert site.letters()[-1]["Subject"].startswith("Welcome back")
        site.confirm(ANA)
        assert site.reader(ANA).pauses == Pause(0)

    def test_a_bounced_address_that_can_be_read_again(self, site: Site) -> None:
        add(site, ANA)
        with site.store.write() as c:
            c.execute(text("UPDATE subscriber SET strikes = 3, pauses = :p"), {"p": int(Pause.ADDRESS)})
            c.execute(text("UPDATE subscriber SET status = 'suppressed'"))
            c.execute(
                text(
                    "INSERT INTO consent (subscriber_id, at, cause, status, detail) SELECT id, 0, 'bounced', 'suppressed', ''"
                    " FROM subscriber"
                )
            )
            c.execute(
                text("INSERT INTO suppression (hash, at, reason) VALUES (:h, 0, 'bounced')"), {"h": site.hash(ANA)}
            )
        site.sign_up(ANA)
        assert site.letters()[-1]["Subject"].startswith("Does this address work again?")
        site.confirm(ANA)
        reader = site.reader(ANA)
        assert reader.status is Status.ACTIVE and reader.pauses == Pause(0)
        assert site.store.audience.struck_out(fingerprint=site.hash, at=site.now) == 0

    @pytest.mark.parametrize("erased", [False, True])
    def test_who_complained_gets_nothing_whoever_asks(self, site: Site, erased: bool) -> None:
        add(site, ANA)
        with site.store.write() as c:
            c.execute(text("UPDATE subscriber SET status = 'suppressed'"))
            c.execute(
                text(
                    "INSERT INTO consent (subscriber_id, at, cause, status, detail) SELECT id, 0, 'complained', 'suppressed', ''"
                    " FROM subscriber"
                )
            )
            c.execute(
                text("INSERT INTO suppression (hash, at, reason) VALUES (:h, 0, 'complained')"), {"h": site.hash(ANA)}
            )
        if erased:
            site.store.audience.erase(ANA, keep_hash=True, fingerprint=site.hash, at=site.now)
        assert site.sign_up(ANA).status == 200 and site.letters() == []

    def test_who_was_erased_may_ask_anew_and_an_import_no_longer_keeps_them_out(self, site: Site) -> None:
        add(site, ANA)
        site.store.audience.erase(ANA, keep_hash=True, fingerprint=site.hash, at=site.now)
        site.member(ANA)
        site.store.audience.erase(ANA, keep_hash=False, fingerprint=site.hash, at=site.now)
        add(site, ANA)

    def test_an_old_confirmation_does_not_bring_back_who_left_since(self, site: Site) -> None:
        site.member(ANA)
        link = site.link(ANA)
        site.post(site.path(Purpose.UNSUBSCRIBE, ANA))
        assert "done its work" in site.post(link).text and site.reader(ANA).status is Status.UNSUBSCRIBED


class TestDefences:
    def test_one_letter_a_day_and_three_ever(self, site: Site) -> None:
        for _ in range(12):
            site.sign_up(ANA)
            site.pass_time(hours=8)
        assert len(site.letters()) == 3

    @pytest.mark.parametrize(
        "spellings",
        [
            pytest.param(["ana@example.org", "ANA@EXAMPLE.ORG", "ana+1@example.org", "Ana+2@example.org"], id="plus"),
            pytest.param(["anabel@gmail.com", "a.nabel@gmail.com", "an.abel+x@googlemail.com"], id="at Gmail"),
        ],
    )
    def test_spellings_of_one_mailbox_are_one(self, site: Site, spellings: list[str]) -> None:
        for spelling in spellings:
            site.sign_up(spelling)
        assert len(site.letters()) == 1

    def test_the_count_outlives_the_erasure(self, site: Site) -> None:
        for _ in range(5):
            site.sign_up(ANA)
            site.pass_time(days=10)
            site.look_after()
        assert len(site.letters()) == 0, "erased with the person"
        with site.store.read() as c:
            assert c.scalar(text("SELECT count FROM asked")) == 3

    def test_a_letter_has_no_word_that_anybody_typed(self, site: Site) -> None:
        fields = {"email": f'"Buy now" <{ANA}>', "name": "Buy now", "nonce": site.nonce()}
        assert site.post("/subscribe", fields).status == 422
        site.post("/subscribe", {"email": ANA, "name": "Buy now", "subject": "Buy now", "nonce": site.nonce()})
        site.sign_up("nobody@example.org")
        for letter in site.letters():
            assert "Buy now" not in letter.as_string() and "<" not in letter["To"]

    def test_two_thousand_addresses_in_one_hour_from_many_networks_meet_the_cap(self, site: Site) -> None:
        statuses = [
            site.post(
                "/subscribe", {"email": f"v{n}@example.org", "nonce": site.nonce()}, peer=f"10.{n % 200}.{n // 200}.9"
            ).status
            for n in range(240)
        ]
        assert statuses.count(200) == 200 and statuses.count(429) == 40

    def test_a_network_has_its_own_cap_and_does_not_use_up_the_others(self, site: Site) -> None:
        said = [site.sign_up(f"v{n}@example.org", peer=f"203.0.113.{n}").status for n in range(25)]
        assert said == [200] * 20 + [429] * 5
        assert site.sign_up("other@example.org", peer="203.0.114.1").status == 200
        site.pass_time(hours=1)
        assert site.sign_up("later@example.org", peer="203.0.113.1").status == 200

    def test_the_cap_answers_alike_for_known_and_unknown(self, site: Site) -> None:
        add(site, ANA)
        for n in range(20):
            site.sign_up(f"v{n}@example.org")
        assert site.sign_up(ANA).body == site.sign_up(BO).body

    def test_no_network_address_is_kept_beside_the_record(self, site: Site) -> None:
        site.sign_up(ANA, peer="203.0.113.77")
        with site.store.read() as c:
            names = [name for (name,) in c.execute(text("SELECT name FROM bucket"))]
            assert c.scalar(text("SELECT COUNT(*) FROM consent WHERE origin = '203.0.113.0/24'")) == 1
        assert names and not any("203.0" in name for name in names)

    @pytest.mark.parametrize(
        ("forwarded", "network"),
        [
            pytest.param("203.0.113.9", "203.0.113.0/24", id="what our proxy saw"),
            pytest.param("192.0.2.1, 203.0.113.9", "203.0.113.0/24", id="not what a visitor made up before it"),
            pytest.param("2001:db8:aa:bb::1", "2001:db8:aa::/48", id="IPv6"),
            pytest.param("nonsense", "", id="nonsense is nobody"),
        ],
    )
    def test_behind_a_proxy_its_word_counts(self, site: Site, forwarded: str, network: str) -> None:
        site.sign_up(ANA, peer="127.0.0.1", headers={"x-forwarded-for": forwarded})
        site.sign_up(BO, peer="198.51.100.7", headers={"x-forwarded-for": forwarded})
        with site.store.read() as c:
            found = [o for (o,) in c.execute(text("SELECT origin FROM consent ORDER BY id"))]
        assert found == [network, "198.51.100.0/24"]

    def test_a_filled_trap_is_answered_like_a_person_and_does_nothing(self, site: Site) -> None:
        real = site.sign_up(BO)
        caught = site.post("/subscribe", {"email": ANA, "nonce": site.nonce(), "website": "https://x.example"})
        assert (caught.status, caught.body) == (real.status, real.body)
        assert site.letters(ANA) == []

    @pytest.mark.parametrize("how", ["none", "forged", "at once", "yesterday's", "twice"])
    def test_a_nonce_must_be_ours_of_today_not_of_this_instant_and_new(self, site: Site, how: str) -> None:
        nonce = site.nonce()
        match how:
            case "none":
                nonce = ""
            case "forged":
                nonce = nonce[:-2] + ("AA" if not nonce.endswith("AA") else "BB")
            case "at once":
                nonce = new_nonce(SECRET, at=site.now)
            case "yesterday's":
                site.pass_time(days=1)
            case "twice":
                site.post("/subscribe", {"email": BO, "nonce": nonce})
        answer = site.post("/subscribe", {"email": ANA, "nonce": nonce})
        assert answer.status == 200 and "One more click" in answer.text and f'value="{ANA}"' in answer.text
        assert site.woken == (1 if how == "twice" else 0)

    def test_a_plain_form_on_another_site_takes_one_more_click(self, site: Site) -> None:
        page = site.post("/list/subscribe", {"email": ANA}, headers={"origin": "https://blog.example"}).text
        found = re.search(r'name="nonce" value="([^"]+)"', page)
        assert found is not None
        site.pass_time(seconds=4)
        assert "look into your inbox" in site.post("/subscribe", {"email": ANA, "nonce": found[1]}).text

    def test_the_script_on_another_site_gets_a_nonce_and_json(self, site: Site) -> None:
        fetched = site.get("/subscribe.json")
        assert fetched.header("access-control-allow-origin") == "*"
        site.pass_time(seconds=4)
        fields = {"email": ANA, "nonce": json.loads(fetched.text)["nonce"]}
        told = site.post("/subscribe.json", fields)
        assert json.loads(told.text)["said"] == "sent" and told.header("access-control-allow-origin") == "*"
        assert (
            json.loads(site.post("/subscribe.json", {"email": "x"} | fields | {"email": "x"}).text)["said"]
            == "bad_address"
        )
        assert told.header("set-cookie") == ""

    @pytest.mark.parametrize(
        "address",
        ["", "ana", "ana@", "ana@example.org\r\nBcc: eve@example.org", "a" * 400 + "@example.org", "-x@example.org"],
    )
    def test_what_is_no_address_is_said_and_not_kept(self, site: Site, address: str) -> None:
        answer = site.post("/subscribe", {"email": address, "nonce": site.nonce()})
        assert answer.status == 422 and "does not look like" in answer.text and site.woken == 0

    def test_typed_markup_comes_back_as_text(self, site: Site) -> None:
        answer = site.post("/subscribe", {"email": '"><script>alert(1)</script>'})
        assert "<script>alert" not in answer.text and "&lt;script&gt;alert" in answer.text

    def test_a_bot_that_signs_up_ten_thousand_gets_as_many_letters_as_the_caps_let_pass(self, store: Store) -> None:
        if store.engine.dialect.name != "sqlite":
            pytest.skip("the caps are the same statements on both databases")
        site = Site(
            store, web=Web(sign_ups=Rate(60, timedelta(hours=1)), sign_ups_per_network=Rate(5, timedelta(hours=1)))
        )
        try:
            nonces = [new_nonce(SECRET, at=site.now) for _ in range(10_000)]
            for n, nonce in enumerate(nonces):
                if n % 100 == 0:
                    site.pass_time(seconds=180)  # five hours in all
                victim = f"victim{n % 37}+{n}@example.org"
                site.post("/subscribe", {"email": victim, "nonce": nonce}, peer=f"10.0.{n % 250}.{n % 200}")
            site.take_up()
            letters = site.letters()
            mailboxes = {str(m["To"]).partition("+")[0] for m in letters}
            assert 0 < len(letters) <= 60 * 6 and len(mailboxes) == len(letters) <= 37
        finally:
            site.close()
