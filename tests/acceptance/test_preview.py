"""`newsletter preview`: the exact message, a page to look at, and nothing else changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps
from typist import CHECKOUT, Typed

from newsletter.links import Links, Purpose
from newsletter.preview import chromium

CHROMIUM = chromium.found  #: as it is without `no_pictures`
READER = "ana.lucero@example.org"


def everything(*folders: Path) -> dict[Path, bytes | None]:
    """Every file with its bytes, and every folder."""
    return {p: p.read_bytes() if p.is_file() else None for folder in folders for p in folder.rglob("*")}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chromium takes seconds to start; the tests of what it photographs let it."""
    monkeypatch.setattr("newsletter.preview.chromium.found", lambda: None)


@pytest.fixture
def running(project: Path, typed: Typed) -> Path:
    """The sample project with its readers and a database: one run has been, nothing was due."""
    shutil.copyfile(project / "subscribers.example.csv", project / "subscribers.csv")
    assert typed("send").status == 0
    return project


@pytest.fixture
def look(typed: Typed, tmp_path: Path) -> Any:
    """Preview into a folder and read what is there."""

    def look_(*words: str) -> dict[str, str]:
        done = typed("preview", *words, "--no-open", "--output", str(tmp_path / "out"))
        assert done.status == 0, done.said
        found = {p.name: p.read_bytes().decode() for p in (tmp_path / "out").rglob("*") if p.is_file()}
        return found | {"said": done.said}

    return look_


class TestChangesNothing:
    @pytest.mark.parametrize(
        "words",
        [
            pytest.param(["4"], id="for the sample reader"),
            pytest.param(["4", "--as", READER], id="for a reader"),
            pytest.param(["4", "--text"], id="as text"),
            pytest.param(["4", "--as", "nobody@example.org"], id="for a stranger"),
            pytest.param(["99"], id="of a post that is not there"),
        ],
    )
    @pytest.mark.parametrize("with_database", [True, False], ids=["with a database", "before there is one"])
    def test_not_one_byte(
        self, words: list[str], with_database: bool, project: Path, newsletter: Typed, home: Path, tmp_path: Path
    ) -> None:
        shutil.copyfile(project / "subscribers.example.csv", project / "subscribers.csv")
        if with_database:
            assert newsletter("send").status == 0
        assert (project / "secret.key").exists() == with_database
        before = everything(project, home)
        newsletter("preview", *words, "--no-open", *([] if "--text" in words else ["--output", str(tmp_path / "out")]))
        assert everything(project, home) == before

    def test_text_leaves_no_file_anywhere(
        self, newsletter: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "temporary").mkdir()
        monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
        assert newsletter("preview", "4", "--text").status == 0
        assert everything(tmp_path / "temporary") == {}
        assert newsletter("preview", "4", "--no-open").status == 0
        (page,) = (tmp_path / "temporary").glob("newsletter-preview-*/index.html")
        assert len(everything(page.parent / "views")) == 8 + 5, "a page for each view, a letter for each that shows one"


