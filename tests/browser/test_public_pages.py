"""The public pages in a real browser: on a phone and a desktop, with script and without, by keyboard, for everybody."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from urllib.request import urlopen

import pytest
from chromium import Page, needs_chromium, running

from newsletter.cli.start import make_project

pytestmark = needs_chromium

CHECKOUT = Path(__file__).parents[2]
PHONE, DESKTOP = 375, 1280
WIDTHS = pytest.mark.parametrize("width", [PHONE, DESKTOP], ids=["phone", "desktop"])
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
_THINKING = 2.2  # seconds that a person looks at a form before they send it


class Newsletter:
    """A running `newsletter serve`, with the letters that it wrote."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.url = root, f"http://127.0.0.1:{port}/list"

    def letters(self, address: str) -> list[str]:
        """The plain text of each letter to *address*, oldest first."""
        found = [(p.stat().st_mtime_ns, p.read_bytes()) for p in (self.root / "outbox/new").glob("*.eml")]
        parsed = [message_from_bytes(octets, policy=policy.default) for _, octets in sorted(found)]
        return [m.get_body(("plain",)).get_content() for m in parsed if address in str(m["To"])]

    def link(self, address: str, *, count: int = 1) -> str:
        """The link in the letter number *count* to *address*, as soon as it is there."""
        for _ in range(3_000):
            if len(letters := self.letters(address)) >= count:
                (url,) = re.findall(rf"{re.escape(self.url)}/[a-z]/\S+", letters[count - 1])
                return str(url)
            time.sleep(0.01)
        raise AssertionError(f"no letter to {address}")

    def history(self, address: str) -> str:
        return self.command("history", address)

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "newsletter", *words],
            cwd=self.root,
            env=_environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="module")
def newsletter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsletter]:
    root = tmp_path_factory.mktemp("letters")
    make_project(root)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = root / "newsletter.toml"
    text = settings.read_text().replace('"https://letters.example.org"', f'"http://127.0.0.1:{port}/list"', 1)
    web = '[web]\ntags_to_choose = ["couples", "families"]\nsign_ups_per_network = "1000 per hour"\n'
    settings.write_text(re.sub(r"(?m)^\[web\]$", lambda _: web, text))
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "serve", "--port", str(port)], cwd=root, env=_environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert "is answered at" in process.stdout.readline()
        for _ in range(500):
            try:
                urlopen(f"http://127.0.0.1:{port}/healthz").close()
                break
            except OSError:
                time.sleep(0.02)
        yield Newsletter(root, port)
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with running() as page:
        yield page


@pytest.fixture
def page(tab: Page) -> Page:
    tab.requests.clear()
    tab.errors.clear()
    return tab


def typed(page: Page, text: str) -> None:
    """As from a keyboard, into whatever has the focus."""
    page.call("Input.insertText", text=text)


def focused(page: Page) -> str:
    """What the keyboard is at: its name or text."""
    return str(page.ask("document.activeElement.name || document.activeElement.textContent.trim()"))


def tab_to(page: Page, name: str) -> None:
    """Press Tab until *name* has the focus."""
    for _ in range(40):
        if focused(page) == name:
            return
        page.press("Tab")
    raise AssertionError(f"the keyboard never comes to {name!r}")


def heading(page: Page) -> str:
    return str(page.until("document.querySelector('h1')?.textContent"))


def until_heading(page: Page, words: str) -> None:
    page.until(f"document.querySelector('h1')?.textContent === {words!r}")


def member(newsletter: Newsletter, page: Page, address: str) -> str:
    """Sign up and confirm by keyboard without script; the path of the confirmation."""
    page.open(f"{newsletter.url}/subscribe", width=PHONE)
    tab_to(page, "email")
    typed(page, address)
    time.sleep(_THINKING)
    page.press("Enter")
    until_heading(page, "Please look into your inbox")
    link = newsletter.link(address)
    page.open(link, width=PHONE)
    tab_to(page, "do")
    page.press("Enter")
    until_heading(page, "Welcome")
    return link


def settings_link(page: Page) -> str:
    return str(page.ask("document.querySelector('main a.button').href"))


