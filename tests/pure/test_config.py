"""newsletter.toml: what is understood, and that every fault is named with line, key and remedy."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import (
    FILE_NAME,
    Config,
    Design,
    First,
    Images,
    Missing,
    Mode,
    OnUncertain,
    Palette,
    Rules,
    Security,
    find_root,
    load,
)
from newsletter.config.document import Document
from newsletter.config.palette import LEAST_CONTRAST, WORDS_ON, at_night, contrast, legible, luminance
from newsletter.config.times import zone
from newsletter.config.values import WrongValueError
from newsletter.errors import ConfigError
from newsletter.mail import Address, Mailbox

IDENTITY = """\
[newsletter]
name = "Letters from the Practice"
from = "Maya Thorne <maya@letters.example.org>"
postal_address = "12 Birch Lane, Portland, OR 97201"
"""
SAMPLE = """\
[newsletter]
name = "Letters from the Practice"
from = "Maya Thorne <maya@letters.example.org>"
reply_to = "maya@example.org"
postal_address = "12 Birch Lane, Portland, OR 97201"
url = "https://letters.example.org"
language = "en"
timezone = "America/Los_Angeles"

[sequence]
mode = "sequence"
every = "7 days"
days = ["tuesday"]
at = "09:00"
start = "first"

[subscribers]
file = "subscribers.csv"

[store]
url = "sqlite:///newsletter.db"

[delivery]
provider = "folder"            # or smtp, …

[provider.folder]
path = "outbox"

[provider.smtp]
host = "127.0.0.1"
port = 25
security = "starttls"          # starttls | tls | none (none only on loopback)
username = ""
connections = 4
"""
SECRET = "hunter2-correct-horse"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def read(root: Path, text: str | bytes, **environment: str) -> Config:
    (root / FILE_NAME).write_bytes(text.encode() if isinstance(text, str) else text)
    return load(root, environment)


def faults(root: Path, text: str | bytes, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(root, text, **environment)
    return str(caught.value).splitlines()


def rules(root: Path, text: str) -> Rules:
    return read(root, f"{IDENTITY}[sequence]\n{text}\n").rules


# What is understood


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        pytest.param("PST", "MST", id="an abbreviation is not answered with another one"),
        pytest.param("GMT+1", "Etc/GMT+1", id="nor an offset with its opposite"),
    ],
)
def test_no_zone_is_suggested_that_only_looks_alike(name: str, wrong: str) -> None:
    with pytest.raises(WrongValueError) as caught:
        zone(name)
    assert wrong not in str(caught.value)


def test_the_documented_sample_is_read(root: Path) -> None:
    config = read(root, SAMPLE)
    assert config.identity.name == "Letters from the Practice"
    assert config.identity.sender == Mailbox("Maya Thorne", Address("maya", "letters.example.org"))
    assert config.identity.reply_to == Mailbox("", Address("maya", "example.org"))
    assert config.identity.url == "https://letters.example.org"
    assert config.identity.timezone == ZoneInfo("America/Los_Angeles")
    assert config.rules == Rules(days=frozenset({1}))
    assert config.subscribers_file == root / "subscribers.csv"
    assert config.store_url == f"sqlite:///{root}/newsletter.db"
    assert (config.provider, config.folder.path) == ("folder", root / "outbox")
    assert config.smtp.security is Security.STARTTLS


def test_what_is_left_out_has_its_default(root: Path) -> None:
    config = read(root, IDENTITY)
    assert config.rules == Rules()
    assert config.subscribers_file is None
    assert config.store_url == f"sqlite:///{root}/newsletter.db"
    assert config.folder.path == root / "outbox"
    assert config.identity.timezone == ZoneInfo("UTC")
    assert (config.on_uncertain, config.smtp.timeout) == (OnUncertain.RESEND, timedelta(seconds=60))


def test_every_further_key_of_the_sequence_is_read(root: Path) -> None:
    assert rules(
        root,
        """
        mode = "hybrid"
        every = "2 weeks"
        days = ["Mon", "THURSDAY"]
        at = 17:30:00
        start = 2026-03-01
        first = "at once"
        min_gap = "30 minutes"
        hold_for = "1 day"
        on_missing = "skip"
        max_lateness = "3 hours"
        holidays = [2026-12-25, "2027-01-01"]
        catch_up_every = "1 week"
        quiet_hours = "22:00-07:00"
        """,
    ) == Rules(
        mode=Mode.HYBRID,
        every=14,
        days=frozenset({0, 3}),
        at=time(17, 30),
        start=date(2026, 3, 1),
        first=First.AT_ONCE,
        min_gap=timedelta(minutes=30),
        hold_for=timedelta(days=1),
        on_missing=Missing.SKIP,
        max_lateness=timedelta(hours=3),
        holidays=frozenset({date(2026, 12, 25), date(2027, 1, 1)}),
        catch_up_every=7,
        quiet_hours=(time(22), time(7)),
    )


THEME = """\
[theme]
accent = "#7A3E9D"
page = "#eeeeff"
font = "Verdana, sans-serif"
heading_font = 'Gill Sans, "Optima", serif'
logo = "logo.png"
logo_alt = "A tree"
greeting = "Dear {name},"
sign_off = ""
signature = "Maya"
crisis_line = "This is no crisis line."
footer = ["Licence 12345", " ", "Fridays closed"]
images = "hosted"