class TestTheMessage:
    def test_is_what_the_reader_got_but_for_the_way_out(self, project: Path, look: Any, typed: Typed) -> None:
        (project / "newsletter.toml").write_text(
            (project / "newsletter.toml").read_text().replace('days = ["tuesday"]', 'first = "at once"')
        )
        assert typed("subscribers", "add", READER, "--name", "Ana Lucero").status == 0
        assert typed("send").status == 0
        (real,) = (project / "outbox" / "new").iterdir()
        sent, shown = (
            _without_identity(real.read_bytes().decode()),
            _without_identity(look("1", "--as", READER)["post.eml"]),
        )
        assert "Ana Lucero" in sent
        assert shown == sent

    def test_has_links_that_do_nothing(self, look: Any, running: Path) -> None:
        shown = look("4", "--as", READER)
        parsed = message_from_bytes(shown["post.eml"].encode(), policy=policy.default)
        url, mailto = re.findall("<([^>]+)>", parsed["List-Unsubscribe"])
        token = url.rpartition("/")[2]
        assert "preview" in token and "preview" in mailto
        assert token in shown["post.html"] and token in shown["post.txt"]
        key = (running / "secret.key").read_text().strip().encode()
        links = Links(key, "https://letters.example.org", "list.letters.example.org")
        assert links.read(Purpose.UNSUBSCRIBE, token) is None
        assert len(token) == len(links.token(Purpose.UNSUBSCRIBE, bytes(16)))

    def test_is_for_a_sample_reader_when_nobody_is_named(self, look: Any) -> None:
        shown = look("4")
        assert "\r\nTo: Ana <ana@example.org>\r\n" in shown["post.eml"]
        assert "Hello Ana," in shown["post.txt"]

    def test_brings_its_images_into_the_page(self, look: Any) -> None:
        shown = look("3")
        assert "Content-ID: <" in shown["post.eml"]
        for page in ("post.html", "letter-light.html", "letter-dark.html"):
            assert "cid:" not in shown[page]
            assert "data:image/jpeg;base64,/9j/" in shown[page]

    def test_as_text_is_the_plain_text_part(self, look: Any, typed: Typed) -> None:
        printed = typed("preview", "4", "--text").out
        assert printed == look("4")["post.txt"]
        assert printed.startswith("Letters from the Practice · No. 4\n")


def _without_identity(message: str) -> str:
    """*message* without the few values that a preview must not share with the real one."""
    message = re.sub(r"(?m)^(Message-ID|Date): .*$", "", message)
    message = re.sub(r"subject=(=\r\n|=3D)?[^>\"]*", "", message)
    return re.sub(r"/u/[\w-]{44}", "/u/", message)


class TestThePage:
    def test_says_what_it_shows(self, look: Any) -> None:
        page = look("4")["index.html"]
        assert "<h1>The Relationship Is the Work</h1>" in page
        assert page.count("<iframe") == 2 and page.count("sandbox=") == 2 and page.count('title="The letter on') == 2
        for words in ("102 KB", "posts/004-the-relationship-is-the-work.md", "Gmail", "post.eml", "Worth a look"):
            assert words in page

    def test_has_every_way_to_look_at_the_post(self, look: Any) -> None:
        shown = look("3")
        links = re.findall(r'<a href="(views/[^"#]+)"', shown["index.html"])
        assert [link.removeprefix("views/") for link in links] == [
            "dark.html", "inverted.html", "no-images.html", "no-styles.html", "text.html", "fields.html",
            "source.html", "markdown.html",
        ]  # fmt: skip
        assert all(link.removeprefix("views/") in shown for link in links)
        assert "List-Unsubscribe" in shown["fields.html"] and "Content-Transfer-Encoding" in shown["source.html"]
        assert "more lines of base64" in shown["source.html"] and len(shown["source.html"]) < len(shown["post.eml"])
        assert 'id="line-1"' in shown["markdown.html"] and "title: The Space Between" in shown["markdown.html"]
        assert "[Image: " in shown["text.html"]
        assert 'src="data:image' in shown["letter-light.html"] and "data:image" not in shown["letter-no-images.html"]
        assert "<style" not in shown["letter-no-styles.html"].replace("<style>:root", "")
        assert all('../index.html"' in shown[link.removeprefix("views/")] for link in links)

    def test_runs_nothing_and_loads_nothing(self, look: Any) -> None:
        shown = look("3")
        for name in (name for name in shown if name.endswith(".html")):
            assert "default-src 'none'" in shown[name]
            assert not re.search(r"<script|<link|@import|url\(|<[^>]*\son\w+=", shown[name]), name

    def test_shows_the_warnings_of_this_post_alone(self, project: Path, look: Any) -> None:
        for number in (7, 8):
            path = project / f"posts/00{number}-x.md"
            path.write_text(f"---\ntitle: X\nid: x{number}\nsubjct: S\n---\n\nx\n")
        shown = look("7")
        for where in (shown["index.html"], shown["said"]):
            assert where.count("subjct") == 1
        assert 'href="views/markdown.html#line-4"' in shown["index.html"]
        assert '<li id="line-4" class="marked warning">' in shown["markdown.html"]

    def test_what_keeps_a_post_from_leaving_looks_graver_in_its_file_than_a_warning(
        self, project: Path, look: Any
    ) -> None:
        (project / "posts/007-x.md").write_text("---\ntitle: X\n---\n\nSee TK <b>here</b>.\n")
        line = look("7")["markdown.html"].partition('<li id="line-5" class="marked error">')[2].partition("</li>")[0]
        assert '<p class="remark error" lang="en">“TK”' in line and '<p class="remark warning"' in line

    def test_warns_of_a_letter_that_gmail_would_cut(self, project: Path, look: Any) -> None:
        (project / "posts/007-long.md").write_text("---\ntitle: Long\n---\n\n" + "All is well. " * 9_000)
        assert "Gmail cuts it after 102 KB" in look("7")["index.html"]

    def test_keeps_what_a_post_says_from_becoming_part_of_it(self, project: Path, look: Any) -> None:
        front = "title: '</title><script>alert(1)</script>'\npreheader: '\"><b>x'"
        (project / "posts/007-x.md").write_text(f"---\n{front}\n---\n\n{{{{ 7 * 7 }}}} <iframe src=//x>\n")
        page = look("7")["index.html"]
        assert "<script>" not in page and '"><b>x' not in page and page.count("<iframe") == 2
        assert "{{ 7 * 7 }}" in look("7")["letter-light.html"]

    def test_shows_a_draft(self, project: Path, look: Any) -> None:
        path = project / "posts/004-the-relationship-is-the-work.md"
        path.write_text(path.read_text().replace("status: live", "status: draft"))
        assert "A draft: nobody gets it" in look("4")["index.html"]


