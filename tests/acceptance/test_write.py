"""`newsletter new`, `import`, `posts`: from a title or a pasted page to a post that can be sent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typist import Answer, Typed

PAGE = """\
Home
About

Blog #7

The Long Goodbye

March 3, 2026

Every ending is a beginning of sorts, people say. I am not so sure about it.

What helps

Next time we will look at something else entirely, as promised.

Previous
Previous
Blog #8
Next
Next
Blog #6
"""


def page(number: str = "Blog #7", title: str = "The Long Goodbye") -> bytes:
    return PAGE.replace("Blog #7", number).replace("The Long Goodbye", title).encode()


def names(project: Path) -> set[str]:
    return {path.name for path in (project / "posts").iterdir()}


def post(project: Path, name: str, text: str = "---\ntitle: A title\n---\n\nWords.\n") -> None:
    (project / "posts" / name).write_text(text)


# new


def test_new_takes_the_next_number_and_is_a_draft(newsletter: Typed, project: Path) -> None:
    begun = newsletter("new", 'Q&A #2: "what’s new?"')
    assert (begun.status, begun.out) == (0, "posts/007-q-a-2-whats-new.md\n")
    found = newsletter("posts", "--json").json()
    assert not found["problems"] and not found["warnings"]
    assert found["posts"][-1] | {"file": "", "id": ""} == {
        "number": 7,
        "title": 'Q&A #2: "what’s new?"',
        "state": "draft",
        "file": "",
        "id": "",
        "publish_at": None,
        "accepted": None,
    }


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        pytest.param({"012-broken.md": "no front matter"}, "013-", id="a broken file keeps its number"),
        pytest.param({"008-a.md": None, "08-b.md": None}, "009-", id="two files that are held keep theirs"),
        pytest.param({"010-mine.md": None}, "011-", id="numbers are decimal"),
        pytest.param({"notes.md": "x", "_099-later.md": "x", "77.txt": "x"}, "007-", id="other files have no number"),
    ],
)
def test_the_next_number(typed: Typed, project: Path, present: dict[str, str | None], expected: str) -> None:
    for name, text in present.items():
        post(project, name, text or f"---\ntitle: T\nid: {name[:3].strip('-')}-{name[-4]}\n---\n\nWords.\n")
    assert Path(typed("new", "A title").out.strip()).name.startswith(expected)


def got_the_first(typed: Typed, project: Path) -> None:
    """Ana has got #1, and is not gone on."""
    settings = project / "newsletter.toml"
    text = settings.read_text().replace('days = ["tuesday"]', "").replace('# first = "slot"', 'first = "at once"  #')
    settings.write_text(text)
    typed("subscribers", "add", "ana@example.org")
    assert typed("send").status == 0


def test_a_number_that_readers_are_past_is_not_given_again(typed: Typed, project: Path) -> None:
    for path in (project / "posts").glob("00[2-6]*"):
        path.unlink()
    got_the_first(typed, project)
    (project / "posts/001-the-first-hour.md").unlink()
    assert typed("new", "Another").out == "posts/002-another.md\n"
    taken = typed("import", "-", stdin=page("Blog #1"))
    assert "number 1 is taken by posts/001-the-first-hour.md, which is gone" in taken.err


def test_a_number_at_which_readers_wait_is_not_given_again(typed: Typed, project: Path) -> None:
    got_the_first(typed, project)
    (project / "posts/006-good-company-on-a-hard-day.md").unlink()
    assert typed("new", "Another").out == "posts/007-another.md\n"


def test_samples_that_nobody_got_leave_their_numbers_free(typed: Typed, project: Path) -> None:
    typed("send")  # they are on record as live
    for path in (project / "posts").glob("*.md"):
        path.unlink()
    assert typed("new", "First").out == "posts/001-first.md\n"


def test_a_renumbered_post_leaves_its_old_number_free(typed: Typed, project: Path) -> None:
    got_the_first(typed, project)
    (project / "posts/006-good-company-on-a-hard-day.md").rename(project / "posts/008-good-company-on-a-hard-day.md")
    assert typed("import", "-", stdin=page("Blog #6")).status == 0


def test_two_posts_of_one_title_are_two_posts(typed: Typed) -> None:
    assert [typed("new", "Endings").status for _ in range(3)] == [0, 0, 0]
    found = typed("posts", "--json").json()
    assert [p["id"] for p in found["posts"][6:]] == ["endings", "endings-8", "endings-9"]
    assert not found["problems"]


@pytest.mark.parametrize("title", ["", "   ", "\u200b", "\n"])
def test_an_empty_title_is_refused(typed: Typed, project: Path, title: str) -> None:
    before = names(project)
    answer = typed("new", title)
    assert (answer.status, "the title is empty" in answer.err) == (2, True)
    assert names(project) == before


def test_new_in_a_project_whose_posts_folder_is_gone(typed: Typed, project: Path) -> None:
    (project / "posts").rename(project / "elsewhere")
    assert "there is no such folder" in typed("posts").err
    assert typed("new", "First").out == "posts/001-first.md\n"