[theme.dark]
card = "#101018"
"""


def test_every_key_of_the_theme_is_read(root: Path) -> None:
    (root / "logo.png").touch()
    design = read(root, f'{IDENTITY}url = "https://letters.example.org"\n{THEME}').design
    assert design.light == Palette(accent="#7a3e9d", page="#eeeeff")
    assert design.dark == replace(at_night(design.light), card="#101018")
    assert (design.font, design.heading_font) == ("Verdana, sans-serif", "'Gill Sans', Optima, serif")
    assert (design.logo, design.logo_alt) == (root / "logo.png", "A tree")
    assert (design.greeting, design.sign_off, design.signature) == ("Dear {name},", "", "Maya")
    assert (design.crisis_line, design.footer) == ("This is no crisis line.", ("Licence 12345", "Fridays closed"))
    assert design.images is Images.HOSTED
    assert read(root, f'{IDENTITY}[theme]\nfooter = "One line"\n').design.footer == ("One line",)


def test_without_a_theme_the_design_is_the_one_that_comes_along(root: Path) -> None:
    assert read(root, IDENTITY).design == Design(root / "templates" / "email", pages=root / "templates" / "web")


COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@given(COLOURS, COLOURS, COLOURS, COLOURS)
def test_a_dark_palette_can_be_read_whatever_the_light_one_is(page: str, card: str, accent: str, ink: str) -> None:
    """By a hair: hues that a luminance has no room for come out a shade off."""
    dark = at_night(Palette(page=page, card=card, accent=accent, ink=ink, tint=page))
    for role, grounds in WORDS_ON.items():
        for ground in grounds:
            assert contrast(getattr(dark, role), getattr(dark, ground)) >= 5.5


@given(COLOURS, COLOURS)
def test_the_shade_that_is_offered_can_be_read(colour: str, ground: str) -> None:
    assert contrast(legible(colour, ground), ground) >= LEAST_CONTRAST or luminance(legible(colour, ground)) > 0.99


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        pytest.param("start = 4", "start", 4, id="start at a number"),
        pytest.param('start = "latest"', "start", "latest", id="start at the latest"),
        pytest.param('start = "2026-03-01"', "start", date(2026, 3, 1), id="start at a date in quotes"),
        pytest.param(
            'quiet_hours = ["22:00", "07:00"]', "quiet_hours", (time(22), time(7)), id="quiet hours as a list"
        ),
        pytest.param("quiet_hours = false", "quiet_hours", None, id="no quiet hours"),
        pytest.param('at = "9:05"', "at", time(9, 5), id="an hour of one digit"),
    ],
)
def test_values_may_be_written_in_more_than_one_way(root: Path, line: str, key: str, expected: object) -> None:
    assert getattr(rules(root, line), key) == expected


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        pytest.param("maya@example.org", Mailbox("", Address("maya", "example.org")), id="a bare address"),
        pytest.param(
            "Maya Thorne, PhD <maya@example.org>",
            Mailbox("Maya Thorne, PhD", Address("maya", "example.org")),
            id="a comma in the name",
        ),
        pytest.param(
            '\\"Maya \\\\\\"M\\\\\\" Thorne\\" <maya@example.org>',
            Mailbox('Maya "M" Thorne', Address("maya", "example.org")),
            id="quotation marks in the name",
        ),
        pytest.param(
            "Practice (Portland) <maya@bücher.example>",
            Mailbox("Practice (Portland)", Address("maya", "xn--bcher-kva.example")),
            id="brackets and an IDN domain",
        ),
    ],
)
def test_a_sender_is_read(root: Path, sender: str, expected: Mailbox) -> None:
    assert read(root, IDENTITY.replace("Maya Thorne <maya@letters.example.org>", sender)).identity.sender == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://letters.example.org/", "https://letters.example.org", id="the last slash comes off"),
        pytest.param("https://example.org/letters/", "https://example.org/letters", id="a path stays"),
        pytest.param("http://127.0.0.1:8000", "http://127.0.0.1:8000", id="http on this machine"),
        pytest.param("http://[::1]:8000", "http://[::1]:8000", id="http on this machine by IPv6"),
        pytest.param("https://Bücher.example", "https://xn--bcher-kva.example", id="an IDN host"),
        pytest.param("", "", id="none"),
    ],
)
def test_the_url_is_read(root: Path, url: str, expected: str) -> None:
    assert read(root, f'{IDENTITY}url = "{url}"\n').identity.url == expected


def test_the_lines_of_a_postal_address_are_joined(root: Path) -> None:
    text = IDENTITY.replace('"12 Birch Lane, Portland, OR 97201"', '"""\n12 Birch Lane,\nPortland, OR 97201\n"""')
    assert read(root, text).identity.postal_address == "12 Birch Lane, Portland, OR 97201"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param("", Security.NONE, id="this machine needs none"),
        pytest.param('host = "localhost"', Security.NONE, id="nor does it by name"),
        pytest.param('host = "smtp.example.org"', Security.STARTTLS, id="every other host gets STARTTLS"),
        pytest.param('host = "smtp.example.org"\nsecurity = "tls"', Security.TLS, id="what is written counts"),
        pytest.param('host = "127.0.0.9"\nsecurity = "none"', Security.NONE, id="none on loopback"),
    ],
)
def test_a_connection_is_protected_off_this_machine(root: Path, lines: str, expected: Security) -> None:
    assert read(root, f"{IDENTITY}[provider.smtp]\n{lines}\n").smtp.security is expected


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\xef\xbb\xbf" + SAMPLE.encode(), id="a byte-order mark"),
        pytest.param(SAMPLE.replace("\n", "\r\n").encode(), id="the line ends of Windows"),
        pytest.param(SAMPLE.replace("\n", "\r\n").encode("utf-8-sig"), id="both"),
    ],
)
def test_what_editors_on_windows_save_is_read(root: Path, octets: bytes) -> None:
    assert read(root, octets) == read(root, SAMPLE)


# Where the database and the secrets come from


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("sqlite:///data/letters.db", "sqlite:///{root}/data/letters.db", id="a path within the project"),
        pytest.param("sqlite:////srv/letters.db", "sqlite:////srv/letters.db", id="a whole path"),
        pytest.param(f"postgresql://u:{SECRET}@db/x", f"postgresql://u:{SECRET}@db/x", id="PostgreSQL as it is"),
    ],
)
def test_the_store_is_read(root: Path, written: str, expected: str) -> None:
    config = read(root, f'{IDENTITY}[store]\nurl = "{written}"\n')
    assert config.store_url == expected.format(root=root)
    assert SECRET not in repr(config)


def test_the_environment_comes_before_the_url_file_and_that_before_the_url(root: Path) -> None:
    (root / "url.txt").write_text("postgresql://from-file/x\n")
    text = f'{IDENTITY}[store]\nurl = "sqlite:///x.db"\nurl_file = "url.txt"\n'
    assert read(root, text).store_url == "postgresql://from-file/x"
    assert read(root, text, NEWSLETTER_STORE_URL="sqlite:///env.db").store_url == f"sqlite:///{root}/env.db"


@pytest.mark.parametrize(("mode", "remarked"), [(0o600, False), (0o644, True), (0o660, True)])
def test_a_password_that_others_can_read_is_remarked_upon(root: Path, mode: int, remarked: bool) -> None:
    path = root / "password.txt"
    path.write_text(SECRET)
    path.chmod(mode)
    text = f'{IDENTITY}[provider.smtp]\nusername = "maya"\npassword_file = "password.txt"\n'
    notes = read(root, text).notes
    assert len(notes) == remarked
    for note in notes:
        assert note.startswith("newsletter.toml, line 7: [provider.smtp] password_file: other users of this computer")
        assert note.endswith(f"chmod 600 {path}") and SECRET not in note
    assert not read(root, text, NEWSLETTER_SMTP_PASSWORD="elsewhere").notes


def test_the_password_comes_from_the_environment_or_its_own_file(root: Path) -> None:
    (root / "password.txt").write_text(f"{SECRET}\r\n")
    text = f'{IDENTITY}[delivery]\nprovider = "smtp"\n[provider.smtp]\nusername = "maya"\n'
    from_file = read(root, f'{text}password_file = "password.txt"\n')
    from_environment = read(root, text, NEWSLETTER_SMTP_PASSWORD=SECRET)
    assert from_file.smtp.password == from_environment.smtp.password == SECRET
    assert SECRET not in repr(from_file)


@pytest.mark.parametrize(
    ("lines", "environment"),
    [
        pytest.param(f'[store]\nurl = "mysql://u:{SECRET}@db/x"', {}, id="in a store of another kind"),
        pytest.param(f'[provider.smtp]\npassword = "{SECRET}"', {}, id="as a password in the file"),
        pytest.param(f'[delivery]\npassword = "{SECRET}"', {}, id="as a password in the wrong section"),
        pytest.param(f'[provider.smtp]\npassword_file = "{SECRET}"', {}, id="where a file name should be"),
        pytest.param(f'[provider.smtp]\npasswort = "{SECRET}"', {}, id="under a misspelt key"),
        pytest.param(f'[provider.smtp]\npassword = "{SECRET}', {}, id="behind a missing quotation mark"),
        pytest.param('[provider.smtp]\npassword_file = "two_lines"', {}, id="in a file with two lines"),
        pytest.param('[store]\nurl_file = "two_lines"', {}, id="in a url file with two lines"),
        pytest.param("", {"NEWSLETTER_STORE_URL": f"mysql://u:{SECRET}@db/x"}, id="in the environment"),
    ],
)
def test_no_fault_shows_a_secret(root: Path, lines: str, environment: dict[str, str]) -> None:
    (root / "two_lines").write_text(f"{SECRET}\n{SECRET}\n")
    (fault,) = faults(root, f"{IDENTITY}{lines}\n", **environment)
    assert SECRET not in fault


# Faults


def test_a_fault_has_file_line_section_key_value_and_remedy(root: Path) -> None:
    (fault,) = faults(root, SAMPLE.replace('"7 days"', '"7 dayz"'))
    assert fault == (
        'newsletter.toml, line 12: [sequence] every = "7 dayz": write a number of days or weeks, such as "7 days"'
    )


@pytest.mark.parametrize(
    ("section", "line", "part"),
    [
        pytest.param("sequence", 'every = "12 hours"', "days or weeks", id="a cadence under a day"),
        pytest.param("sequence", 'every = "0 days"', "days or weeks", id="no days at all"),
        pytest.param("sequence", "every = 7", 'such as "7 days"', id="a bare number of days"),
        pytest.param("sequence", 'catch_up_every = "999999 weeks"', "days or weeks", id="longer than a life"),
        pytest.param("sequence", "days = []", "leave the key out", id="no weekday"),
        pytest.param("sequence", 'days = "tuesday"', '["tuesday"]', id="a weekday outside a list"),
        pytest.param("sequence", 'days = ["tuseday"]', 'did you mean "tuesday"?', id="a misspelt weekday"),
        pytest.param("sequence", 'at = "9am"', '"09:00"', id="a clock of twelve hours"),
        pytest.param("sequence", 'at = "24:00"', '"09:00"', id="a twenty-fifth hour"),
        pytest.param("sequence", "at = 09:00:30", '"09:00"', id="seconds"),
        pytest.param("sequence", 'start = "frist"', 'did you mean "first"?', id="a misspelt start"),
        pytest.param("sequence", "start = true", '"latest"', id="a start that is true"),
        pytest.param("sequence", 'mode = "broadcsat"', 'did you mean "broadcast"?', id="a misspelt mode"),
        pytest.param("sequence", 'min_gap = "20 h"', '"20 hours"', id="an abbreviated unit"),
        pytest.param("sequence", "start = 2026-03-01T09:00:00", "a date such as", id="a start with its time"),
        pytest.param("sequence", 'holidays = ["25.12.2026"]', "2026-03-01", id="a date of another order"),
        pytest.param("sequence", 'holidays = "2026-12-25"', "a list of dates", id="a holiday outside a list"),
        pytest.param("sequence", "quiet_hours = true", "two times", id="quiet hours that are true"),
        pytest.param("sequence", 'quiet_hours = "22:00-22:00"', "must differ", id="quiet hours without end"),
        pytest.param("sequence", 'evry = "7 days"', "did you mean every?", id="a misspelt key"),
        pytest.param("sequence", 'timezone = "UTC"', "belongs in [newsletter]", id="a key of another section"),
        pytest.param("sequence", "xyzzy = 1", "allowed here: at, catch_up_every", id="a key like no other"),
        pytest.param("newsletter", 'timezone = "Los Angeles"', '"America/Los_Angeles"', id="a city for its zone"),
        pytest.param("newsletter", 'timezone = "Europe/Berlim"', '"Europe/Berlin"', id="a misspelt zone"),
        pytest.param("newsletter", 'timezone = "localtime"', "IANA name", id="whatever the machine has"),
        pytest.param("newsletter", 'timezone = "America"', "IANA name", id="a folder of zones"),
        pytest.param("newsletter", 'language = "en_US"', 'did you mean "en-US"?', id="an underscore in a language"),
        pytest.param("newsletter", 'language = "English"', '"en-GB"', id="a language in words"),
        pytest.param("newsletter", 'url = "http://example.org"', "https://", id="http off this machine"),
        pytest.param("newsletter", 'url = "https://example.org/?a=1"', "begins with ? or #", id="a query"),
        pytest.param("newsletter", 'url = "https://u@example.org"', "such as", id="a login in a url"),
        pytest.param("newsletter", 'url = "https://exa mple.org"', "such as", id="a space in a url"),
        pytest.param("newsletter", 'url = "https://example.org:port"', "such as", id="a port that is no number"),
        pytest.param("newsletter", 'reply_to = "maya"', "needs one @", id="no address"),
        pytest.param(
            "newsletter", 'reply_to = "a@example.org, b@example.org"', "not an email", id="two bare addresses"
        ),
        pytest.param(
            "newsletter", 'reply_to = "A <a@example.org>, B <b@example.org>"', "not an email", id="two senders"
        ),
        pytest.param("newsletter", 'reply_to = "A\\nBcc: x <a@example.org>"', "one line", id="a line break in a name"),
        pytest.param("newsletter", 'unsubscribe_to = "M <m@example.org>"', "not an email", id="a name with an address"),
        pytest.param("theme", 'accent = "green"', 'such as "#2c5f53"', id="a colour by its name"),
        pytest.param("theme", 'accent = "#2c5"', '"#22cc55"', id="a colour of three digits"),
        pytest.param("theme", 'accent = "2c5f53"', 'write all of it: "#2c5f53"', id="a colour without its #"),
        pytest.param("theme", 'accent = "rgb(0 0 0 / .5)"', "six digits", id="a colour as a function"),
        pytest.param("theme", "accent = 2", "six digits", id="a colour as a number"),
        pytest.param("theme", 'acent = "#2c5f53"', "did you mean accent?", id="a misspelt colour"),
        pytest.param(
            "theme",
            'accent = "#ff6600"',
            'on page #f5f1e8 its contrast is 2.6, and words need 4.5; "#',
            id="a faint colour",
        ),
        pytest.param("theme", 'card = "#444444"', "ink #2b2b2b on it has a contrast of 1.5", id="a ground too dark"),
        pytest.param("theme.dark", 'muted = "#333333"', "words need 4.5", id="a colour too dark for the dark"),
        pytest.param("theme", 'font = "Georgia"', "end it with serif", id="a font that not everybody has"),
        pytest.param("theme", 'font = "url(x.woff), serif"', "nothing can be loaded", id="a font to load"),
        pytest.param("theme", 'font = "Georgia; color: red, serif"', "names of fonts", id="more than a font"),
        pytest.param("theme", 'logo = "none.png"', "no such file", id="a logo that is not there"),
        pytest.param("theme", 'logo = "/etc/hostname"', "outside the project", id="a logo from elsewhere"),
        pytest.param("theme", 'greeting = "Dear {nmae},"', "{name} in it once", id="a misspelt place"),
        pytest.param("theme", 'greeting = ""', "must not be empty", id="no greeting"),
        pytest.param("theme", "footer = [1]", "in double quotes", id="a footer that is no text"),
        pytest.param("theme", 'footer = "a\\nb"', "on one line", id="a footer line that is two"),
        pytest.param("theme", 'images = "hosted"', "set url in [newsletter]", id="pictures on no website"),
        pytest.param("theme", 'images = "linked"', '"attached" or "hosted"', id="pictures of another kind"),
        pytest.param("subscribers", 'file = "~/list.csv"', "whole path instead of ~", id="a home folder"),
        pytest.param("subscribers", 'fil = "list.csv"', "did you mean file?", id="a misspelt file"),
        pytest.param("store", 'url = "sqlite://"', "database in memory", id="SQLite in memory"),
        pytest.param("store", 'url = "sqlite:///:memory:"', "database in memory", id="SQLite in memory by name"),
        pytest.param("store", 'url = "sqlite:///file:x?mode=memory"', "database in memory", id="SQLite by URI"),
        pytest.param("store", 'url = "sqlite://x.db"', "three slashes", id="two slashes"),
        pytest.param("store", 'url = "sqlite:///x.db?a=b"', "begins with ?", id="options of SQLite"),
        pytest.param("store", 'url = "postgres://db/x"', 'did you mean "postgresql://"?', id="postgres"),
        pytest.param("store", 'url = "newsletter.db"', "sqlite:///", id="a bare file"),
        pytest.param("store", 'url_file = "none.txt"', "No such file", id="a url file that is not there"),
        pytest.param("delivery", 'provider = "smpt"', 'did you mean "smtp"?', id="a misspelt provider"),
        pytest.param("delivery", 'provider = "pigeon"', '"folder" or "smtp"', id="a provider there is not"),
        pytest.param("delivery", 'on_uncertain = "maybe"', '"resend" or "hold"', id="uncertain about uncertain"),
        pytest.param("provider.smtp", 'host = "smtp.example.org:587"', "port = 587", id="a port in the host"),
        pytest.param("provider.smtp", 'host = "https://example.org"', "only the name", id="a url for a host"),
        pytest.param("provider.smtp", "port = 0", "from 1 to 65535", id="port 0"),
        pytest.param("provider.smtp", "port = true", "from 1 to 65535", id="a port that is true"),
        pytest.param("provider.smtp", 'port = "25"', "without quotes", id="a port in quotes"),
        pytest.param("provider.smtp", "connections = 51", "from 1 to 50", id="too many connections"),
        pytest.param("provider.smtp", 'timeout = "0 seconds"', "1 second to 1 hour", id="no time at all"),
        pytest.param("provider.smtp", 'ca_file = "ca.pem"', "no such file", id="a certificate that is not there"),
        pytest.param("provider.smtp", 'password = "x"', "NEWSLETTER_SMTP_PASSWORD", id="a password in the file"),
        pytest.param("provider", 'host = "x"', "belongs in [provider.smtp]", id="a key one section too high"),
        pytest.param("provider.stmp", "port = 25", "did you mean [provider.smtp]?", id="a misspelt section below"),
        pytest.param("deliverey", 'provider = "x"', "did you mean [delivery]?", id="a misspelt section"),
        pytest.param("weather", "sun = true", "there is no such section; allowed: [", id="a section like no other"),
    ],
)
def test_one_fault(root: Path, section: str, line: str, part: str) -> None:
    text = f"{IDENTITY}{line}\n" if section == "newsletter" else f"{IDENTITY}[{section}]\n{line}\n"
    (fault,) = faults(root, text)
    assert part in fault
    at = 5 if section in ("newsletter", "provider.stmp", "deliverey", "weather") else 6
    assert fault.startswith(f"newsletter.toml, line {at}: [")


def test_a_mailbox_has_a_password_of_its_own(root: Path) -> None:
    found = faults(root, f'{IDENTITY}[mailbox]\nhost = "imap.example.org"\nusername = "ana"\npassword = "x"\n')
    assert "NEWSLETTER_MAILBOX_PASSWORD" in found[-1] and "[mailbox] password_file" in found[-1]
    assert not [fault for fault in found if "SMTP" in fault or "smtp" in fault]


def test_none_is_refused_off_this_machine(root: Path) -> None:
    (fault,) = faults(root, f'{IDENTITY}[provider.smtp]\nhost = "smtp.example.org"\nsecurity = "none"\n')
    assert 'line 7: [provider.smtp] security = "none": without protection only this machine' in fault


def test_a_user_name_needs_a_password_once_smtp_is_used(root: Path) -> None:
    text = f'{IDENTITY}[provider.smtp]\nusername = "maya"\n'
    assert read(root, text).smtp.username == "maya"
    (fault,) = faults(root, f'{text}[delivery]\nprovider = "smtp"\n')
    assert "line 6: [provider.smtp] username: there is no password for it" in fault


@pytest.mark.parametrize("key", ["name", "from", "postal_address"])
def test_what_must_be_there_is_missed(root: Path, key: str) -> None:
    text = "".join(line for line in IDENTITY.splitlines(keepends=True) if not line.startswith(key))
    (fault,) = faults(root, text)
    assert fault.startswith(f"newsletter.toml, line 1: [newsletter] {key} is missing: ")


@pytest.mark.parametrize("key", ["name", "from", "postal_address"])
def test_what_must_be_there_must_not_be_empty(root: Path, key: str) -> None:
    lines = [f'{key} = " "' if line.startswith(key) else line for line in IDENTITY.splitlines()]
    (fault,) = faults(root, "\n".join(lines))
    assert f'[newsletter] {key} = " ": it must not be empty' in fault


def test_an_empty_file_lacks_all_that_must_be_there(root: Path) -> None:
    assert [fault.split(" is missing")[0] for fault in faults(root, "")] == [
        "newsletter.toml: [newsletter] name",
        "newsletter.toml: [newsletter] from",
        "newsletter.toml: [newsletter] postal_address",
    ]


def test_a_misspelt_key_or_section_is_not_missed_as_well(root: Path) -> None:
    assert len(faults(root, IDENTITY.replace("name =", "nmae ="))) == 1
    assert len(faults(root, IDENTITY.replace("[newsletter]", "[newsleter]"))) == 1


def test_all_faults_are_told_at_once_in_the_order_of_the_file(root: Path) -> None:
    text = """\
