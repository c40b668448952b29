"""The letters on the web in a real browser: served, for one reader, and as files from the disk; without script."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Page, needs_chromium, running
from served import ENVIRONMENT, free_port, links_of, serving, settings

from newsletter.cli.start import make_project
from newsletter.links import Purpose

pytestmark = needs_chromium

PHONE, DESKTOP = 375, 1280
WIDTHS = pytest.mark.parametrize("width", [320, PHONE, DESKTOP], ids=["small phone", "phone", "desktop"])
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
RICH = """\
---
title: "Everything <at> once, and a title that is so long that it needs a second line & a third"
id: everything
preheader: All that a post can have.
url: https://maya.example.org/blog/everything
image: images/gate-at-dawn.jpg
image_alt: A gate
---

## A heading

> A quotation
>
> - with a list

> [!TIP]
> Something that helps, with `code` and [a link](https://letters.example.org/p/the-first-hour).

| a | b | c | a heading that is long |
|---|:-:|--:|---|
| one | two | 3 | averyveryveryverylongwordthatneverendsandneverbreaks |

- [ ] to do
- [x] done

1. one
   1. inner

```
some code that is wider than any phone and goes on and on and on and on and on and on and on
```

[Book a first hour](https://example.org/book){.button} [Or call](tel:+15551234){.button}

A note[^1], and https://example.org/a/very/long/address/that/goes/on/and/on/and/on/and/on/and/on/and/on.

---

[^1]: What the note says.
"""


class Letters:
    """A running server, the link of one reader, and a folder of files."""

    def __init__(self, url: str, own: str, site: Path) -> None:
        self.url, self.own, self.site = url, own, site

    def pages(self) -> dict[str, str]:
        return {
            "index": f"{self.url}/archive",
            "letter": f"{self.url}/p/everything",
            "retracted": f"{self.url}/p/a-kinder-no",
            "file": (self.site / "p/everything/index.html").as_uri(),
            "index file": (self.site / "index.html").as_uri(),
        }


def _typed(root: Path, *words: str) -> None:
    import os

    command = [sys.executable, "-m", "newsletter", *words]
    done = subprocess.run(command, cwd=root, env=os.environ | ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _project(root: Path, port: int, visible: str) -> str:
    make_project(root)
    kinder = next((root / "posts").glob("005-*"))
    kinder.write_text(kinder.read_text().replace("status: live", "status: retracted"))
    (root / "posts/007-everything.md").write_text(RICH)
    (root / "subscribers.csv").write_text("email,had_through\nana@example.org,7\nbo@example.org,2\n")
    return settings(root, port, visible=f'"{visible}"')


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Letters]:
    root, port = tmp_path_factory.mktemp("letters"), free_port()
    url = _project(root, port, "all")
    _typed(root, "send")
    _typed(root, "archive", "--output", "site")
    with serving(root, port, url):
        yield Letters(url, "", root / "site")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Letters]:
    root, port = tmp_path_factory.mktemp("own"), free_port()
    url = _project(root, port, "readers")
    _typed(root, "send")
    links = links_of(root, Purpose.ARCHIVE)
    with serving(root, port, url):
        yield Letters(url, f"{url}{links['bo@example.org']}", root)


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with running() as page:
        yield page


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    tab.requests.clear()
    tab.errors.clear()
    with tab.without_script():
        yield tab


def sound(page: Page, home: str, *, expected_errors: int = 0) -> None:
    """What holds for every page. axe is a script: a page opened without gets that one alone."""
    page.call("Emulation.setScriptExecutionDisabled", value=False)
    assert page.violations("serious", "critical", "moderate") == []
    wide = page.ask("[document.scrollingElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], "it scrolls sideways"
    assert [url for url in page.requests if not url.startswith(home) and not url.endswith("/favicon.ico")] == []
    assert len(page.errors) == expected_errors, page.errors
    assert page.ask("document.querySelectorAll('h1').length") == 1
    small = page.ask(
        "[...document.querySelectorAll('.button, .neighbours a, .letters a')].map(e => [e.outerHTML.slice(0, 60),"
        " e.getBoundingClientRect().height]).filter(([, height]) => height < 44)"
    )
    assert small == [], "a thumb needs room"
    assert page.ask("[...document.images].every(i => i.complete && i.naturalWidth > 0 && i.alt)")


@WIDTHS
@SCHEMES
def test_every_page_is_for_everybody(page: Page, letters: Letters, width: int, scheme: str) -> None:
    for name, url in letters.pages().items():
        page.requests.clear()
        page.errors.clear()
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.open(url, width=width, scheme=scheme)
        home = letters.site.as_uri() if "file" in name else letters.url
        sound(page, home, expected_errors=1 if name == "retracted" else 0)


def heading(page: Page) -> str:
    return str(page.until("document.querySelector('h1')?.textContent"))


def tab_to(page: Page, words: str) -> None:
    """Press Tab until what says *words* has the focus, and see that one sees it."""
    for _ in range(60):
        if words in page.ask("document.activeElement.textContent.trim()") and page.ask(
            "document.activeElement !== document.body"
        ):
            assert page.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
        page.press("Tab")
    raise AssertionError(f"the keyboard never comes to {words!r}")


@pytest.mark.parametrize("place", ["served", "files"])
def test_from_letter_to_letter_by_keyboard_alone(page: Page, letters: Letters, place: str) -> None:
    pages = letters.pages()
    page.open(pages["index"] if place == "served" else pages["index file"], width=PHONE)
    assert heading(page) == "Letters from the Practice"
    tab_to(page, "The First Hour")
    page.press("Enter")
    page.until("document.querySelector('h1')?.textContent === 'The First Hour'")
    tab_to(page, "The letter after")
    page.press("Enter")
    page.until("document.querySelector('h1')?.textContent.startsWith('The Two O')")
    tab_to(page, "The letter before")
    page.press("Enter")
    page.until("document.querySelector('h1')?.textContent === 'The First Hour'")
    tab_to(page, "All letters")
    page.press("Enter")
    page.until("document.querySelector('h1')?.textContent === 'Letters from the Practice'")
    if place == "served":
        tab_to(page, "Subscribe")
        page.press("Enter")
        page.until("location.pathname.endsWith('/subscribe')")


@WIDTHS
def test_a_reader_reads_what_they_had(page: Page, own: Letters, width: int) -> None:
    page.open(own.own, width=width)
    assert page.ask("document.querySelectorAll('.letters li').length") == 2
    sound(page, own.url)
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    tab_to(page, "The Two O")
    page.press("Enter")
    page.until("document.querySelector('h1')?.textContent.startsWith('The Two O')")
    assert page.ask("document.querySelector('.after')") is None
    sound(page, own.url)


def test_a_letter_looks_like_its_email(page: Page, letters: Letters) -> None:
    page.open(letters.pages()["letter"], width=DESKTOP)
    found = page.ask(
        "(() => { const of = (s, p) => getComputedStyle(document.querySelector(s))[p]; return ["
        "of('.letter p', 'fontSize'), of('h1', 'fontSize'), of('.letter p', 'color'), of('body', 'backgroundColor'),"
        " document.querySelector('.card').offsetWidth, document.querySelector('.letter').offsetWidth] })()"
    )
    assert found == ["18px", "32px", "rgb(43, 43, 43)", "rgb(245, 241, 232)", 600, 552]
