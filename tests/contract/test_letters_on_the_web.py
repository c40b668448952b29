"""The letters on the web: which are there and since when, for whom, and what a page must not have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from feeds_read import read_atom, read_rss
from letters import jpeg, png
from sqlalchemy import text
from visits import IDENTITY, Answer, Site

from newsletter.config import Archive, Config, Design, Images, Mode, Rules, Visible
from newsletter.intake import take_posts
from newsletter.links import Purpose
from newsletter.mail import Address
from newsletter.store import Store
from newsletter.store.facts import HoldKind
from newsletter.store.schema import micros
from newsletter.subscribers import Row

START = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday
BODY = "Words of their own, enough of them to be a letter that somebody would like to read in the morning.\n"
PUBLIC = "https://letters.example.org/list"


def post(n: int, *lines: str, body: str = BODY, title: str = "") -> str:
    return "\n".join(["---", f"title: {title or f'Letter {n}'}", f"id: letter-{n}", *lines, "---", "", body])


class Stand:
    """A newsletter with a folder of posts, its pages, and runs that only look."""

    def __init__(self, root: Path, store: Store, **changes: Any) -> None:
        self.root, self.store = root, store
        (root / "posts").mkdir(exist_ok=True)
        archive = changes.pop("archive", Archive())
        self.config = replace(Config(root, IDENTITY, Rules(days=frozenset({1})), archive=archive), **changes)
        self.site = Site(store, rules=self.config.rules, letters=self.config)

    def write(self, n: int, *lines: str, **more: Any) -> Path:
        path = self.root / f"posts/{n:03d}-letter.md"
        path.write_text(post(n, *lines, **more))
        return path

    def run(self) -> None:
        """What a tick does to posts."""
        at = self.site.now
        take_posts(self.config, self.store, at=at)
        self.store.facts.put("last_tick", micros(at))

    def get(self, path: str, **headers: str) -> Answer:
        return self.site.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def listed(self, path: str = "/archive") -> list[str]:
        """Where the index leads."""
        found = re.search(r'<ol class="letters">.*?</ol>', self.get(path).text, re.DOTALL)
        return re.findall(r'<a href="([^"]+)"', found[0]) if found else []

    def status(self, *numbers: int) -> list[int]:
        return [self.get(f"/p/letter-{n}").status for n in numbers]

    def reader(self, name: str, had: int, tags: str = "") -> str:
        """Somebody who had letters up to *had*; the path of their own."""
        row = Row(2, Address.parse(f"{name}@example.org"), tags=frozenset(filter(None, [tags])))
        self.store.audience.add(row, floor=had, at_once=True, fingerprint=self.site.hash, at=self.site.now)
        return self.site.path(Purpose.ARCHIVE, f"{name}@example.org")

    def delivered(self, n: int) -> None:
        """Somebody got letter *n*."""
        with self.store.write() as c:
            c.execute(
                text(
                    "INSERT INTO delivery (post_id, subscriber_id, epoch, number, state, slot, not_before, planned_at)"
                    " SELECT p.id, s.id, 0, p.number, 'accepted', 0, 0, 0 FROM post p, subscriber s WHERE p.number = :n"
                    " ORDER BY s.id LIMIT 1"
                ),
                {"n": n},
            )


@pytest.fixture
def make(store: Store, tmp_path: Path) -> Iterator[Any]:
    made: list[Stand] = []

    def build(**changes: Any) -> Stand:
        made.append(Stand(tmp_path, store, **changes))
        return made[-1]

    yield build
    for stand in made:
        stand.site.close()


@pytest.fixture
def stand(make: Any) -> Stand:
    """Three letters that were there at the first run."""
    found: Stand = make()
    for n in (1, 2, 3):
        found.write(n)
    found.run()
    return found


# -- which, and since when


def test_nothing_is_there_before_a_run_has_seen_it(make: Any) -> None:
    stand = make()
    stand.write(1)
    assert stand.status(1) == [404] and stand.listed() == []
    assert "The first letter is still to come." in stand.get("/archive").text
    stand.run()
    assert stand.status(1) == [200] and stand.listed() == ["/list/p/letter-1"]


def test_what_was_appended_waits_for_its_slot(stand: Stand) -> None:
    stand.site.pass_time(hours=1)
    stand.write(4)
    stand.run()
    assert stand.status(3, 4) == [200, 404], "the next slot is on Tuesday at nine"
    stand.site.pass_time(hours=22, minutes=59)
    stand.run()
    assert stand.status(4) == [404] and "letter-4" not in stand.get("/p/letter-3").text + stand.get("/atom.xml").text
    before = stand.get("/archive").header("last-modified")
    stand.site.pass_time(minutes=1)
    assert stand.status(4) == [200], "also when no run came since"
    assert stand.get("/archive", if_modified_since=before).status == 200
    assert "/p/letter-4" in stand.get("/p/letter-3").text and "/p/letter-4" in stand.get("/atom.xml").text


@pytest.mark.parametrize("mode", list(Mode))
def test_a_date_is_kept_to(make: Any, mode: Mode) -> None:
    stand = make(rules=Rules(mode=mode))
    stand.write(1, "publish_at: 2026-03-05 07:00")
    stand.run()
    stand.site.pass_time(days=2, hours=21, minutes=59)
    stand.run()
    assert stand.status(1) == [404]
    stand.site.pass_time(hours=3)
    stand.run()
    assert stand.status(1) == [200] and "5 March 2026" in stand.get("/p/letter-1").text


def test_a_draft_is_not_there_and_one_that_was_live_goes(stand: Stand) -> None:
    stand.write(4, "status: draft")
    stand.write(2, "status: draft")
    assert stand.status(1, 2, 4) == [200, 404, 404], "before any run"
    stand.run()
    assert stand.status(1, 2, 4) == [200, 404, 404] and len(stand.listed()) == 2


def test_a_retracted_letter_is_gone_for_good(stand: Stand) -> None:
    stand.write(2, "status: retracted")
    answer = stand.get("/p/letter-2")
    assert answer.status == 410 and "This letter was taken back" in answer.text and "Words of" not in answer.text
    assert stand.get("/p/2").status == 410 and stand.site.ask("HEAD", "/p/letter-2").status == 410
    for path in ("/archive", "/p/letter-1", "/p/letter-3", "/atom.xml", "/rss.xml"):
        assert "letter-2" not in stand.get(path).text
    stand.run()
    stand.write(2)
    assert stand.status(2) == [410]
    (stand.root / "posts/002-letter.md").unlink()
    stand.run()
    assert stand.status(1, 2, 3) == [200, 410, 200]


def test_what_the_checks_hold_is_held_here(stand: Stand) -> None:
    stand.write(4, body="TK the opening.\n")
    stand.site.pass_time(hours=1)
    stand.run()
    stand.site.pass_time(days=8)
    stand.run()
    assert stand.status(3, 4) == [200, 404]
    stand.write(4)
    assert stand.status(4) == [200]


def test_what_a_run_held_is_held_here_though_earlier_words_went_out(stand: Stand) -> None:
    stand.reader("ana", 0)
    stand.delivered(1)
    digest = next(e.digest for e in stand.store.catalogue.entries() if e.number == 1)
    stand.store.facts.put("held_posts", {"letter-1": {"digest": digest, "reason": "something"}})
    assert stand.status(1, 2) == [404, 200]


@pytest.mark.parametrize("body", ["![x](images/none.jpg)\n", "::: web_only\n![x](images/none.jpg)\n:::\n\nWords.\n"])
def test_what_cannot_be_shown_is_told_and_hides_nothing_else(stand: Stand, body: str) -> None:
    stand.write(2, body=body)
    assert stand.status(1, 2, 3) == [200, 404, 200]


def test_a_pause_of_the_whole_newsletter_holds_what_was_not_out(stand: Stand) -> None:
    stand.site.pass_time(hours=1)
    stand.write(4)
    stand.run()
    stand.store.facts.hold(HoldKind.OWNER, "pause", at=stand.site.now)
    stand.site.pass_time(days=9)
    assert stand.status(1, 4) == [200, 404]
    stand.store.facts.lift([HoldKind.OWNER], at=stand.site.now)
    assert stand.status(4) == [200]


def test_a_letter_that_somebody_got_stays_whatever_is_written_about_its_date(stand: Stand) -> None:
    stand.reader("ana", 0)
    stand.delivered(2)
    stand.site.pass_time(hours=1)
    stand.write(2, "publish_at: 2027-01-01")
    stand.run()
    assert stand.status(2) == [200]
    assert "2027" not in stand.get("/rss.xml").text


def test_a_slip_in_a_file_takes_no_page_away(stand: Stand) -> None:
    before = stand.get("/p/letter-2").text
    path = stand.root / "posts/002-letter.md"
    path.write_text("---\ntitle: Letter 2\nid: letter-2\nstatus: retarcted\n---\n\nOther words.\n")
    for _ in range(2):
        assert stand.status(1, 2, 3) == [200, 200, 200] and len(stand.listed()) == 3
        assert stand.get("/p/letter-2").text == before
        stand.run()
    stand.write(2, "status: retracted")
    assert stand.status(2) == [410]
    path.unlink()
    stand.write(3, body="Words.\n")
    (stand.root / "posts/003-letter.md").unlink()
    assert stand.status(1, 3) == [200, 404], "a file that is gone is meant"


def test_two_files_with_one_number_are_both_away(stand: Stand) -> None:
    (stand.root / "posts/002-other.md").write_text(post(9))
    assert stand.status(1, 2, 9) == [200, 404, 404]


def test_a_post_with_tags_is_for_some_readers_and_not_for_everybody(stand: Stand) -> None:
    stand.write(2, "tags: couples")
    stand.run()
    assert stand.status(1, 2, 3) == [200, 404, 200] and "letter-2" not in stand.get("/atom.xml").text


# -- addresses


def test_a_number_leads_to_its_letter_and_an_unknown_one_to_nothing(stand: Stand) -> None:
    answer = stand.get("/p/2")
    assert answer.status == 302 and answer.header("location") == "/list/p/letter-2"
    nothing = stand.get("/nothing")
    for path in (
        "/p/4",
        "/p/0",
        "/p/none",
        "/p/",
        "/p",
        "/p/letter-1/x",
        "/p/LETTER-1",
        "/m/x/y.jpg",
        "/a/x",
        "/a/x/y",
    ):
        assert (stand.get(path).status, stand.get(path).body) == (404, nothing.body), path


def test_links_stay_where_they_are_and_work_below_a_path(stand: Stand) -> None:
    stand.write(3, body=f"See [the first]({PUBLIC}/p/letter-1) and [another]({PUBLIC}/p/letter-9).\n")
    page = stand.get("/list/p/letter-3").text
    assert '<a href="/list/p/letter-1">the first' in page and f'<a href="{PUBLIC}/p/letter-9">another' in page
    for href in re.findall(r'href="(/[^"]+)"', page):
        assert stand.get(href).status == 200, href
    assert f'<link rel="canonical" href="{PUBLIC}/p/letter-3">' in page


def test_search_engines_are_led_to_the_blog(stand: Stand) -> None:
    stand.write(2, "url: https://maya.example.org/blog/two")
    assert '<link rel="canonical" href="https://maya.example.org/blog/two">' in stand.get("/p/letter-2").text


# -- for whom


def test_noindex_is_said_on_each_answer(make: Any, tmp_path: Path) -> None:
    for archive, said in ((Archive(noindex=True), True), (Archive(), False)):
        stand = make(archive=archive)
        stand.write(1)
        stand.run()
        for path in ("/archive", "/p/letter-1", "/atom.xml", "/rss.xml", "/p/1"):
            answer = stand.get(path)
            assert (answer.header("x-robots-tag") == "noindex") == said
            if answer.header("content-type").startswith("text/html"):
                assert ('<meta name="robots" content="noindex">' in answer.text) == said


def test_nobody_reads_what_is_for_nobody(make: Any) -> None:
    stand = make(archive=Archive(Visible.NOBODY))
    for n in (1, 2):
        stand.write(n)
    stand.write(3, "status: retracted")
    stand.run()
    own = stand.reader("ana", 2)
    nothing = stand.get("/nothing")
    paths = (
        "/archive",
        "/p/letter-1",
        "/p/letter-3",
        "/p/1",
        "/atom.xml",
        "/rss.xml",
        own,
        f"{own}/",
        f"{own}/letter-1",
    )
    assert {(stand.get(path).status, stand.get(path).body) for path in paths} == {(404, nothing.body)}
    assert "/archive" not in stand.get("/subscribe").text


def test_readers_see_what_they_had_and_no_more(make: Any) -> None:
    stand = make(archive=Archive(Visible.READERS))
    for n in (1, 2, 3):
        stand.write(n)
    stand.write(4, "status: retracted")
    stand.write(5, "tags: couples")
    stand.run()
    ana, bo, cy = stand.reader("ana", 2), stand.reader("bo", 9), stand.reader("cy", 9, "couples")
    nothing = stand.get("/nothing")
    for path in ("/archive", "/p/letter-1", "/p/letter-4", "/p/1", "/atom.xml", "/rss.xml"):
        assert (stand.get(path).status, stand.get(path).body) == (404, nothing.body)
    assert stand.get(ana).header("location") == f"/list{ana}/"
    assert stand.listed(f"{ana}/") == ["letter-1", "letter-2"]
    assert [stand.get(f"{ana}/letter-{n}").status for n in range(1, 6)] == [200, 200, 404, 404, 404]
    assert [stand.get(f"{bo}/letter-{n}").status for n in range(1, 6)] == [200, 200, 200, 410, 404]
    assert [stand.get(f"{cy}/letter-{n}").status for n in range(1, 6)] == [200, 200, 200, 410, 200]
    last = stand.get(f"{ana}/letter-2")
    assert "letter-3" not in last.text, "not even its title"
    assert last.header("cache-control") == "no-store" and last.header("x-robots-tag") == "noindex"
    token = ana.rpartition("/")[2]
    assert token not in last.text + stand.get(f"{ana}/").text, "a page that is saved or passed on opens nothing"


def test_who_left_was_erased_or_never_was_reads_nothing(make: Any) -> None:
    stand = make(archive=Archive(Visible.READERS))
    stand.write(1)
    stand.run()
    own = stand.reader("ana", 5)
    assert stand.get(f"{own}/letter-1").status == 200
    nothing = stand.get("/nothing").body
    stand.site.post(stand.site.path(Purpose.UNSUBSCRIBE, "ana@example.org"))
    assert stand.get(f"{own}/letter-1").body == stand.get(f"{own}/").body == nothing
    stranger = f"/a/{stand.site.links.token(Purpose.ARCHIVE, b'nobody of ours!!')}"
    other = stand.site.path(Purpose.PREFERENCES, "ana@example.org").replace("/s/", "/a/")
    for path in (stranger, other):
        assert stand.get(f"{path}/letter-1").body == stand.get(f"{path}/").body == nothing


def test_an_own_link_leads_to_the_public_pages_where_there_are_some(stand: Stand) -> None:
    own = stand.reader("ana", 1)
    assert stand.get(f"{own}/").header("location") == "/list/archive"
    assert stand.get(f"{own}/letter-3").header("location") == "/list/p/letter-3"


@pytest.mark.parametrize(
    ("visible", "link"), [(Visible.ALL, "/list/archive"), (Visible.READERS, "/list/a/"), (Visible.NOBODY, "")]
)
def test_readers_find_their_letters_on_their_own_page(make: Any, visible: Visible, link: str) -> None:
    stand = make(archive=Archive(visible))
    stand.reader("ana", 1)
    page = stand.get(stand.site.path(Purpose.PREFERENCES, "ana@example.org")).text
    found = re.findall(r'href="(/list/(?:archive|a/)[^"]*)"', page)
    assert (found and found[0].startswith(link)) if link else not found
    if visible is Visible.READERS:
        assert stand.get(found[0].removeprefix("/list")).status == 200


# -- what a page has, and has not


def test_no_personal_link_and_no_placeholder_is_ever_in_it(stand: Stand) -> None:
    stand.reader("ana", 1)
    stand.delivered(2)  # whatever the checks would say of it now
    links = {purpose: f"{PUBLIC}{stand.site.path(purpose, 'ana@example.org')}" for purpose in Purpose}
    tokens = [link.rpartition("/")[2] for link in links.values()]
    mailto = stand.site.links.unsubscribe_mailto(
        IDENTITY.unsubscribe_address, stand.site.reader("ana@example.org").token
    )
    body = "".join(f"[words]({link}) and {link}, `{link}`.\n\n" for link in links.values())
    body += f"[by mail]({mailto}) @@UNSUBSCRIBE_URL@@ @@GREETING@@ @@HERE@@\n\n```\n{links[Purpose.CONFIRM]}\n```\n"
    body += f"| a |\n|---|\n| {links[Purpose.PREFERENCES]} |\n\n[^1] A note.\n\n[^1]: {links[Purpose.UNSUBSCRIBE]}\n"
    stand.write(
        2, f"preheader: Look at {links[Purpose.PREFERENCES]} now", body=body, title=f"On {links[Purpose.UNSUBSCRIBE]}"
    )
    pages = [stand.get(path).text for path in ("/p/letter-2", "/p/letter-1", "/archive", "/atom.xml", "/rss.xml")]
    for page in pages:
        assert not [token for token in tokens if token in page]
        assert "@@UNSUBSCRIBE" not in page and "@@GREETING@@" not in page and "Hello" not in page
        assert not re.search(r"/[ucsa]/[A-Za-z0-9_-]{44}", page)
    assert f'href="{PUBLIC}/subscribe"' in pages[0] and 'href="/list/subscribe"' in pages[0]


def test_what_is_for_one_medium_is_in_that_alone(stand: Stand) -> None:
    stand.write(2, body="::: web_only\nFor the web.\n:::\n\n::: email_only\nFor the mail.\n:::\n")
    for path in ("/p/letter-2", "/atom.xml", "/rss.xml"):
        assert "For the web." in stand.get(path).text and "For the mail." not in stand.get(path).text


def test_a_post_of_another_language_says_so(stand: Stand) -> None:
    stand.write(2, "language: he", body="שלום לכם.\n")
    assert '<article lang="he" dir="rtl">' in stand.get("/p/letter-2").text


def test_pictures_are_shown_from_here_without_what_the_camera_wrote(stand: Stand) -> None:
    (stand.root / "posts/images").mkdir()
    (stand.root / "posts/images/hat.jpg").write_bytes(jpeg((60, 40)))
    stand.write(2, "image: images/hat.jpg", "image_alt: A hat", body="![The hat](images/hat.jpg)\n")
    page = stand.get("/p/letter-2").text
    (src,) = set(re.findall(r'<img class="picture" src="(/list/m/[0-9a-f]+/hat\.jpg)"', page))
    answer = stand.get(src)
    assert answer.status == 200 and answer.header("content-type") == "image/jpeg" and b"SECRET" not in answer.body
    assert (
        "immutable" in answer.header("cache-control")
        and stand.get(src, if_none_match=answer.header("etag")).status == 304
    )
    assert f"{PUBLIC}/m/" in stand.get("/atom.xml").text
    assert "img-src 'self'" in stand.get("/p/letter-2").header("content-security-policy")


def test_hosted_pictures_of_letters_are_here_though_no_letter_is(make: Any) -> None:
    stand = make(archive=Archive(Visible.NOBODY), design=Design(images=Images.HOSTED))
    (stand.root / "posts/images").mkdir()
    (stand.root / "posts/images/hat.png").write_bytes(png(60, 40))
    stand.write(1, body="::: email_only\n![The hat](images/hat.png)\n:::\n\nWords.\n")
    stand.run()
    from newsletter.posts import read_folder
    from newsletter.render import render

    (first,) = read_folder(stand.root / "posts", zone=IDENTITY.timezone, at=stand.config.rules.at).posts
    (url,) = re.findall(rf'src="{PUBLIC}(/m/[^"]+)"', render(first, IDENTITY, stand.config.design).html)
    assert stand.get(url).status == 200 and stand.get("/p/letter-1").status == 404


def test_a_picture_that_is_another_one_is_shown_at_once(stand: Stand) -> None:
    (stand.root / "posts/images").mkdir()
    stand.write(2, body="![The hat](images/hat.png)\n")
    assert stand.status(2) == [404]
    (stand.root / "posts/images/hat.png").write_bytes(png(60, 40))
    one = stand.get("/p/letter-2").text
    (stand.root / "posts/images/hat.png").write_bytes(png(90, 40))
    assert one != stand.get("/p/letter-2").text


@pytest.mark.parametrize("path", ["/archive", "/p/letter-1", "/p/letter-1?x=1"])
def test_a_page_is_safe_and_loads_nothing_from_elsewhere(stand: Stand, path: str) -> None:
    stand.write(
        1, body="<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1))\n", title="'<b>&\"'"
    )
    stand.write(2, body=BODY, title="<script>alert(2)</script>")
    answer = stand.get(path)
    policy = answer.header("content-security-policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert answer.header("x-content-type-options") == "nosniff" and answer.header("set-cookie") == ""
    assert "<script" not in answer.text and " style=" not in answer.text and "<img src=x" not in answer.text
    assert not re.search(r"<[^>]+ on\w+=", answer.text) and 'href="javascript' not in answer.text


# -- to have it already


@pytest.mark.parametrize("path", ["/archive", "/p/letter-1", "/atom.xml", "/rss.xml"])
def test_who_has_it_already_is_told_so(stand: Stand, path: str) -> None:
    first, again = stand.get(path), stand.get(path)
    assert first.status == 200 and first.body == again.body and first.headers == again.headers
    tag, date = first.header("etag"), first.header("last-modified")
    assert re.fullmatch(r'"[0-9a-f]{32}"', tag) and parsedate_to_datetime(date) == START
    stand.site.pass_time(hours=1)
    for headers in (
        {"if_none_match": tag}, {"if_none_match": f'"x", W/{tag}'}, {"if_none_match": "*"},
        {"if_modified_since": date}, {"if_none_match": tag, "if_modified_since": "Mon, 01 Jan 2001 00:00:00 GMT"},
    ):  # fmt: skip
        answer = stand.get(path, **headers)
        assert answer.status == 304 and answer.body == b"" and answer.header("etag") == tag, headers
    for headers in (
        {"if_none_match": '"x"'}, {"if_none_match": '"x"', "if_modified_since": date}, {"if_none_match": ""},
        {"if_modified_since": "Mon, 01 Jan 2001 00:00:00 GMT"}, {"if_modified_since": "nonsense"},
    ):  # fmt: skip
        assert stand.get(path, **headers).status == 200, headers
    head = stand.site.ask("HEAD", path)
    assert head.status == 200 and head.header("etag") == tag and head.header("content-length") == str(len(first.body))


@pytest.mark.parametrize("path", ["/archive", "/atom.xml", "/rss.xml"])
def test_whatever_changes_is_noticed_by_both_validators(stand: Stand, path: str) -> None:
    seen: set[tuple[str, str]] = set()
    before = stand.get(path)
    for change in (
        lambda: stand.write(2, title="Another title"),
        lambda: stand.write(1, "status: retracted"),
        lambda: stand.write(3, "status: draft"),
    ):
        stand.site.pass_time(hours=1)
        change()
        stand.run()
        answer = stand.get(path, if_none_match=before.header("etag"))
        assert answer.status == 200
        assert stand.get(path, if_modified_since=before.header("last-modified")).status == 200
        seen.add((answer.header("etag"), answer.header("last-modified")))
        before = answer
    assert len(seen) == 3


# -- feeds


def test_feeds_are_valid_and_whole(stand: Stand) -> None:
    stand.reader("ana", 1)
    stand.delivered(2)
    stand.write(
        2, "publish_at: 2026-02-03", "preheader: What it is about.", body="Words & “more” <b> \x0b]]> 間\n\n> Quoted.\n"
    )
    stand.write(3, body=f"[here]({PUBLIC}/p/letter-1) and [there](/about)\n")
    stand.run()
    atom, rss = stand.get("/atom.xml"), stand.get("/rss.xml")
    assert atom.header("content-type").startswith("application/atom+xml")
    assert rss.header("content-type").startswith("application/rss+xml")
    found = read_atom(atom.body)
    assert found["id"].startswith("urn:uuid:") and found["self"] == f"{PUBLIC}/atom.xml"
    assert [entry["title"] for entry in found["entries"]] == ["Letter 3", "Letter 1", "Letter 2"], "the latest first"
    two = found["entries"][2]
    assert two["link"] == f"{PUBLIC}/p/letter-2" and two["published"] == datetime(2026, 2, 3, 9, tzinfo=UTC)
    assert two["summary"] == "What it is about." and "Words &amp; “more” &lt;b&gt;" in two["content"]
    assert "<blockquote>\n<p>Quoted.</p>" in two["content"] and "]]&gt; 間" in two["content"]
    items = read_rss(rss.body)["items"]
    assert [(i["id"], i["title"], i["link"], i["content"]) for i in items] == [
        (e["id"], e["title"], e["link"], e["content"]) for e in found["entries"]
    ]


def test_names_of_letters_outlive_title_number_file_and_website(stand: Stand, make: Any) -> None:
    before = {e["id"] for e in read_atom(stand.get("/atom.xml").body)["entries"]}
    (stand.root / "posts/003-letter.md").unlink()
    (stand.root / "posts/007-renamed.md").write_text(post(3, title="Another"))
    stand.run()
    stand.site.pass_time(days=9)
    elsewhere = make(identity=replace(IDENTITY, url="https://elsewhere.example.org"))
    for found in (stand, elsewhere):
        assert {e["id"] for e in read_atom(found.get("/atom.xml").body)["entries"]} == before


def test_dates_are_the_same_at_every_look_and_move_with_a_change_alone(stand: Stand) -> None:
    first = stand.get("/atom.xml").body
    stand.site.pass_time(days=30)
    stand.run()
    assert stand.get("/atom.xml").body == first
    at = stand.site.now + timedelta(hours=1)
    stand.site.pass_time(hours=1)
    stand.write(1, body="Other words.\n")
    unseen = read_atom(stand.get("/atom.xml").body)
    assert {e["updated"] for e in unseen["entries"]} == {START}, "no run has written down when"
    stand.run()
    stand.site.pass_time(days=1)
    entries = {e["title"]: e for e in read_atom(stand.get("/atom.xml").body)["entries"]}
    assert entries["Letter 1"]["updated"] == at and entries["Letter 1"]["published"] == START
    assert entries["Letter 2"]["updated"] == START


def test_an_empty_feed_is_one_all_the_same(make: Any) -> None:
    stand = make()
    assert (
        read_atom(stand.get("/atom.xml").body)["entries"] == [] and read_rss(stand.get("/rss.xml").body)["items"] == []
    )


def test_a_feed_has_the_latest_fifty(make: Any) -> None:
    stand = make()
    for n in range(1, 61):
        stand.write(n)
    stand.run()
    found = read_atom(stand.get("/atom.xml").body)["entries"]
    assert [e["title"] for e in found] == [f"Letter {n}" for n in range(60, 10, -1)] and len(stand.listed()) == 60
