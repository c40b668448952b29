"""The live preview, in a real browser: what was saved shows by itself, by keyboard, without script, for everybody."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Page, needs_chromium, running

from newsletter.cli.start import make_project

pytestmark = needs_chromium

CHECKOUT = Path(__file__).parents[2]
WIDTHS = (320, 375, 768, 1024, 1440)
VIEWS = ("light", "dark", "inverted", "no-images", "no-styles", "text", "fields", "source", "markdown")
READER = "ana.lucero@example.org"
HOSTILE = """\
---
title: '"><img src="https://tracker.example.org/a"><script>document.title="caught"</script>'
preheader: "</iframe><script>parent.document.title='caught'</script> and some words more to fill it up"
subjct: x
---

<script>parent.document.title = "caught"</script> and a very long word:
Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft
"""
UNFINISHED = f"""\
---
title: Not yet
preheader: What is still to be written, and where it is to be seen that it is missing
---

{"A quiet paragraph, and one more like it. " * 60}

TK the end of it, by [somebody](https://example.org/who) else.
"""
_LETTER = "document.querySelector('iframe[name={}]').contentDocument"


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
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with readers and a hostile post."""
    root = tmp_path_factory.mktemp("letters")
    make_project(root)
    shutil.copyfile(root / "subscribers.example.csv", root / "subscribers.csv")
    (root / "posts/007-hostile.md").write_text(HOSTILE)
    (root / "posts/008-unfinished.md").write_text(UNFINISHED)
    return root


@pytest.fixture(scope="module")
def site(root: Path) -> Iterator[str]:
    """The address of a running preview, without a slash at its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "preview", "4", "--serve", "--no-open"],
        cwd=root, env=os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield re.findall(r"http://[^/]+", process.stdout.readline())[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


class TestWhatIsSaved:
    def test_shows_by_itself_in_the_letter_and_keeps_its_place(self, page: Page, site: str, root: Path) -> None:
        page.open(f"{site}/4")
        for name in ("desktop", "phone"):
            page.ask(f"document.querySelector('iframe[name={name}]').contentWindow.scrollTo(0, 700); 1")
        page.ask("scrollTo(0, 120); 1")
        post = root / "posts/004-the-relationship-is-the-work.md"
        before = post.read_text()
        page.until("document.getElementById('pulse').textContent.includes('Live')")
        time.sleep(0.3)  # the stream's first word has come
        visited = page.ask("history.length")  # by other tests in the same window too
        try:
            post.write_text(
                before.replace("preheader: ", "preheader: Freshly said. ") + "\nA word that was not there.\n"
            )
            for name in ("desktop", "phone"):
                page.until(f"{_LETTER.format(name)}.body?.textContent.includes('A word that was not there.')")
                page.until(f"document.querySelector('iframe[name={name}]').contentWindow.scrollY === 700")
            assert "Freshly said." in page.ask("document.querySelector('.inbox').textContent")
            assert page.ask("scrollY") == 120 and page.ask("history.length") == visited
        finally:
            post.write_text(before)
        page.until(f"!{_LETTER.format('phone')}.body?.textContent.includes('A word that was not there.')")

    def test_a_fault_is_said_and_heals_without_a_hand(self, page: Page, site: str, root: Path) -> None:
        page.open(f"{site}/4")
        time.sleep(0.3)
        template = root / "templates/email/post.html"
        good = template.read_text()
        try:
            template.write_text(good.replace("{{ title }}", "{{ titel }}"))
            page.until("document.querySelector('.fault')?.textContent.includes('did you mean')")
            assert page.ask("document.querySelectorAll('iframe').length") == 0
        finally:
            template.write_text(good)
        page.until("document.querySelectorAll('iframe').length === 2")
        page.until(f"{_LETTER.format('desktop')}.body?.textContent.includes('Hello')")

    def test_the_chosen_way_to_look_at_it_is_on_a_phone_s_screen(self, page: Page, site: str) -> None:
        chosen = "document.querySelector('#views [aria-current]').getBoundingClientRect()"
        page.open(f"{site}/4?show=source", width=375)
        page.until(f"{chosen}.left >= 0 && {chosen}.right <= 375")
        page.ask("document.querySelector('#views a').click(); 1")
        page.until("document.querySelector('#views [aria-current]').textContent.includes('Light')")
        page.until(f"{chosen}.left >= 0")

    def test_what_is_being_typed_is_left_alone(self, page: Page, site: str, root: Path) -> None:
        page.open(f"{site}/4")
        time.sleep(0.3)
        page.ask("document.getElementById('to').focus(); document.getElementById('to').value = 'half@'; 1")
        post = root / "posts/005-a-kinder-no.md"
        before = post.read_text()
        try:
            post.write_text(before.replace("title: A Kinder No", "title: A Kinder Yes"))
            page.until("document.getElementById('neighbours').textContent.includes('A Kinder Yes')")
        finally:
            post.write_text(before)
        assert page.ask("document.activeElement.id + document.activeElement.value") == "tohalf@"


class TestTheViews:
    @pytest.mark.parametrize("view", VIEWS)
    def test_each_has_a_key_and_an_address_of_its_own(self, view: str, page: Page, site: str) -> None:
        page.open(f"{site}/3?show={'dark' if view == 'light' else 'light'}")
        page.press(str(VIEWS.index(view) + 1))
        where = "/3" if view == "light" else f"/3?show={view}"
        page.until(f"location.pathname + location.search === '{where}'")
        page.until("document.querySelector('#views [aria-current]').href === location.href")
        page.ask("history.back(); 1")
        page.until(f"location.pathname + location.search !== '{where}'")
        page.until("document.querySelector('#views [aria-current]').href.endsWith(location.pathname + location.search)"
                   " || document.querySelector('#views [aria-current]').textContent.startsWith('Light')")  # fmt: skip
        assert page.errors == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize(
        ("view", "ink", "paper"),
        [("light", "dark", "light"), ("dark", "light", "dark"), ("inverted", "light", "dark")],
    )
    def test_show_a_letter_s_colours_whatever_this_screen_s_are(
        self, view: str, ink: str, paper: str, scheme: str, page: Page, site: str
    ) -> None:
        page.open(f"{site}/4/letter?show={view}", scheme=scheme)
        found = page.ask(
            "['.letter p', '.card'].map(s => [s, getComputedStyle(document.querySelector(s))])"
            ".map(([s, c]) => (s === '.card' ? c.backgroundColor : c.color).match(/\\d+/g).slice(0, 3).map(Number))"
        )
        assert ["light" if sum(colour) > 3 * 128 else "dark" for colour in found] == [ink, paper]

    def test_turned_round_every_word_can_still_be_read(self, page: Page, site: str) -> None:
        from test_pages import _FAINT

        page.open(f"{site}/4/letter?show=inverted")
        assert [what for what in page.ask(_FAINT) if what[1] < 4.5] == []

    def test_no_pictures_leaves_their_words(self, page: Page, site: str) -> None:
        page.open(f"{site}/3/letter?show=no-images", width=375)
        assert page.ask("[...document.images].map(i => [i.naturalWidth, i.alt.length > 0])") == [[0, True]]
        assert page.ask("document.documentElement.scrollWidth") <= 375

    def test_no_style_sheet_keeps_what_stands_on_the_elements(self, page: Page, site: str) -> None:
        page.open(f"{site}/3/letter?show=no-styles", width=375)
        assert page.ask("getComputedStyle(document.querySelector('h1')).fontSize") == "32px"
        page.open(f"{site}/3/letter", width=375)
        assert page.ask("getComputedStyle(document.querySelector('h1')).fontSize") == "28px"

    def test_what_was_found_leads_to_its_place_in_the_letter(self, page: Page, site: str) -> None:
        page.open(f"{site}/8")
        assert page.ask("document.querySelector('.findings .label').textContent") == "Keeps it from leaving"
        assert "kept from leaving" in page.ask("document.querySelector('.about').textContent")
        page.ask("document.querySelector('.findings a').click()")
        page.until(f"{_LETTER.format('desktop')}.querySelector('mark:target')?.textContent.startsWith('TK the end')")
        page.until("document.querySelector('iframe[name=desktop]').contentWindow.scrollY > 300")
        assert page.ask("location.pathname") == "/8"


class TestByKeyboardAlone:
    def test_the_first_stop_leads_past_everything(self, page: Page, site: str) -> None:
        page.open(f"{site}/4")
        page.press("Tab")
        assert page.ask("document.activeElement.className") == "skip"
        page.press("Enter")
        page.until("document.activeElement.id === 'shown'")

    def test_the_order_is_that_of_the_page_and_every_stop_is_seen(self, page: Page, site: str) -> None:
        page.open(f"{site}/4")
        stops = []
        for _ in range(40):
            page.press("Tab")
            stops.append(page.ask(_STOP))
            if stops[-1][0] == "keys":
                break
        names = [name for name, *_ in stops]
        assert names[:4] == ["Skip to the letter", "← #3 The Space Between", "#5 A Kinder No →", "Light"]
        for name in ("Your file", "desktop", "phone", "as", "Show", "to", "Send", "post.eml", "keys"):
            assert name in names, names
        assert [name for name, outlined in stops if not outlined and name not in ("desktop", "phone")] == []

    def test_keys_lead_to_posts_and_fields_and_can_be_switched_off(self, page: Page, site: str) -> None:
        page.open(f"{site}/4")
        page.press("n")
        page.until("location.pathname === '/5' && document.querySelector('h1').textContent === 'A Kinder No'")
        page.press("p")
        page.until("location.pathname === '/4' && document.querySelector('h1').textContent.includes('Relationship')")
        page.press("r")
        assert page.ask("document.activeElement.id") == "as"
        page.press("n")
        assert page.ask("location.pathname + document.getElementById('as').value") == "/4n"
        page.ask("document.activeElement.blur(); document.getElementById('keys').click(); 1")
        page.press("n")
        assert page.ask("[location.pathname, document.documentElement.classList.contains('keys-on')]") == ["/4", False]
        page.ask("document.getElementById('keys').click(); 1")


class TestForEverybody:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("path", [*(f"/8?show={view}" for view in VIEWS), f"/4?as={READER}", "/7", "/99"])
    def test_nothing_is_in_anybody_s_way(self, path: str, scheme: str, page: Page, site: str) -> None:
        page.open(site + path, scheme=scheme)
        page.call("Page.setBypassCSP", enabled=True)  # axe is put in from outside
        page.open(site + path, scheme=scheme)
        try:
            assert page.violations() == []
        finally:
            page.call("Page.setBypassCSP", enabled=False)

    @pytest.mark.parametrize("width", WIDTHS)
    @pytest.mark.parametrize("path", [*(f"/7?show={view}" for view in VIEWS), f"/4?as={READER}", "/8", "/99"])
    def test_fits_every_screen(self, path: str, width: int, page: Page, site: str) -> None:
        page.open(site + path, width=width)
        assert page.ask("document.documentElement.scrollWidth") <= width

    def test_asks_nobody_else_for_anything_and_runs_nothing_of_a_letter(self, page: Page, site: str) -> None:
        for path in ("/7", "/7?show=markdown", "/7?show=source", "/3"):
            page.open(site + path)
            assert page.ask("document.title") != "caught"
        assert [u for u in page.requests if not u.startswith((site, "data:"))] == []
        assert page.errors == []

    def test_a_link_in_a_letter_opens_beside_the_page(self, page: Page, site: str) -> None:
        page.open(f"{site}/4")
        found = page.ask(f"[...{_LETTER.format('desktop')}.links].map(a => [a.href, a.target || a.baseURI])")
        assert found and page.ask(f"{_LETTER.format('desktop')}.querySelector('base').target") == "_blank"

    def test_everything_works_without_script(self, page: Page, site: str) -> None:
        with page.without_script():
            page.open(f"{site}/4")
            assert page.names("link")[:3] == ["Skip to the letter", "← #3 The Space Between", "#5 A Kinder No →"]
            assert "Keys" not in page.names("heading")
            page.open(f"{site}/4?show=text")
            page.open(f"{site}/4?show=light&as={READER}")
            assert "Send it to yourself" in page.names("heading") and "Show" in page.names("button")

    def test_a_screen_reader_hears_what_is_where(self, page: Page, site: str) -> None:
        page.open(f"{site}/4?as={READER}")
        assert page.names("heading")[:2] == ["The Relationship Is the Work", "Light"]
        regions = {
            "In the inbox",
            "Light",
            "Worth a look",
            "As a reader",
            "Size",
            "Send it to yourself",
            "Take it along",
        }
        assert set(page.names("region")) == regions | {"Keys"}
        assert page.names("navigation") == ["Other posts", "Ways to look at it"]
        assert len(page.names("main")) == len(page.names("banner")) == len(page.names("contentinfo")) == 1
        assert page.names("status") == [""]  # its words are read as they change


_STOP = """
(() => {
  const e = document.activeElement, style = getComputedStyle(e);
  const name = e.id || e.name || e.firstChild?.textContent.trim() || e.getAttribute('aria-label') || e.textContent.trim();
  return [e.matches('a, button, summary') ? (e.firstChild?.textContent || '').trim() : name,
          style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];
})()
"""