# import


def test_a_pasted_page_becomes_a_live_post(newsletter: Typed, project: Path) -> None:
    (project / "page.txt").write_bytes(page())
    done = newsletter("import", "page.txt")
    assert done.status == 0, done.said
    text = (project / "posts/007-the-long-goodbye.md").read_text()
    assert 'title: "The Long Goodbye"' in text and "status: live" in text
    assert "\n## What helps\n" in text
    assert text.endswith("Next time we will look at something else entirely, as promised.\n")
    assert "page.txt → posts/007-the-long-goodbye.md" in done.out
    assert "10 lines left out:" not in done.out and "9 lines left out:" in done.out
    for line in ("Home", "March 3, 2026", "Previous", "Blog #8", "Next", "Blog #6"):
        assert f"    {line}\n" in done.out
    assert "status: draft" in done.err, "how to hold it back"
    found = newsletter("posts", "--json").json()
    assert (found["posts"][-1]["number"], found["posts"][-1]["state"], found["problems"]) == (7, "live", [])


def test_what_became_of_each_page_as_json(typed: Typed, project: Path) -> None:
    (project / "page.txt").write_bytes(page())
    (found,) = typed("import", "page.txt", "--json").json()
    assert Path(found.pop("file")).resolve() == (project / "posts/007-the-long-goodbye.md").resolve()
    assert len(found.pop("cut")) == 9
    assert found == {"source": "page.txt", "post": 7, "title": "The Long Goodbye"}


def test_a_page_from_standard_input(newsletter: Typed, project: Path) -> None:
    assert newsletter("import", "-", "--number", "20", stdin=page()).status == 0
    assert "020-the-long-goodbye.md" in names(project)


def test_a_page_without_a_number_gets_the_next_free_one(typed: Typed, project: Path) -> None:
    (project / "a.txt").write_bytes(page("", "One"))
    (project / "b.txt").write_bytes(page("Blog #9", "Two"))
    (project / "c.txt").write_bytes(page("", "Three"))
    done = typed("import", "a.txt", "b.txt", "c.txt")
    assert {"010-one.md", "009-two.md", "011-three.md"} <= names(project)
    assert done.out.count("this is the next free one") == 2


def test_two_pages_of_one_title_are_two_posts(typed: Typed, project: Path) -> None:
    (project / "a.txt").write_bytes(page("Blog #7", "Endings"))
    (project / "b.txt").write_bytes(page("Blog #8", "Endings"))
    assert typed("import", "a.txt", "b.txt").status == 0
    found = typed("posts", "--json").json()
    assert ([p["id"] for p in found["posts"][6:]], found["problems"]) == (["endings", "endings-8"], [])


@pytest.mark.parametrize(
    ("files", "words", "sentences"),
    [
        pytest.param(
            {"a.txt": page("Blog #4")},
            (),
            ["a.txt: number 4 is taken by posts/004-the-relationship-is-the-work.md", "--number 7"],
            id="a number that a post has",
        ),
        pytest.param(
            {"a.txt": page("")},
            ("--number", "4"),
            ["a.txt: number 4 is taken by posts/004"],
            id="a number given and taken",
        ),
        pytest.param(
            {"a.txt": page(), "b.txt": page()}, (), ["b.txt: number 7 is taken by a.txt"], id="two pages of one number"
        ),
        pytest.param(
            {"a.txt": page(), "b.txt": page()}, ("--number", "9"), ["--number is for one page"], id="one number for two"
        ),
        pytest.param({"a.txt": page()}, ("--number", "0"), ["--number"], id="no number at all"),
        pytest.param(
            {"a.txt": page(), "none.txt": None}, (), ["none.txt: there is no such file"], id="a file that is not there"
        ),
        pytest.param(
            {"a.txt": page(), "b.txt": b"\x7fELF\x00" + b"\x01\x02" * 50},
            (),
            ["b.txt, line 1: this is not a text file"],
            id="a binary file",
        ),
        pytest.param({"a.txt": page(), "b.txt": b""}, (), ["b.txt: the file is empty"], id="an empty file"),
        pytest.param(
            {"a.txt": page(), "b.txt": b"PK\x03\x04 and so on"},
            (),
            ["b.txt: this is a Word or Pages document"],
            id="a Word document",
        ),
        pytest.param(
            {"a.txt": "Café\n\nWords and words, no end.\n".encode("cp1252")},
            (),
            ["a.txt, line 1", "Windows-1252"],
            id="another encoding",
        ),
        pytest.param(
            {"a.txt": b"<!DOCTYPE html><title>x</title>"},
            (),
            ["a.txt: this is a web page's source"],
            id="the source of a page",
        ),
        pytest.param(
            {"a.md": b"---\ntitle: Mine\n---\n\nWords.\n"},
            (),
            ["a.md: this is a post already", "posts/"],
            id="a post already",
        ),
        pytest.param({"a.txt": b"Only a title\n"}, (), ["a.txt: "], id="a title and nothing else"),
        pytest.param({"posts": None}, (), ["posts: this is a folder"], id="a folder"),
    ],
)
def test_what_cannot_be_imported_changes_nothing(
    typed: Typed, project: Path, files: dict[str, bytes | None], words: tuple[str, ...], sentences: list[str]
) -> None:
    for name, content in files.items():
        if content is not None:
            (project / name).write_bytes(content)
    before = names(project)
    answer = typed("import", *files, *words)
    assert answer.status == 2
    for sentence in sentences:
        assert sentence in answer.err
    assert names(project) == before