class TestWhen:
    """The sentence for one reader."""

    def test_agrees_with_the_plan(self, running: Path, typed: Typed, tmp_path: Path) -> None:
        coming = typed("plan", "--as", READER, "--days", "90", "--json").json()["days"]
        for number in (1, 4):
            made = typed("preview", str(number), "--as", READER, "--json", "--output", str(tmp_path / "out")).json()
            assert made["at"] == next(day["at"] for day in coming if day["post"] == number)
            assert re.match(
                r"Ana Lucero gets this Tuesday \d+ \w+( 20\d\d)? 09:00 America/Los_Angeles"
                rf"{f', a week after #{number - 1}' if number > 1 else ''}\.$",
                made["sentence"],
            )

    def test_is_for_readers_who_stand_in_the_file_alone_as_well(self, project: Path, look: Any) -> None:
        shutil.copyfile(project / "subscribers.example.csv", project / "subscribers.csv")
        assert "Ana Lucero gets this Tuesday" in look("4", "--as", READER)["index.html"]

    def test_looks_back_when_it_was_sent(self, project: Path, look: Any, typed: Typed) -> None:
        (project / "newsletter.toml").write_text(
            (project / "newsletter.toml").read_text().replace('days = ["tuesday"]', 'first = "at once"')
        )
        typed("subscribers", "add", READER, "--name", "Ana", "--timezone", "Europe/Berlin")
        typed("send")
        said = look("1", "--as", READER)["said"]
        assert re.search(r"Ana got this on \w+ \d+ \w+ \d\d:\d\d Europe/Berlin\.\n", said)
        path = project / "posts/001-the-first-hour.md"
        path.write_text(path.read_text() + "\nOne more word.\n")
        assert "Europe/Berlin. What they got was an earlier text.\n" in look("1", "--as", READER)["said"]

    @pytest.mark.parametrize(
        ("before", "number", "sentence"),
        [
            pytest.param(["subscribers", "pause", READER], 4, "Ana Lucero is paused, so nothing", id="a paused reader"),
            pytest.param(
                ["subscribers", "unsubscribe", READER], 4, "Ana Lucero is unsubscribed, so nothing", id="one who left"
            ),
            pytest.param([], 2, "Chidi Okafor, LCSW has come to #2 already", id="one who is past it"),
        ],
    )
    def test_says_why_not(
        self, before: list[str], number: int, sentence: str, running: Path, look: Any, typed: Typed
    ) -> None:
        if before:
            assert typed(*before).status == 0
        address = READER if before else "okafor@example.org"
        assert sentence in look(str(number), "--as", address)["said"]

    def test_knows_for_whom_a_post_is(self, running: Path, look: Any) -> None:
        (running / "posts/007-x.md").write_text("---\ntitle: X\ntags: [colleague]\n---\n\nWords.\n")
        assert "does not come to this" in look("7", "--as", READER)["said"]
        assert "LCSW gets this Tuesday" in look("7", "--as", "okafor@example.org")["said"]