def sound(page: Page, newsletter: Newsletter, *, width: int) -> None:
    """What holds for every page. axe is a script: a page opened without gets that one alone."""
    page.call("Emulation.setScriptExecutionDisabled", value=False)
    assert page.violations("serious", "critical", "moderate") == []
    wide = page.ask("[document.scrollingElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"it scrolls sideways at {width}"
    elsewhere = [url for url in page.requests if not url.startswith((newsletter.url, "data:"))]
    assert elsewhere == [] and page.errors == []
    small = page.ask(
        "[...document.querySelectorAll('button, .button, input:not([type=hidden]), select, textarea')]"
        ".filter(e => e.checkVisibility() && !e.closest('.trap')).map(e => [e.outerHTML.slice(0, 60),"
        " (e.closest('label') || e).getBoundingClientRect().height]).filter(([, height]) => height < 44)"
    )
    assert small == [], "a thumb needs 44 pixels"
    assert page.ask("document.querySelectorAll('h1').length") == 1


@WIDTHS
@SCHEMES
def test_every_page_is_for_everybody(page: Page, newsletter: Newsletter, width: int, scheme: str) -> None:
    address = f"reader-{width}-{scheme}@example.org"
    with page.without_script():
        confirm = member(newsletter, page, address)
        own = settings_link(page)
    leave = newsletter.link(address).replace("/c/", "/u/")  # the same person, but not the same signature
    for url in (f"{newsletter.url}/subscribe", confirm, own, leave, f"{newsletter.url}/nothing"):
        page.errors.clear()
        page.open(url, width=width, scheme=scheme)
        if url in (leave, f"{newsletter.url}/nothing"):
            page.errors.clear()  # a 404 is one
        sound(page, newsletter, width=width)


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
@WIDTHS
def test_from_the_form_to_a_reader_by_keyboard_alone(
    page: Page, newsletter: Newsletter, width: int, script: bool
) -> None:
    address = f"ana-{width}-{script}@example.org"
    page.open(f"{newsletter.url}/", width=width)
    if not script:
        page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(f"{newsletter.url}/", width=width)
        tab_to(page, "email")
        typed(page, address)
        time.sleep(_THINKING)
        page.press("Enter")
        page.until("document.querySelector('main')?.textContent.includes('We have written to the address you gave')")
        in_place = page.ask("location.pathname") == "/list/"
        assert in_place == script, "with script the page stays, without it another comes"
        page.open(newsletter.link(address), width=width)
        sound_here = heading(page)
        assert sound_here == "One click, and you are a reader" and address not in page.ask("document.body.textContent")
        tab_to(page, "do")
        page.press("Enter")
        until_heading(page, "Welcome")
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)
    history = newsletter.history(address)
    assert "confirmed" in history and "127.0.0" not in history


def test_too_quick_is_asked_once_more_and_keeps_what_was_typed(page: Page, newsletter: Newsletter) -> None:
    with page.without_script():
        page.open(f"{newsletter.url}/subscribe", width=PHONE)
        tab_to(page, "email")
        typed(page, "quick@example.org")
        page.press("Enter")
        page.until("document.querySelector('[role=status]')?.textContent.includes('One more click')")
        assert page.ask("document.querySelector('#email').value") == "quick@example.org"
        sound(page, newsletter, width=PHONE)


@WIDTHS
def test_leaving_undoing_and_saying_why(page: Page, newsletter: Newsletter, width: int) -> None:
    address = f"bo-{width}@example.org"
    with page.without_script():
        member(newsletter, page, address)
        page.open(settings_link(page), width=width)
        leave = _leave_link(newsletter, address)
        page.open(leave, width=width)
        assert heading(page) == "Unsubscribe from Letters from the Practice?"
        sound(page, newsletter, width=width)
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        tab_to(page, "do")
        page.press("Enter")
        until_heading(page, "You have unsubscribed")
        sound(page, newsletter, width=width)
        assert "unsubscribed" in newsletter.history(address)
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        tab_to(page, "do")
        page.press("Enter")
        until_heading(page, "You are subscribed, as before")
        sound(page, newsletter, width=width)


def _leave_link(newsletter: Newsletter, address: str) -> str:
    """As in the foot of a letter."""
    from newsletter.cli.project import Project
    from newsletter.links import Links, Purpose

    project = Project.at(newsletter.root)
    try:
        identity = project.config.identity
        links = Links(project.secret, identity.url, identity.list_id)
        return links.address(Purpose.UNSUBSCRIBE, project.store.audience.find(address).token)
    finally:
        project.close()