def test_when_the_second_of_two_cannot_be_written_the_first_is_not_either(
    typed: Typed, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "a.txt").write_bytes(page("Blog #7", "One"))
    (project / "b.txt").write_bytes(page("Blog #8", "Two"))
    before = names(project)
    link = os.link

    def full(source: Path, target: Path) -> None:
        if "008" in str(target):
            raise FileExistsError(17, "File exists")
        link(source, target)

    monkeypatch.setattr(os, "link", full)
    answer = typed("import", "a.txt", "b.txt")
    assert (answer.status, "nothing was changed" in answer.err) == (1, True)
    assert names(project) == before


def test_an_imported_post_reaches_those_who_waited(typed: Typed, project: Path) -> None:
    typed("subscribers", "add", "ana@example.org", "--had-through", "6")
    assert "Nothing is due" in typed("plan").out
    typed("import", "-", stdin=page())
    assert [d["post"] for d in typed("plan", "--json").json()["days"]] == [7]


# posts


def states(answer: Answer) -> dict[str, str]:
    return {p["file"]: p["state"] for p in answer.json()["posts"]}


def test_every_state_and_what_is_wrong(newsletter: Typed, project: Path) -> None:
    post(project, "007-draft.md", "---\ntitle: D\nstatus: draft\n---\n\nWords.\n")
    post(project, "008-gone.md", "---\ntitle: R\nstatus: retracted\n---\n\nWords.\n")
    post(project, "009-one.md")
    post(project, "009-two.md")
    post(project, "010-broken.md", "---\ntitle: Blog #10\n---\n\nWords.\n")
    post(project, "000-none.md")
    post(project, "011-odd.md", "---\ntitle: Odd\nsubjct: x\n---\n\nWords.\n")
    found = newsletter("posts", "--json")
    assert found.status == 0
    first, *others = states(found).items()
    assert first == ("000-none.md", "broken")
    assert others[6:] == [
        ("007-draft.md", "draft"),
        ("008-gone.md", "retracted"),
        ("009-one.md", "held"),
        ("009-two.md", "held"),
        ("010-broken.md", "broken"),
        ("011-odd.md", "live"),
    ]
    seen = newsletter("posts")
    assert seen.status == 0
    assert "#10" in seen.out and "broken" in seen.out
    assert "posts/010-broken.md, line 2:" in seen.err
    assert "posts/000-none.md: posts are numbered from 1" in seen.err
    assert "posts/009-one.md: number 9 is also the number of posts/009-two.md" in seen.err
    assert '"subjct" is not a key' in seen.err and "did you mean subject?" in seen.err
    assert not (project / "newsletter.db").exists()


def test_a_live_post_that_breaks_or_goes_is_still_listed(typed: Typed, project: Path) -> None:
    got_the_first(typed, project)
    (project / "posts/002-the-two-oclock-worries.md").write_text("")
    (project / "posts/005-a-kinder-no.md").unlink()
    found = typed("posts", "--json")
    assert states(found)["002-the-two-oclock-worries.md"] == "broken"
    assert states(found)["005-a-kinder-no.md"] == "gone"
    assert len(found.json()["posts"]) == 6
    assert any("readers who come to #5 wait" in problem for problem in found.json()["problems"])


def test_dates_are_shown_by_the_newsletters_clock(typed: Typed, project: Path) -> None:
    post(project, "007-dated.md", "---\ntitle: Dated\npublish_at: 2030-01-05\n---\n\nWords.\n")
    assert "2030-01-05 09:00" in typed("posts").out
    assert typed("posts", "--json").json()["posts"][-1]["publish_at"] == "2030-01-05T17:00:00Z"


def test_an_empty_folder(typed: Typed, project: Path) -> None:
    for path in (project / "posts").glob("*.md"):
        path.unlink()
    answer = typed("posts")
    assert (answer.status, "There are no posts yet" in answer.out) == (0, True)
    assert typed("posts", "--json").json() == {"posts": [], "problems": [], "warnings": []}


def test_how_many_got_each_post(typed: Typed, project: Path) -> None:
    typed("subscribers", "add", "bo@example.org", "--had-through", "5")
    got_the_first(typed, project)
    assert [p["accepted"] for p in typed("posts", "--json").json()["posts"]] == [1, 0, 0, 0, 0, 0]
    assert "Sent to" in typed("posts").out
