"""The pages that newsletter writes for its owner, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from chromium import Page, needs_chromium, running

from newsletter.checks import Finding, Part, Severity
from newsletter.cli.start import make_project
from newsletter.config import Design, load
from newsletter.demo import rehearse, write_page
from newsletter.mail import Address, Mailbox
from newsletter.posts import read_folder
from newsletter.preview import Outlook, Sheet, write
from newsletter.proof import SAMPLE, pull
from newsletter.providers import open_provider
from newsletter.store import Store

pytestmark = needs_chromium

WIDTHS = (320, 390, 768, 1280, 1900)
AT = datetime(2026, 3, 3, 17, tzinfo=UTC)
HOSTILE = """\
---
title: '"><img src="https://tracker.example.org/a"><script>document.title="caught"</script>'
preheader: "</textarea></iframe><script>document.title='caught'</script> and some words more"
---

<script>document.title = "caught"</script> "quoted" & <b>bold</b>, and a very long word:
Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft
"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with running() as page:
        yield page


@pytest.fixture
def page(tab: Page) -> Page:
    tab.requests.clear()
    tab.errors.clear()
    return tab


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The preview of a post with an image, of a hostile one, and the demo's calendar."""
    root = tmp_path_factory.mktemp("letters")
    make_project(root)
    config = load(root, {})
    store = Store.open(config.store_url)
    # One day with letters makes the whole page.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("newsletter.demo.RUNS", 48)
        provider = open_provider(config, now=lambda: AT)
        calendar = rehearse(config, store, provider, b"a key for tests, thirty-two bytes")
    store.close()
    (root / "posts/007-hostile.md").write_text(HOSTILE)
    posts = {p.number: p for p in read_folder(config.posts, zone=config.identity.timezone, at=config.rules.at).posts}
    found = {"demo": write_page(calendar)}
    for name, number in (("preview", 3), ("hostile", 7)):
        made = pull(
            posts[number], config.identity, Design(), Mailbox("<i>Zoë</i>", Address("zoe", "example.org")), date=AT
        )
        seen = Finding("x", Severity.ERROR, "<b>Look</b> here.", "Mend it.", Part.HTML, quote="a Japanese character")
        found[name] = write(Sheet(made, Outlook("Zoë gets this soon."), findings=(seen,)), root / name)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["preview", "hostile", "demo"])
def test_fits_every_screen(name: str, width: int, scheme: str, page: Page, pages: dict[str, Path]) -> None:
    page.open(pages[name], width=width, scheme=scheme)
    assert page.ask("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", ["preview", "hostile", "demo"])
def test_asks_nobody_for_anything_and_runs_nothing(name: str, page: Page, pages: dict[str, Path]) -> None:
    page.open(pages[name], height=4_000)
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "about:"))] == []
    assert page.errors == []
    assert page.ask("document.title") != "caught"
    assert page.ask("document.scripts.length") == 0


def test_fetches_nothing_even_if_a_template_wants_it(page: Page, tmp_path: Path) -> None:
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    make_project(tmp_path)
    config = load(tmp_path, {})
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        Thread(target=server.serve_forever).start()
        try:
            there = f"http://127.0.0.1:{server.server_port}"
            template = tmp_path / "templates/email/post.html"
            block = f'<img src="{there}/pixel.gif" alt=""><table background="{there}/paper.gif"><tr><td>Bye</td></tr></table>'
            template.write_text(f'{{% extends "builtin/post.html" %}}{{% block footer %}}{block}{{% endblock %}}')
            posts = read_folder(config.posts, zone=config.identity.timezone, at=config.rules.at).posts
            made = pull(posts[0], config.identity, config.design, SAMPLE, date=AT)
            assert there in made.page
            page.open(write(Sheet(made, Outlook("")), tmp_path / "preview"), height=4_000)
            assert asked == []
        finally:
            server.shutdown()


def test_shows_the_images_of_a_letter(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["preview"].with_name("post.html"))
    shown = page.ask("[...document.images].map(i => [i.naturalWidth > 0, i.alt.length > 0])")
    assert shown == [[True, True]]


def test_shows_the_letter_in_both_frames(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["preview"], height=4_000)
    frames = page.ask("[...document.querySelectorAll('iframe')].map(f => [f.title, f.sandbox.value, f.clientWidth])")
    (desktop, _, wide), (phone, _, narrow) = frames
    assert (desktop, phone) == ("The letter on a desktop", "The letter on a phone")
    assert wide >= 600 and narrow == 375
    assert all("allow-scripts" not in sandbox and "allow-same-origin" not in sandbox for _, sandbox, _ in frames)
    page.open(pages["preview"], height=4_000, width=390)
    assert page.ask("document.querySelectorAll('iframe')[1].offsetWidth") <= 390 - 32


@pytest.mark.parametrize("view", ["dark", "inverted", "no-images", "no-styles", "text", "fields", "source", "markdown"])
def test_every_view_is_a_page_that_works_from_the_disk(view: str, page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["preview"])
    page.open(page.ask(f"document.querySelector('#views a[href$=\"/{view}.html\"]').href"))
    assert page.ask("document.querySelector('#views [aria-current]').href === location.href")
    frames = page.ask(f"[...document.querySelectorAll('iframe')].map(f => f.src.endsWith('/views/letter-{view}.html'))")
    assert frames == ([] if view in ("text", "fields", "source", "markdown") else [True, True])
    assert page.ask("document.querySelector('#views a').href").endswith("/preview/index.html")
    assert page.errors == []


def test_what_was_found_leads_to_its_place_in_the_letter(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["preview"])
    link = "document.querySelector('.findings a')"
    assert page.ask(f"{link}.target") == "desktop"
    page.open(pages["preview"].parent / page.ask(f"{link}.getAttribute('href')").partition("#")[0])
    page.ask("location.hash = 'finding-1'; 1")
    assert page.ask("document.querySelector('mark:target').textContent") == "a Japanese character"


def test_tells_a_screen_reader_what_is_where(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["preview"])
    assert page.names("heading")[:2] == ["The Space Between", "Light"]
    assert set(page.names("region")) == {
        "In the inbox",
        "Light",
        "Worth a look",
        "As a reader",
        "Size",
        "Take it along",
    }
    assert len(page.names("main")) == len(page.names("banner")) == len(page.names("contentinfo")) == 1
    page.open(pages["demo"])
    assert "#1 The First Hour, to Ana Lucero, 3 March, 09:00" in page.names("link")
    assert all(page.names("link")) and "Tue 3" in page.names("columnheader")
    assert [name for name in page.names("rowheader") if name.startswith("Priya Nair")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["preview", "demo"])
def test_can_be_read_by_eyes_that_are_not_young(name: str, scheme: str, page: Page, pages: dict[str, Path]) -> None:
    """Every text has a contrast of 4.5 or more against what is behind it (WCAG 2.2, 1.4.3), and 14 px or more."""
    page.open(pages[name], scheme=scheme)
    assert page.ask(_FAINT) == []


_FAINT = """
(() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const found = numbers(getComputedStyle(e).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.data.trim(), e = walk.currentNode.parentElement, style = getComputedStyle(e);
    if (!text || !e.checkVisibility() || e.tagName === 'STYLE') continue;
    const [a, b] = [light(numbers(style.color)), light(behind(e))].sort((x, y) => y - x);
    const contrast = (a + .05) / (b + .05);
    if (contrast < 4.5 || parseFloat(style.fontSize) < 14) faint.push([text.slice(0, 40), contrast, style.fontSize]);
  }
  return faint;
})()
"""