@WIDTHS
def test_settings_by_keyboard(page: Page, newsletter: Newsletter, width: int) -> None:
    address = f"cy-{width}@example.org"
    with page.without_script():
        member(newsletter, page, address)
        page.open(settings_link(page), width=width)
        sound(page, newsletter, width=width)
        tab_to(page, "name")
        typed(page, "Cy")
        tab_to(page, "timezone")
        page.ask("document.querySelector('#timezone').value = 'Europe/Berlin'; 1")
        tab_to(page, "do")
        page.press("Enter")
        page.until("document.querySelector('[role=status]')?.textContent.includes('kept')")
        assert page.ask("[document.querySelector('#name').value, document.querySelector('#timezone').value]") == [
            "Cy",
            "Europe/Berlin",
        ]
        sound(page, newsletter, width=width)
    listed = newsletter.command("subscribers", "list", "--json")
    assert '"name": "Cy"' in listed and '"timezone": "Europe/Berlin"' in listed


def test_a_form_on_another_site_with_script(page: Page, newsletter: Newsletter, tmp_path: Path) -> None:
    site = tmp_path / "blog.html"
    site.write_text(
        f'<!DOCTYPE html><html lang="en"><title>A blog</title><form action="{newsletter.url}/subscribe" method="post" data-newsletter>'
        '<label>Email <input type="email" name="email" required></label><button>Subscribe</button></form>'
        f'<script src="{newsletter.url}/subscribe.js" defer></script></html>'
    )
    page.open(site, width=PHONE)
    tab_to(page, "email")
    typed(page, "blog@example.org")
    time.sleep(_THINKING)
    page.press("Enter")
    page.until("document.querySelector('[role=status]')?.textContent.includes('We have written')")
    assert newsletter.link("blog@example.org").startswith(f"{newsletter.url}/c/")


def test_a_form_on_another_site_without_script(page: Page, newsletter: Newsletter, tmp_path: Path) -> None:
    site = tmp_path / "blog.html"
    site.write_text(
        f'<!DOCTYPE html><html lang="en"><title>A blog</title><form action="{newsletter.url}/subscribe" method="post">'
        '<label>Email <input type="email" name="email"></label><button>Subscribe</button></form></html>'
    )
    with page.without_script():
        page.open(site, width=PHONE)
        tab_to(page, "email")
        typed(page, "plain@example.org")
        page.press("Enter")
        page.until("document.querySelector('[role=status]')?.textContent.includes('One more click')")
        time.sleep(_THINKING)
        tab_to(page, "email")
        page.press("Enter")
        until_heading(page, "Please look into your inbox")


def test_what_is_typed_is_never_markup(page: Page, newsletter: Newsletter) -> None:
    page.open(f"{newsletter.url}/subscribe", width=DESKTOP)
    page.ask(
        """fetch('subscribe', {method: 'POST', body: new URLSearchParams({email: '"><img src=x onerror="window.caught=1">'})})
        .then(r => r.text()).then(t => { document.open(); document.write(t); document.close(); }); 1"""
    )
    page.until("document.querySelector('[role=status]')?.textContent.includes('does not look like')")
    assert page.ask("window.caught") is None


def test_every_language_fits_a_phone_and_reads_in_its_own_direction(page: Page, newsletter: Newsletter) -> None:
    with page.without_script():
        member(newsletter, page, "polyglot@example.org")
        own = settings_link(page)
    page.open(own, width=PHONE)
    languages = page.ask("[...document.querySelector('#language').options].map(o => o.value).filter(v => v)")
    assert len(languages) == 10
    for language in languages:
        page.open(own, width=PHONE)
        page.ask(f"document.querySelector('#language').value = {language!r}; 1")
        page.ask("document.querySelector('#pace').value = '28'; 1")
        page.ask("document.querySelector('button[value=save]').click(); 1")
        page.until(f"document.documentElement?.lang === {language!r} && !!document.querySelector('[role=status]')")
        page.until("document.readyState === 'complete'")  # what comes after the message is here as well
        assert page.ask("document.documentElement.dir") == ("rtl" if language in ("ar", "he") else "ltr")
        assert page.ask("document.querySelector('#pace').value") == "28"
        page.errors.clear()
        sound(page, newsletter, width=PHONE)
    assert "pace to every 28 days" in newsletter.history("polyglot@example.org")