stray = 3
[newsletter]
name = 5
[sequence]
days = [
  "monday",  # } ] a comment = 3
  "tuseday",
]
at = "9am"
[newsletter.more]
x = 1
[store]
url = '''
a = [ " ''' # the value ends here
[delivery]
provider = "pigeon"
[[provider.smtp]]
"""
    found = faults(root, text, NEWSLETTER_STORE_URL="x")
    assert [fault.split(":")[0] for fault in found] == [
        "newsletter.toml, line 1",
        "newsletter.toml, line 2",
        "newsletter.toml, line 2",
        "newsletter.toml, line 3",
        "newsletter.toml, line 5",
        "newsletter.toml, line 9",
        "newsletter.toml, line 10",
        "newsletter.toml, line 13",
        "newsletter.toml, line 16",
        "newsletter.toml, line 17",
        "NEWSLETTER_STORE_URL in the environment",
    ]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        pytest.param("[a]\nevery = 7 days", 2, "straight double quotes", id="no quotation marks round words"),
        pytest.param("mode = sequence", 1, "straight double quotes", id="no quotation marks round a word"),
        pytest.param("name = “Letters”", 1, "straight double quotes", id="curly quotation marks"),
        pytest.param('x = 1\nname = "Letters\ny = 1', 2, "quotation mark is missing", id="an open quotation mark"),
        pytest.param('x = 1\ndays = ["mon"', 2, "a ] at its end", id="an open list at the end"),
        pytest.param("x = 1\nx = 2", 2, "twice", id="a key twice"),
        pytest.param("[a]\n[b]\n[a]", 3, "twice", id="a section twice"),
        pytest.param("name: Letters", 1, "equals sign", id="a colon"),
        pytest.param('p = "C:\\Users\\x"', 1, "single quotes", id="a path of Windows"),
        pytest.param("d = 2026-02-30", 1, "no such date", id="the thirtieth of February"),
        pytest.param("[newsletter\nx = 1", 1, "square brackets", id="an open section"),
    ],
)
def test_what_is_no_toml_is_explained_with_its_line(root: Path, text: str, line: int, part: str) -> None:
    (fault,) = faults(root, text)
    assert fault.startswith(f"newsletter.toml, line {line}: ")
    assert part in fault


@pytest.mark.parametrize(
    ("octets", "part"),
    [
        pytest.param(SAMPLE.encode("utf-16"), "UTF-16", id="UTF-16"),
        pytest.param(b'[newsletter]\nname = "M\xfcller"\n', "line 2: a letter is not UTF-8", id="Windows-1252"),
        pytest.param(b"x = " + b"[" * 5000, "nested too deeply", id="five thousand brackets"),
        pytest.param(b"x = " + b"9" * 5000, "newsletter.toml, line 1", id="five thousand digits"),
    ],
)
def test_octets_that_are_no_configuration(root: Path, octets: bytes, part: str) -> None:
    (fault,) = faults(root, octets)
    assert part in fault


def test_a_folder_with_that_name_is_no_configuration(root: Path) -> None:
    (root / FILE_NAME).mkdir()
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load(root, {})


@given(st.text(st.sampled_from("[]{}\"'\n=.#a b1\\"), max_size=60))
def test_any_text_is_toml_or_a_clear_refusal(text: str) -> None:
    try:
        document = Document(text, FILE_NAME)
        document.finish()
    except ConfigError as error:
        assert str(error).startswith("newsletter.toml")
    else:
        assert not document.lines


# Where the project is


def test_the_project_is_found_from_a_folder_within(root: Path) -> None:
    (root / FILE_NAME).write_text(SAMPLE)
    inner = root / "posts" / "images"
    inner.mkdir(parents=True)
    assert find_root(inner) == root
    (inner / FILE_NAME).mkdir()
    assert find_root(inner) == root, "a folder with that name is none"


def test_without_a_project_the_owner_is_told_what_to_do(root: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_root(root / "posts")
    assert str(caught.value) == (
        f"there is no newsletter.toml here or in any folder above {root / 'posts'}: "
        "run `newsletter init` to make a project, or name one with --root DIR"
    )
    with pytest.raises(ConfigError, match="newsletter init"):
        load(root, {})


def test_reading_the_configuration_module_loads_nothing_heavy() -> None:
    program = "import sys, newsletter.config; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert "newsletter" in loaded
    assert not loaded & {"sqlalchemy", "email_validator", "dns", "jinja2", "yaml", "requests", "difflib", "rich"}