class TestWhatGoesWrong:
    @pytest.mark.parametrize(
        ("name", "text", "sentence"),
        [
            pytest.param("007-x.md", "---\ntitle: Blog #4\n---\n\nx\n", "posts/007-x.md, line 2: ", id="a trap"),
            pytest.param("007-x.md", "---\ntitle: X\n\nx\n", "posts/007-x.md, line 3: ", id="front matter left open"),
            pytest.param(
                "004-x.md", "---\ntitle: X\n---\n\nx\n", "004-the-relationship-is-the-work.md", id="a number twice"
            ),
            pytest.param(
                "007-x.md", "---\ntitle: X\n---\n\n![a](images/no.png)\n", "posts/007-x.md, line 5: ", id="no image"
            ),
        ],
    )
    def test_a_fault_is_named_with_its_place(
        self, name: str, text: str, sentence: str, project: Path, typed: Typed, tmp_path: Path
    ) -> None:
        (project / "posts" / name).write_text(text)
        done = typed("preview", str(int(name[:3])), "--no-open", "--output", str(tmp_path / "out"))
        assert done.status == 2
        assert sentence in done.err
        assert not (tmp_path / "out").exists()

    def test_a_number_that_is_not_there_is_answered_with_those_that_are(self, typed: Typed) -> None:
        done = typed("preview", "9", "--no-open")
        assert (done.status, "1, 2, 3, 4, 5, 6" in done.err) == (2, True)

    def test_a_template_error_names_its_line(self, project: Path, typed: Typed) -> None:
        path = project / "templates/email/post.html"
        path.write_text(path.read_text().replace("{{ title }}", "{{ titel }}"))
        done = typed("preview", "4", "--no-open")
        assert done.status == 1
        assert re.search(
            r'template post\.html, line \d+: there is no variable "titel"; did you mean "title"\?', done.err
        )

    def test_files_of_another_are_left_alone(self, typed: Typed, tmp_path: Path) -> None:
        (tmp_path / "index.html").write_text("<h1>My practice</h1>")
        done = typed("preview", "4", "--no-open", "--output", str(tmp_path))
        assert done.status == 1 and "index.html, which no preview wrote" in done.err
        assert (tmp_path / "index.html").read_text() == "<h1>My practice</h1>"
        assert not (tmp_path / "post.html").exists()

    def test_its_own_files_are_written_anew(self, look: Any) -> None:
        look("3")
        assert "The Relationship" in look("4")["index.html"]

    def test_a_folder_that_can_not_be_made_is_named(self, typed: Typed, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        done = typed("preview", "4", "--no-open", "--output", str(tmp_path / "file" / "out"))
        assert done.status == 1 and "choose another folder with --output" in done.err

    def test_text_goes_with_nothing_else(self, typed: Typed) -> None:
        assert typed("preview", "4", "--text", "--json").status == 2


@pytest.mark.skipif(chromium.found() is None, reason="needs Chromium")
class TestPictures:
    def test_show_the_whole_letter_wide_narrow_and_dark(
        self, typed: Typed, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("newsletter.preview.chromium.found", CHROMIUM)
        assert typed("preview", "3", "--no-open", "--output", str(tmp_path / "out")).status == 0
        paper = {}
        for name, width in (("desktop.png", 680), ("phone.png", 375), ("dark.png", 680)):
            with Image.open(tmp_path / "out" / name) as picture:
                assert picture.width == width and picture.height > 1_200
                paper[name] = sum(picture.convert("RGB").getpixel((2, 2)))  # type: ignore[arg-type]
        assert paper["desktop.png"] > 600 > 200 > paper["dark.png"]
        assert not list(home.iterdir()), "Chromium leaves nothing in the owner's home"

    def test_a_short_letter_from_right_to_left_lies_in_the_middle(self, tmp_path: Path) -> None:
        program = CHROMIUM()
        assert program is not None
        page, picture = tmp_path / "page.html", tmp_path / "page.png"
        frame = '<div style="width:400px;height:300px;margin:20px auto;background:#000000">'
        page.write_text(f'<!DOCTYPE html><html dir="rtl"><body style="margin:0">{frame}</div>')
        with chromium.camera(program) as photograph:
            photograph(page, picture, 680)
        with Image.open(picture) as shown:
            assert ImageOps.invert(shown.convert("L")).getbbox() == (140, 20, 540, 320)

    def test_a_stranger_s_picture_is_left_alone(
        self, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("newsletter.preview.chromium.found", CHROMIUM)
        (tmp_path / "dark.png").write_bytes(b"mine")
        done = typed("preview", "3", "--no-open", "--output", str(tmp_path))
        assert done.status == 1 and "dark.png, which no preview wrote" in done.err
        assert {p.name for p in tmp_path.iterdir() if p.is_file()} == {"dark.png"}

    def test_without_chromium_everything_else_is_there(self, typed: Typed, tmp_path: Path) -> None:
        done = typed("preview", "3", "--no-open", "--output", str(tmp_path / "out"))
        assert done.status == 0 and "Without Chromium there are no pictures" in done.err
        assert not list((tmp_path / "out").glob("*.png"))

    def test_a_browser_that_does_not_start_costs_the_pictures_alone(
        self, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("newsletter.preview.chromium.found", lambda: Path("/bin/false"))
        done = typed("preview", "3", "--no-open", "--output", str(tmp_path / "out"))
        assert done.status == 0 and "/bin/false took no pictures" in done.err
        assert (tmp_path / "out/index.html").is_file()


class TestTheBrowser:
    @pytest.mark.parametrize(
        ("display", "words", "opened"),
        [
            pytest.param(":9", [], True, id="where there is a screen"),
            pytest.param("", [], False, id="not without a screen"),
            pytest.param(":9", ["--no-open"], False, id="not when told not to"),
            pytest.param(":9", ["--json"], False, id="not for a program"),
        ],
    )
    def test_is_opened(self, display: str, words: list[str], opened: bool, project: Path, tmp_path: Path) -> None:
        browser = tmp_path / "browser"
        browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/shown\n')
        browser.chmod(0o755)
        environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "BROWSER": f"{browser} %s", "DISPLAY": display}
        environment.pop("WAYLAND_DISPLAY", None)
        done = subprocess.run(
            [sys.executable, "-m", "newsletter", "preview", "4", "--output", str(tmp_path / "o ut"), *words],
            cwd=project,
            env=environment,
            capture_output=True,
        )
        assert done.returncode == 0
        shown = tmp_path / "shown"
        assert shown.exists() == opened
        if opened:
            assert shown.read_text().strip() == (tmp_path / "o ut" / "index.html").as_uri()


def test_all_that_is_wrong_with_a_post_is_said_at_once(project: Path, newsletter: Typed) -> None:
    (project / "posts/009-x.md").write_text("---\ntitle: X\n---\n\n[there](#below)\n\n![A gate](images/none.png)\n")
    ran = newsletter("preview", "9", "--no-open")
    first, second = ran.err.splitlines()
    assert ran.status == 2 and first.startswith('newsletter: posts/009-x.md, line 5: the link "#below"')
    assert second.startswith('posts/009-x.md, line 7: the image "images/none.png" is not there;')
