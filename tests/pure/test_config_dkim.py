"""[dkim]: what is understood, what is refused, and what is only remarked upon."""

import os
from pathlib import Path

import pytest

from newsletter.config import DKIM_VARIABLE, FILE_NAME, Config, Dkim, load
from newsletter.errors import ConfigError

IDENTITY = '[newsletter]\nname = "N"\nfrom = "maya@letters.example.org"\npostal_address = "12 Birch Lane"\n'
KEY = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("dkim.key", "second.key"):
        (tmp_path / name).write_text(KEY)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def read(root: Path, lines: str, environment: dict[str, str] | None = None) -> Config:
    (root / FILE_NAME).write_text(f"{IDENTITY}{lines}\n")
    return load(root, environment or {})


def dkim(root: Path, lines: str, environment: dict[str, str] | None = None) -> Dkim:
    found = read(root, f"[dkim]\n{lines}", environment).dkim
    assert found is not None
    return found


def test_without_the_section_nothing_is_signed(root: Path) -> None:
    assert read(root, "").dkim is None


def test_one_key(root: Path) -> None:
    found = dkim(root, 'selector = "Newsletter"\nkey_file = "dkim.key"')
    (key,) = found.keys
    assert (found.domain, key.selector, key.pem) == ("letters.example.org", "newsletter", KEY.encode())
    assert (key.where, key.path) == ("newsletter.toml, line 7: [dkim] key_file", root / "dkim.key")


def test_two_keys(root: Path) -> None:
    lines = 'selector = "a"\nkey_file = "dkim.key"\ned25519_selector = "b"\ned25519_key_file = "second.key"'
    found = dkim(root, lines)
    assert [(key.selector, key.path) for key in found.keys] == [("a", root / "dkim.key"), ("b", root / "second.key")]


@pytest.mark.parametrize("written", [KEY, KEY.replace("\n", "\\n")], ids=["lines", "one line"])
def test_the_environment_comes_before_the_file(root: Path, written: str) -> None:
    for lines in ('selector = "a"', 'selector = "a"\nkey_file = "absent.key"'):
        (key,) = dkim(root, lines, {DKIM_VARIABLE: written}).keys
        assert (key.pem, key.path, key.where) == (KEY.encode(), None, "NEWSLETTER_DKIM_KEY in the environment")


def test_a_key_that_is_not_made_yet_is_no_fault_so_that_the_command_can_make_it(root: Path) -> None:
    (key,) = dkim(root, 'selector = "a"\nkey_file = "absent.key"').keys
    assert (key.pem, key.path) == (b"", root / "absent.key")


@pytest.mark.parametrize("domain", ["letters.example.org", "example.org", "EXAMPLE.org"])
def test_the_domain_is_that_of_the_sender_or_above_it(root: Path, domain: str) -> None:
    found = dkim(root, f'selector = "a"\nkey_file = "dkim.key"\ndomain = "{domain}"')
    assert found.domain == domain.lower()


@pytest.mark.parametrize(
    ("lines", "line", "part"),
    [
        pytest.param("", 5, "[dkim] selector is missing: the name of the key in the DNS", id="no selector"),
        pytest.param('selector = "a"', 5, "[dkim] key_file is missing: the file with the key", id="no key"),
        pytest.param('selector = "a b"\nkey_file = "dkim.key"', 6, "a short word of English letters", id="a space"),
        pytest.param('selector = "-"\nkey_file = "dkim.key"', 6, "a short word of English letters", id="a dash"),
        pytest.param('selector = "ü"\nkey_file = "dkim.key"', 6, "a short word of English letters", id="an umlaut"),
        pytest.param('selector = 1\nkey_file = "dkim.key"', 6, "[dkim] selector = 1", id="a number"),
        pytest.param('selector = "a"\nkey_file = "."', 7, "can't be read", id="a folder"),
        pytest.param('selector = "a"\nkey_file = "large.key"', 7, "too large for a key", id="too large"),
        pytest.param('selector = "a"\nkey_file = "~/dkim.key"', 7, "instead of ~", id="a home folder"),
        pytest.param('selector = "a"\nkey_file = "a\\u0000b"', 7, "[dkim] key_file", id="a NUL"),
        pytest.param(
            'selector = "a"\nkey_file = "dkim.key"\ndomain = "example.com"', 8, "it has to be letters.example.org",
            id="another domain",
        ),
        pytest.param(
            'selector = "a"\nkey_file = "dkim.key"\ndomain = "ters.example.org"', 8, "it has to be letters.example.org",
            id="half a label",
        ),
        pytest.param('selector = "a"\nkey_file = "dkim.key"\ndomain = "org"', 8, "write a domain", id="a top domain"),
        pytest.param(
            'selector = "a"\nkey_file = "dkim.key"\ned25519_selector = "b"', 5, "ed25519_key_file is missing",
            id="half a second key",
        ),
        pytest.param(
            'selector = "a"\nkey_file = "dkim.key"\ned25519_selector = "a"\ned25519_key_file = "second.key"', 8,
            "two keys have two names", id="one name for two keys",
        ),
        pytest.param('selektor = "a"\nkey_file = "dkim.key"', 6, "did you mean selector?", id="misspelt"),
    ],
)  # fmt: skip
def test_one_fault(root: Path, lines: str, line: int, part: str) -> None:
    (root / "large.key").write_bytes(b"x" * 70_000)
    with pytest.raises(ConfigError) as raised:
        dkim(root, lines)
    faults = str(raised.value).splitlines()
    assert faults[0].startswith(f"newsletter.toml, line {line}: [dkim] ") and part in faults[0]
    assert len(faults) == 1 or lines == ""


def test_a_key_in_the_environment_needs_a_name(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"^newsletter.toml: \[dkim\] selector is missing") as raised:
        read(root, "", {DKIM_VARIABLE: KEY})
    assert "hunter2" not in str(raised.value)


def test_a_key_in_the_place_of_its_file_is_not_shown(root: Path) -> None:
    for written in (f"'''{KEY}'''", '"hunter2\\u0000"'):
        with pytest.raises(ConfigError) as raised:
            dkim(root, f'selector = "a"\nkey_file = {written}')
        assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(("mode", "remarked"), [(0o600, False), (0o400, False), (0o644, True), (0o640, True)])
def test_a_key_that_others_can_read_is_remarked_upon(root: Path, mode: int, remarked: bool) -> None:
    (root / "dkim.key").chmod(mode)
    notes = read(root, '[dkim]\nselector = "a"\nkey_file = "dkim.key"').notes
    assert len(notes) == remarked
    for note in notes:
        assert note.startswith("newsletter.toml, line 7: [dkim] key_file: other users of this computer can read")
        assert note.endswith(f"chmod 600 {root / 'dkim.key'}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_we_may_not_read(root: Path) -> None:
    (root / "dkim.key").chmod(0)
    with pytest.raises(ConfigError, match="can't be read: Permission denied"):
        dkim(root, 'selector = "a"\nkey_file = "dkim.key"')
