"""`newsletter archive` as the owner types it, and `serve` beside it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from http.client import HTTPConnection
from pathlib import Path
from time import sleep
from urllib.parse import unquote, urlsplit

import pytest
from feeds_read import read_atom, read_rss
from served import free_port, serving, settings
from typist import Typed

LETTERS = 6


class Links(HTMLParser):
    """Every address that a page leads to or loads from, but those for search engines."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("rel") != "canonical":
            self.found += [value for name in ("href", "src") if (value := given.get(name))]


def leads(page: Path) -> list[Path]:
    """The files that the links of *page* lead to; those to elsewhere are not among them."""
    links = [link for link in Links(page.read_text()).found if not urlsplit(link).scheme and not link.startswith("#")]
    return [(page.parent / unquote(link)).resolve() for link in links]


def set_(project: Path, **lines: str) -> None:
    path = project / "newsletter.toml"
    text = path.read_text()
    for name, value in lines.items():
        text, found = re.subn(rf"(?m)^(?:# )?{name} = .*$", f"{name} = {value}", text, count=1)
        assert found
    path.write_text(text)


@pytest.fixture
def out(project: Path, typed: Typed) -> Path:
    """A project whose first run was, and where its pages are to go."""
    (project / "subscribers.csv").write_text("email\nana@example.org\n")
    assert typed("send").status == 0
    return project / "site"


def test_it_writes_a_whole_site(out: Path, typed: Typed) -> None:
    answer = typed("archive", "--output", out)
    assert answer.status == 0 and answer.out == f"{LETTERS} letters: {out}/index.html\n"
    pages = sorted(out.glob("p/*/index.html"))
    assert len(pages) == LETTERS
    for page in [out / "index.html", *pages]:
        assert "ana@" not in page.read_text() and "@@" not in page.read_text()
        for path in leads(page):
            assert path.is_relative_to(out) and path.is_file(), f"{page} leads to {path}"
    reached, todo = set(), [out / "index.html"]
    while todo:
        if (page := todo.pop()) not in reached:
            reached.add(page)
            todo += [path for path in leads(page) if path.suffix == ".html"]
    assert reached == {out / "index.html", *pages}
    atom, rss = read_atom((out / "atom.xml").read_bytes()), read_rss((out / "rss.xml").read_bytes())
    for entry in [*atom["entries"], *rss["items"]]:
        path = urlsplit(entry["link"]).path.lstrip("/")
        assert (out / path / "index.html").is_file()
        for src in re.findall(r'src="([^"]+)"', entry["content"]):
            assert (out / urlsplit(src).path.lstrip("/")).is_file()
    again = typed("archive", "--output", out)
    assert again.status == 0 and "Nothing had changed." in again.err


def test_a_retracted_letter_goes_and_nothing_else_does(project: Path, out: Path, typed: Typed) -> None:
    typed("archive", "--output", out)
    (out / "CNAME").write_text("hers")
    page = out / "p/the-space-between/index.html"
    assert page.exists() and list(out.glob("m/*/gate-at-dawn.jpg"))
    post = next((project / "posts").glob("003-*"))
    post.write_text(post.read_text().replace("status: live", "status: retracted"))
    told = json.loads(typed("archive", "--output", out, "--json").out)
    assert told["letters"] == LETTERS - 1 and "p/the-space-between/index.html" in told["removed"]
    assert not page.parent.exists() and not (out / "m").exists() and (out / "CNAME").read_text() == "hers"
    assert not [page for page in out.rglob("*.html") if "p/the-space-between/" in page.read_text()]
    assert "The Space Between" not in (out / "atom.xml").read_text() + (out / "rss.xml").read_text()


def test_a_slip_in_a_file_takes_no_page_away(project: Path, out: Path, typed: Typed) -> None:
    typed("archive", "--output", out)
    post = next((project / "posts").glob("003-*"))
    text = post.read_text()
    post.write_text(text.replace("status: live", "status: liev"))
    for _ in range(2):
        answer = typed("archive", "--output", out)
        assert answer.status == 0 and "its page stays as it was" in answer.err and "line 6" in answer.err
        assert all(path.exists() for path in leads(out / "p/the-space-between/index.html"))
    post.unlink()
    typed("archive", "--output", out)
    assert not (out / "p/the-space-between").exists()


