"""Posts: what a file becomes, and every way in which its front matter can deceive."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import PostError
from newsletter.posts import Fault, Folder, Post, PostStatus, file_name, new_post_text, read_folder, read_post, slug

CORPUS = Path(__file__).parent.parent / "corpus" / "posts"
PORTLAND = ZoneInfo("America/Los_Angeles")
AT = time(9)


def read(path: Path) -> Post:
    return read_post(path, zone=PORTLAND, at=AT)


def folder(path: Path) -> Folder:
    return read_folder(path, zone=PORTLAND, at=AT)


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    path = tmp_path / "posts"
    path.mkdir()
    return path


def written(posts: Path, name: str, front: str = "title: T", body: str = "Text.") -> Path:
    path = posts / name
    path.write_text(f"---\n{front}\n---\n\n{body}\n", encoding="utf-8")
    return path


def faults_of(posts: Path, front: str) -> list[str]:
    written(posts, "004-x.md", front)
    return [str(fault) for fault in folder(posts).faults]


def test_a_full_post() -> None:
    path = CORPUS / "001-a-full-one.md"
    assert read(path) == Post(
        id="questions-1",
        explicit_id=True,
        number=1,
        path=path,
        title="Q&A #1: what's new?",
        subject="A letter for 間",
        preheader="Three small answers to questions that readers sent.",
        publish_at=datetime(2026, 3, 3, 5, 30, tzinfo=UTC),
        status=PostStatus.LIVE,
        tags=frozenset({"couples", "families"}),
        language="pt-BR",
        image="images/hills.png",
        image_alt="Hills at dawn",
        late=True,
        text="Dear reader,\n\n#1 is short.",
        body="## A beginning\n\nHere we are.\n",
        body_line=20,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def test_a_short_post_has_defaults(posts: Path) -> None:
    post = read(written(posts, "0042-On-Écoute.md", "title: Listening"))
    assert (post.number, post.id, post.explicit_id, post.subject) == (42, "on-ecoute", False, "Listening")
    assert (post.status, post.tags, post.publish_at, post.late) == (PostStatus.LIVE, frozenset(), None, False)


def test_a_byte_order_mark_and_windows_line_ends_stay_out_of_the_text() -> None:
    post = read(CORPUS / "002-bom-and-windows-line-ends.md")
    assert (post.title, post.status, post.body, post.body_line) == (
        "From Notepad",
        PostStatus.DRAFT,
        "One line.\nAnother.\n",
        6,
    )


def test_the_body_keeps_its_first_indentation_and_its_line(posts: Path) -> None:
    post = read(written(posts, "004-x.md", body="\n\n    code\n\ntext\n\n"))
    assert (post.body, post.body_line) == ("    code\n\ntext\n", 7)


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        pytest.param("004-the-work.md", (4, "the-work"), id="number, dash, slug"),
        pytest.param("004 The Work.md", (4, "the-work"), id="a space instead of dashes"),
        pytest.param("010-x.md", (10, "x"), id="leading zeros are decimal, not octal"),
        pytest.param("12.md", (12, "post-12"), id="nothing but a number"),
        pytest.param("7-間.md", (7, "post-7"), id="no letter that ASCII has"),
        pytest.param("7-x.MD", (7, "x"), id="a suffix in capitals"),
    ],
)
def test_number_and_id_come_from_the_file_name(posts: Path, name: str, identity: tuple[int, str]) -> None:
    written(posts, name)
    post = folder(posts).posts[0]
    assert (post.number, post.id) == identity


@pytest.mark.parametrize(
    ("front", "url"),
    [
        ("title: T", ""),
        ("title: T\nurl:", ""),
        ("title: T\nurl: https://maya.example.org/blog/4#start", "https://maya.example.org/blog/4#start"),
        ("title: T\nurl: 'http://example.org'", "http://example.org"),
    ],
)
def test_where_a_post_stands_on_the_blog(posts: Path, front: str, url: str) -> None:
    assert read(written(posts, "004-x.md", front)).url == url


@pytest.mark.parametrize(
    ("front", "said"),
    [
        pytest.param("title: T\nurl: /blog/4", 'line 3: "/blog/4" is no web address; write all of it', id="half a url"),
        pytest.param("title: T\nurl: javascript:alert(1)", "line 3: .* is no web address", id="a url that is a script"),
        pytest.param('title: T\nurl: https://a.example/\\"x', "line 3: .* is no web address", id="a url with a quote"),
        pytest.param("title: Blog #4", 'line 2: everything from "#4" .* title: "Blog #4"', id="a title cut at a hash"),
        pytest.param("title: #4", 'line 2: everything from "#4" .* title: "#4"', id="a title that is all remark"),
        pytest.param("title: T\nsubject: On #4", 'line 3: .*subject: "On #4"', id="a subject cut at a hash"),
        pytest.param("title: T\nimage_alt: No #4", 'line 3: .*image_alt: "No #4"', id="an alt text cut at a hash"),
        pytest.param("title: a\n  b #4", "line 2: .* whole value in quotes$", id="a title of two lines cut at a hash"),
        pytest.param("title: Q&A: what's new?", 'line 2: a colon .* title: "Q&A: what\'s new\\?"', id="a colon"),
        pytest.param("title: “Q: x”", 'line 2: a colon .* title: "“Q: x”"', id="curly quotes are no quotes"),
        pytest.param("title: @home", 'line 2: .* begins with @ .* title: "@home"', id="an at sign"),
        pytest.param("title: [draft] x", 'line 2: .* begins with \\[ .* title: "\\[draft\\] x"', id="a bracket"),
        pytest.param("title: [draft\nid: x", "line 2: .* begins with \\[", id="a bracket left open"),
        pytest.param("title: [draft]", "line 2: .* read as a list", id="nothing but brackets"),
        pytest.param("title: *Loud*", "line 2: .* begins with \\*", id="an asterisk"),
        pytest.param("title: &more", "line 2: .* begins with &", id="an ampersand that YAML would swallow"),
        pytest.param("title: !x y", "line 2: .* begins with !", id="an exclamation mark that YAML would swallow"),
        pytest.param('title: "He said "hi""', "line 2: the quotes .* title: 'He said \"hi\"'", id="quotes in quotes"),
        pytest.param("title: 'It's fine'", 'line 2: the quotes .* title: "It\'s fine"', id="an apostrophe in quotes"),
        pytest.param('id: x\ntitle: "Open', 'line 3: the quotes .* title: "Open"', id="quotes left open"),
        pytest.param("title:T", "line 2: leave a space after the colon: title: T", id="no space after the colon"),
        pytest.param("title:\u00a0T", "line 2: leave a space", id="a non-breaking space after the colon"),
        pytest.param("title: 2026", 'line 2: .* a number, not as text; .* title: "2026"', id="a title in digits"),
        pytest.param("title: 2026-03-01", "line 2: .* read as a date", id="a title like a date"),
        pytest.param("title: no", "line 2: .* read as yes or no", id="a title that is no"),
        pytest.param("title: ~", "line 2: .* read as nothing", id="a title that is a tilde"),
        pytest.param("title:\n  - a", "line 2: title must be a text, not a list", id="a list of titles"),
        pytest.param("title:", "line 2: the title is missing", id="an empty title"),
        pytest.param("status: live", "posts/004-x.md: the title is missing; add a line", id="no title"),
        pytest.param('title: "a\\u0007b"', "line 2: .*control character", id="a control character by escape"),
        pytest.param("title: a\x07b", "line 2: .*control character", id="a control character"),
        pytest.param("title: a\u2028b", "line 2: .*control character", id="a line separator"),
        pytest.param("title: T\ntitle: U", "line 3: title is given twice, in lines 2 and 3", id="a key twice"),
        pytest.param("title: T\nTitle: U", "line 3: title is given twice", id="a key twice in other case"),
        pytest.param("title: T\nnumber: 5", "line 3: number: 5 disagrees: the post is 4", id="another number"),
        pytest.param("title: T\nnumber: four", "line 3: number: four disagrees", id="a number in words"),
        pytest.param("title: T\npublish_at: 10:30", "line 3: .* is a time without a day", id="a sexagesimal time"),
        pytest.param("title: T\ndate: 2026-13-01", "line 3: 2026-13-01 is not a date: month", id="month thirteen"),
        pytest.param("title: T\ndate: 2026-02-30", "line 3: 2026-02-30 is not a date: day", id="30 February"),
        pytest.param("title: T\ndate: 2026-02-03 25:00", "line 3: .* is not a date: hour", id="25 o'clock"),
        pytest.param("title: T\ndate: 0206-03-01", "line 3: .*the year 0206 can't be right", id="a year mistyped"),
        pytest.param("title: T\ndate: 2026-03-01 09:00+99:00", "line 3: .* is not a date", id="an impossible offset"),
        pytest.param("title: T\ndate: tomorrow", 'line 3: "tomorrow" is not a date; write', id="tomorrow"),
        pytest.param("title: T\ndate: 3/1/2026", 'line 3: "3/1/2026" is not a date; write', id="an American date"),
        pytest.param("title: T\nlanguage: no", 'line 3: .* yes or no.* language: "no"', id="Norwegian read as False"),
        pytest.param("title: T\nlanguage: en_US", 'line 3: "en_US" .* write en-US', id="an underscore in a language"),
        pytest.param("title: T\nlanguage: english", 'line 3: "english" .* short code', id="a language in words"),
        pytest.param("title: T\nstatus: drfat", 'line 3: "drfat" .* did you mean draft', id="a status misspelt"),
        pytest.param("title: T\nstatus: published", "line 3: .* did you mean live", id="another tool's status"),
        pytest.param("title: T\nstatus:", 'line 3: "" is not a status; write draft, live', id="an empty status"),
        pytest.param("title: T\ndraft: true", "line 3: draft is not a key here; write status: draft", id="draft: true"),
        pytest.param("title: T\npublished: false", "line 3: .* write status: draft", id="published: false"),
        pytest.param("title: T\ncatch_up: yes", "line 3: catch_up knows one word, late", id="another catch_up"),
        pytest.param("title: T\nid: 004", 'line 3: .* a number, .* id: "004"', id="an id in digits"),
        pytest.param("title: T\nid: On Losses!", 'line 3: the id "On Losses!" .* id: on-losses', id="an odd id"),
        pytest.param("title: T\ntags: {a: b}", "line 3: tags must be words with commas", id="tags in braces"),
        pytest.param("title: T\nprose\nid: x", 'line 3: "prose" is not .* closing --- is missing', id="prose"),
        pytest.param(
            "title: T\nHe said: no", 'line 3: "He said: no" .* closing --- is missing', id="prose with a colon"
        ),
        pytest.param("title: T\n  id: x", "line 3: this line begins with a space or tab", id="an indented key"),
        pytest.param("title: T\n\tid: x", "line 3: this line begins with a space or tab", id="a tab"),
        pytest.param("- title: T", 'line 2: "- title: T" is not of the form', id="a list"),
        pytest.param("title: T\nx: " + "[" * 5000, "line 3: .* begins with \\[", id="brackets that would end Python"),
    ],
)
def test_a_trap_is_refused_with_file_line_and_remedy(posts: Path, front: str, said: str) -> None:
    problems = faults_of(posts, front)
    assert len(problems) == 1
    assert problems[0].startswith("posts/004-x.md")
    assert re.search(said, problems[0]), problems[0]
    assert len(problems[0]) < 300
    with pytest.raises(PostError) as caught:
        read(posts / "004-x.md")
    assert str(caught.value) == problems[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("titel: T", '"titel" .* did you mean title', id="a letter swapped"),
        pytest.param("canonical_url: https://x.example", '"canonical_url" .* did you mean url', id="a blog's word"),
        pytest.param("lang: de", '"lang" .* did you mean language', id="another tool's word"),
        pytest.param("send_at: 10:30", '"send_at" .* did you mean publish_at', id="another tool's time"),
        pytest.param("version: 1.10", '"version" .* known are allow, catch_up, date', id="nothing near"),
        pytest.param("number: 004", "the number comes from the file name", id="the number in YAML"),
    ],
)
def test_an_unknown_key_is_a_warning(posts: Path, line: str, said: str) -> None:
    written(posts, "004-x.md", f"title: T\n{line}")
    found = folder(posts)
    assert [post.number for post in found.posts] == [4]
    assert len(found.warnings) == 1
    assert re.match(f"posts/004-x.md, line 3: .*{said}", found.warnings[0]), found.warnings


@pytest.mark.parametrize(
    ("line", "instant"),
    [
        pytest.param("date: 2026-03-03", (2026, 3, 3, 17), id="a date is that day at the slot's time"),
        pytest.param("date: 2026-3-3", (2026, 3, 3, 17), id="digits without zeros"),
        pytest.param("publish_at: 2026-07-03 9:30", (2026, 7, 3, 16, 30), id="a naive time is in the zone"),
        pytest.param("publish_at: 2026-07-03T09:30:00Z", (2026, 7, 3, 9, 30), id="a time in UTC"),
        pytest.param("publish_at: 2026-07-03 09:30 -5", (2026, 7, 3, 14, 30), id="a bare offset"),
        pytest.param("publish_at: '2026-07-03 09:30'", (2026, 7, 3, 16, 30), id="a time in quotes"),
        pytest.param("date: 2026-03-08 02:30", (2026, 3, 8, 10), id="a time that the clocks leap over"),
        pytest.param("date: 2026-11-01 01:30", (2026, 11, 1, 8, 30), id="a time that comes twice: the first"),
        pytest.param("date: 2026-01-01\npublish_at: 2026-02-01", (2026, 2, 1, 17), id="publish_at before date"),
    ],
)
def test_publication(posts: Path, line: str, instant: tuple[int, ...]) -> None:
    assert read(written(posts, "004-x.md", f"title: T\n{line}")).publish_at == datetime(*instant, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("lines", "tags"),
    [
        pytest.param("tags: a, b c", {"a", "b c"}, id="words with commas"),
        pytest.param("tags: [a, 2026, no]", {"a", "2026", "no"}, id="a list keeps words as typed"),
        pytest.param("tags:\n- a\n- b", {"a", "b"}, id="a list down the page"),
        pytest.param("tags:", set(), id="none"),
    ],
)
def test_tags(posts: Path, lines: str, tags: set[str]) -> None:
    assert read(written(posts, "004-x.md", f"title: T\n{lines}")).tags == tags


def test_remarks_are_kept_out_of_short_values(posts: Path) -> None:
    post = read(written(posts, "004-x.md", "title: 'T' # mine\nstatus: draft # not yet\nlanguage: de # German\ntags:"))
    assert (post.title, post.status, post.language) == ("T", PostStatus.DRAFT, "de")


def test_a_folder_of_good_and_bad() -> None:
    found = folder(CORPUS)
    assert [post.number for post in found.posts] == [1, 2, 17]
    assert [post.path.name for post in found.held] == [
        "014-same-number.md",
        "014-the-same-number.md",
        "015-same-slug.md",
        "016-other-slug.md",
    ]
    assert [str(fault) for fault in found.faults] == [
        "posts/000-zero.md: posts are numbered from 1 to 999999999; rename it",
        'posts/003-windows-1252.md, line 5: this looks like Windows-1252, not UTF-8 (at "café,"); '
        "save it as plain text in UTF-8",
        "posts/004-utf-16.md, line 1: this looks like UTF-16, not UTF-8; save it as plain text in UTF-8",
        "posts/005-not-closed.md, line 4: the front matter is never closed; "
        "put a line --- between its last key and the text",
        'posts/006-rule-instead-of-close.md, line 4: "Dear reader, this is the text." is not of the form key: value; '
        "if the post's text begins here, the closing --- is missing above it",
        "posts/007-no-front-matter.md, line 1: there is no front matter, so the title is missing; "
        'begin the file with three lines: ---, title: "Endings", ---',
        "posts/008-empty.md: the file is empty; write at least a title and a text, "
        'or begin with `newsletter new "Title"`',
        "posts/009-no-body.md, line 4: there is no text below the front matter; write the post there",
        "posts/010-word-document.md: this is a Word or Pages document with the name of a text file; "
        "save it as plain text in UTF-8",
        "posts/011-picture.md, line 3: this is not a text file (it has a zero byte); save it as plain text in UTF-8",
        "posts/012-given-twice.md, line 4: title is given twice, in lines 2 and 4; keep one of them",
        'posts/013-several-faults.md, line 2: everything from "#13" on would be cut off, as # begins a remark; '
        'put the whole value in quotes: title: "Blog #13"',
        'posts/013-several-faults.md, line 3: "drfat" is not a status; did you mean draft?',
        'posts/013-several-faults.md, line 4: "tomorrow" is not a date; '
        "write it as date: 2026-03-01 or date: 2026-03-01 09:00",
        "posts/014-same-number.md: number 14 is also the number of posts/014-the-same-number.md; rename one of them",
        "posts/014-the-same-number.md: number 14 is also the number of posts/014-same-number.md; rename one of them",
        'posts/015-same-slug.md: the id "shared" is also the id of posts/016-other-slug.md; '
        "give one of them another id in its front matter",
        'posts/016-other-slug.md: the id "shared" is also the id of posts/015-same-slug.md; '
        "give one of them another id in its front matter",
    ]
    assert list(found.warnings) == [
        'posts/017-old-number.md, line 4: "lang" is not a key that newsletter knows, so it has no effect; '
        "did you mean language?",
        "posts/017-old-number.md, line 3: the number comes from the file name; delete this line",
        "posts/018-saved-twice.md.txt begins with a number but does not end in .md, so it is not a post",
        "posts/notes.md has no number at the start of its name, so it is not a post",
    ]


def test_a_fault_knows_number_and_id_as_far_as_the_file_could_be_read(posts: Path) -> None:
    written(posts, "004-losses.md", "title: [x] y\nid: the-work")
    (posts / "005-losses.md").write_bytes(b"")
    written(posts, "006-losses.md", "title: 1", body="id: not-this-one")
    assert [(fault.number, fault.id) for fault in folder(posts).faults] == [(4, "the-work"), (5, ""), (6, "losses")]


def test_a_broken_file_still_claims_its_number(posts: Path) -> None:
    written(posts, "004-good.md")
    (posts / "004-broken.md").write_bytes(b"")
    found = folder(posts)
    assert not found.posts
    assert [post.path.name for post in found.held] == ["004-good.md"]
    assert "posts/004-broken.md" in str(found.faults[-1])


def test_sub_folders_and_hidden_files_are_left_alone(posts: Path) -> None:
    (posts / "004-drafts.md").mkdir()
    (posts / "images").mkdir()
    for name in (".004-x.md", "._005-x.md", "_006-x.md", "004-x.md~", "ReadMe.md"):
        (posts / name).write_text("nothing", encoding="utf-8")
    assert folder(posts) == Folder((), (), (), ())


def test_a_name_that_is_a_date_is_a_warning(posts: Path) -> None:
    written(posts, "2026-03-01-x.md")
    assert folder(posts).warnings == (
        "posts/2026-03-01-x.md: the name begins with a date, so the post's number is 2026",
    )


def test_a_link_to_nowhere_is_a_fault(posts: Path) -> None:
    (posts / "004-x.md").symlink_to(posts / "gone.md")
    assert [str(fault) for fault in folder(posts).faults] == ["posts/004-x.md: there is no such file; check the name"]


def test_a_file_above_ten_megabytes_is_refused_unread(posts: Path) -> None:
    path = posts / "004-x.md"
    with path.open("wb") as stream:
        stream.truncate(10_000_001)
    with pytest.raises(PostError, match="the file has 10 MB, a post may have 10; move pictures to files"):
        read(path)


def test_a_folder_in_place_of_a_post(posts: Path) -> None:
    (posts / "004-x.md").mkdir()
    with pytest.raises(PostError, match="this is a folder, not a file"):
        read(posts / "004-x.md")


def test_a_file_without_permission(posts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(posts, "004-x.md")

    def refused(path: Path) -> bytes:  # tests may run as root, whom no permission stops
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert [fault.problem for fault in folder(posts).faults] == [
        "you have no permission to read this file; change its permissions"
    ]


def test_a_name_that_no_terminal_can_show(posts: Path) -> None:
    path = posts / "004-\x1b[31m.md"
    path.write_bytes(b"")
    assert str(folder(posts).faults[0]).startswith("posts/004-�[31m.md: the file is empty")


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PostError, match="there is no such folder; make it"):
        folder(tmp_path / "posts")
    (tmp_path / "posts").write_text("a file")
    with pytest.raises(PostError, match="this is a file where the folder"):
        folder(tmp_path / "posts")


def test_a_file_without_number_is_no_post(posts: Path) -> None:
    with pytest.raises(PostError, match="there is no number at the start of its name"):
        read(written(posts, "notes.md"))


def test_a_fault_is_a_sentence() -> None:
    assert str(Fault(Path("/home/maya/posts/004-x.md"), "do this", 3, 4, "x")) == "posts/004-x.md, line 3: do this"
    assert str(Fault(Path("004-x.md"), "do this", None, 4, "x")) == "004-x.md: do this"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        pytest.param("The Relationship Is the Work", "the-relationship-is-the-work", id="plain words"),
        pytest.param("What’s new? It's here!", "whats-new-its-here", id="apostrophes vanish"),
        pytest.param("Über Æther & Łódź, Straße", "uber-aether-lodz-strasse", id="letters are transliterated"),
        pytest.param("間 👋", "", id="nothing left"),
        pytest.param("word " * 20, "word-word-word-word-word-word-word-word-word-word-word-word", id="cut at a word"),
        pytest.param("x" * 80, "x" * 60, id="one long word is cut"),
    ],
)
def test_slug(title: str, expected: str) -> None:
    assert slug(title) == expected
    assert len(expected) <= 60


def test_file_names() -> None:
    assert file_name(7, "On Endings") == "007-on-endings.md"
    assert file_name(1234, "間") == "1234-post.md"


titles = st.text(min_size=1).filter(lambda text: text.strip())


@settings(deadline=None)
@given(title=titles)
def test_a_new_post_is_a_draft_with_its_title_whatever_the_title_is(
    tmp_path_factory: pytest.TempPathFactory, title: str
) -> None:
    text = new_post_text(title, post_id="on-x")
    path = tmp_path_factory.mktemp("posts") / file_name(4, title)
    path.write_text(text, encoding="utf-8")
    found = folder(path.parent)
    if found.faults:  # a title of nothing but control characters is no title
        assert "title is missing" in found.faults[0].problem
        return
    post = found.posts[0]
    shown = [c for c in title if not c.isspace() and c.isprintable()]
    assert [c for c in post.title if not c.isspace() and c.isprintable()] == shown
    assert (post.id, post.explicit_id, post.status, post.number) == ("on-x", True, PostStatus.DRAFT, 4)
    assert not found.warnings


@settings(deadline=None, max_examples=100)
@given(data=st.one_of(st.binary(), st.text().map(lambda t: f"---\ntitle: {t}\n---\nx".encode(errors="replace"))))
def test_any_bytes_are_a_post_or_a_fault(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("posts") / "004-x.md"
    path.write_bytes(data)
    found = folder(path.parent)
    assert bool(found.posts) != bool(found.faults)


def test_importing_posts_loads_nothing_heavy() -> None:
    code = "import sys, newsletter.posts; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"jinja2", "markdown_it", "sqlalchemy", "premailer", "requests"} & set(loaded)