def test_pages_carry_the_place_they_are_for(out: Path, typed: Typed) -> None:
    typed("archive", "--output", out, "--url", "https://maya.example.org/letters/")
    page = (out / "p/a-kinder-no/index.html").read_text()
    assert '<link rel="canonical" href="https://maya.example.org/letters/p/a-kinder-no">' in page
    assert 'href="https://letters.example.org/subscribe"' in page
    assert read_atom((out / "atom.xml").read_bytes())["self"] == "https://maya.example.org/letters/atom.xml"


def test_search_engines_are_asked_to_stay_away(project: Path, out: Path, typed: Typed) -> None:
    typed("archive", "--output", out)
    assert not [page for page in out.rglob("*.html") if '"noindex"' in page.read_text()]
    set_(project, noindex="true")
    typed("archive", "--output", out)
    assert [page for page in out.rglob("*.html") if '<meta name="robots" content="noindex">' in page.read_text()] == [
        *out.rglob("*.html")
    ]


def test_without_a_url_there_are_no_feeds_and_it_says_so(project: Path, out: Path, typed: Typed) -> None:
    typed("archive", "--output", out)
    set_(project, url='""')
    answer = typed("archive", "--output", out)
    assert answer.status == 0 and "there are no feeds" in answer.err and not (out / "atom.xml").exists()
    assert "subscribe" not in (out / "index.html").read_text().partition("<body>")[2]


@pytest.mark.parametrize("visible", ["readers", "nobody"])
def test_what_is_not_for_everybody_is_not_written(project: Path, out: Path, typed: Typed, visible: str) -> None:
    set_(project, visible=f'"{visible}"')
    answer = typed("archive", "--output", out)
    assert answer.status == 2 and f'visible is "{visible}"' in answer.err and not out.exists()


@pytest.mark.parametrize("place", [".", "..", "posts", "posts/site", "templates"])
def test_not_among_what_the_newsletter_is_made_of(project: Path, out: Path, typed: Typed, place: str) -> None:
    before = sorted(project.rglob("*"))
    answer = typed("archive", "--output", place)
    assert answer.status == 1 and "choose a folder of its own" in answer.err and sorted(project.rglob("*")) == before


def test_before_the_first_run_there_is_nothing_to_write(project: Path, typed: Typed) -> None:
    answer = typed("archive", "--output", "site")
    assert answer.status == 1 and "no run has looked at the posts yet" in answer.err
    assert not (project / "site").exists() and not (project / "newsletter.db").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "Missing option '--output'"),
        (("--output", "newsletter.toml"), "is a file, and the pages need a folder"),
        (("--output", "site", "--url", "ftp://x"), "it must begin with https://"),
    ],
)
def test_what_cannot_be_is_said(out: Path, typed: Typed, words: tuple[str, ...], complaint: str) -> None:
    answer = typed("archive", *words)
    assert answer.status in (1, 2) and complaint in answer.err and not out.exists()


def test_serve_shows_what_changes_while_it_runs(project: Path, out: Path, typed: Typed) -> None:
    port = free_port()
    url = settings(project, port)
    with serving(project, port, url) as server:

        def asked(path: str, **headers: str) -> tuple[int, dict[str, str], str]:
            connection = HTTPConnection("127.0.0.1", port)
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
            connection.close()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

        status, _, index = asked("/archive")
        assert status == 200 and index.count('<p class="above">') == LETTERS
        status, headers, page = asked("/list/p/the-space-between")
        assert status == 200 and "gate-at-dawn" in page and asked("/subscribe")[2].count("/list/archive") == 1
        (picture,) = re.findall(r'src="(/list/m/[^"]+)"', page)
        assert asked(picture)[0] == 200
        assert asked("/p/the-space-between", **{"If-None-Match": headers["etag"]})[0] == 304
        assert read_atom(asked("/atom.xml")[2].encode())["self"] == f"{url}/atom.xml"
        post = next((project / "posts").glob("003-*"))
        post.write_text(post.read_text().replace("status: live", "status: retracted"))
        for _ in range(200):
            if (found := asked("/p/the-space-between"))[0] == 410:
                break
            sleep(0.05)  # it looks at the folder twice a second
        assert found[0] == 410 and asked("/p/3")[0] == 410 and asked("/p/99")[0] == 404
        head = server.ask("HEAD", "/archive")
        assert head == (200, "")
        said = server.end()
    assert "Traceback" not in said
