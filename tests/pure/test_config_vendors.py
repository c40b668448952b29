"""[provider.VENDOR]: what may stand there, where keys come from, and that no fault shows one."""

from __future__ import annotations

from datetime import timedelta
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from newsletter.config import VENDORS, Config, load
from newsletter.errors import ConfigError
from newsletter.providers import open_provider, refusals, vendor

IDENTITY = """\
[newsletter]
name = "Letters"
from = "maya@letters.example.org"
postal_address = "12 Birch Lane"
"""
SECRET = "hunter2-correct-horse"
#: what each needs beside its keys
MORE = {"ses": 'region = "eu-west-1"\n', "postmark": "manages_unsubscribe = false\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def read(root: Path, text: str, **environment: str) -> Config:
    (root / "newsletter.toml").write_text(IDENTITY + text)
    return load(root, environment)


def faults(root: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(root, text, **environment)
    return str(caught.value).splitlines()


def section(name: str, lines: str = "") -> str:
    return f'[delivery]\nprovider = "{name}"\n[provider.{name}]\n{MORE.get(name, "")}{lines}'


def keys(name: str) -> list[str]:
    return [key for key in (VENDORS[name].key, VENDORS[name].secret) if key]


def environment(name: str) -> dict[str, str]:
    return {VENDORS[name].variable(name, key): f"{SECRET}-{key}" for key in keys(name)}


@pytest.mark.parametrize("name", VENDORS)
def test_keys_come_from_the_environment_or_files_of_their_own_and_never_show(root: Path, name: str) -> None:
    lines = ""
    hook = VENDORS[name].hook
    for key in filter(None, [*keys(name), hook]):
        (root / f"{key}.txt").write_text(f"{SECRET}-{key}\n")
        (root / f"{key}.txt").chmod(0o600)
        lines += f'{key}_file = "{key}.txt"\n'
    from_files = read(root, section(name, lines))
    given = {VENDORS[name].variable(name, hook): f"{SECRET}-{hook}"} if hook else {}
    from_environment = read(root, section(name), **environment(name), **given)
    assert from_files.vendors == from_environment.vendors
    found = from_files.vendors[name]
    assert [found.key, found.secret][: len(keys(name))] == [f"{SECRET}-{key}" for key in keys(name)]
    assert found.webhook_secret == (f"{SECRET}-{hook}" if hook else "")
    assert SECRET not in repr(from_files) + str(from_files) + repr(found)
    assert from_files.notes == ()


@pytest.mark.parametrize("name", VENDORS)
def test_it_opens_and_says_how_much_may_be_in_doubt(root: Path, name: str) -> None:
    config = read(root, section(name, "threads = 3\n"), **environment(name))
    provider = open_provider(config, now=lambda: pytest.fail("nobody asked for the time"))
    assert provider.name == name and provider.window == 3 * config.vendors[name].batch
    assert {"hear", "refusals", "open_"} <= set(dir(vendor(name)))
    assert all(sentence[0].isupper() for sentence in refusals(config))


@pytest.mark.parametrize("name", VENDORS)
def test_a_key_is_missed_only_where_it_is_used(root: Path, name: str) -> None:
    for fault, key in zip(faults(root, section(name)), keys(name), strict=True):
        assert f"[provider.{name}] {key}_file is missing" in fault and VENDORS[name].variable(name, key) in fault
    assert read(root, f"[provider.{name}]\nthreads = 2\n").vendors[name].threads == 2


@pytest.mark.parametrize("name", VENDORS)
def test_a_key_in_the_file_is_refused_and_not_shown(root: Path, name: str) -> None:
    key = VENDORS[name].key
    (fault,) = faults(root, section(name, f'{key} = "{SECRET}"\n'), **environment(name))
    assert VENDORS[name].variable(name, key) in fault and f"{key}_file" in fault and SECRET not in fault
    found = faults(root, section(name, f'{key}_file = "{SECRET}"\n'))
    assert any("can't be read" in fault for fault in found) and not any(SECRET in fault for fault in found)


def test_a_key_that_others_can_read_is_remarked_upon(root: Path) -> None:
    (root / "token.txt").write_text(SECRET)
    (root / "token.txt").chmod(0o644)
    (note,) = read(root, section("postmark", 'token_file = "token.txt"\n')).notes
    assert "[provider.postmark] token_file: other users" in note and f"chmod 600 {root / 'token.txt'}" in note


@pytest.mark.parametrize(
    ("name", "line", "says"),
    [
        pytest.param("postmark", 'base_url = "http://api.postmarkapp.com"', "https://", id="in the clear, off this machine"),
        pytest.param("postmark", 'base_url = ""', "must not be empty", id="no address"),
        pytest.param("postmark", 'base_url = "https://api.example.org/x?y=1"', "leave out", id="with a query"),
        pytest.param("postmark", "batch = 501", "from 1 to 500", id="more than Postmark takes at once"),
        pytest.param("resend", "batch = 101", "from 1 to 100", id="more than Resend takes at once"),
        pytest.param("mailgun", "batch = 2", "belongs in [provider.postmark]", id="a batch where there are none"),
        pytest.param("postmark", "threads = 0", "from 1 to 50", id="no threads"),
        pytest.param("postmark", 'timeout = "1 hour"', "10 minutes", id="an hour for a request"),
        pytest.param("postmark", 'manages_unsubscribe = "no"', "true or false", id="no in quotes"),
        pytest.param("postmark", 'key_file = "k"', "did you mean token_file?", id="a key that several vendors have"),
        pytest.param("resend", "manages_unsubscribe = false", "belongs in [provider.postmark]", id="another vendor's key"),
        pytest.param("mailgun", 'domain = "localhost"', "write a domain", id="no domain"),
        pytest.param("ses", 'region = "Frankfurt"', "eu-west-1", id="a region by its name"),
        pytest.param("postmrk", "threads = 1", "did you mean", id="a vendor misspelt"),
    ],
)  # fmt: skip
def test_what_is_refused(root: Path, name: str, line: str, says: str) -> None:
    key = environment(name) if name in VENDORS else {}
    more = MORE.get(name, "") if line.split(" ")[0] not in MORE.get(name, "") else ""
    found = faults(root, f'[provider.{name}]\n{more}{line}\n[delivery]\nprovider = "{name}"\n', **key)
    assert any(says in fault and "newsletter.toml, line" in fault for fault in found), found


def test_a_key_from_the_environment_is_one_line_of_plain_letters(root: Path) -> None:
    (fault,) = faults(root, section("postmark"), NEWSLETTER_POSTMARK_TOKEN=f"{SECRET}\r\nX-Evil: 1")
    assert fault.startswith("NEWSLETTER_POSTMARK_TOKEN in the environment") and SECRET not in fault


def test_what_is_set_is_there(root: Path) -> None:
    lines = 'base_url = "http://127.0.0.1:8025/"\nmessage_stream = "letters"\nbatch = 500\ntimeout = "30 seconds"\n'
    found = read(root, section("postmark", lines), **environment("postmark")).vendors["postmark"]
    assert (found.base_url, found.message_stream, found.batch) == ("http://127.0.0.1:8025", "letters", 500)
    assert found.timeout == timedelta(seconds=30) and found.manages_unsubscribe is False
    usual = read(root, "").vendors
    assert usual["mailgun"].domain == "letters.example.org" and usual["postmark"].manages_unsubscribe is True
    assert usual["postmark"].message_stream == "broadcast"
    assert usual["ses"].base_url.startswith("https://email.") and len(usual) == 7


def test_a_provider_of_another_package(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def pigeon(settings: object, folder: Path) -> SimpleNamespace:
        made.append((settings, folder))
        return SimpleNamespace(name="pigeon", window=1)

    entry = metadata.EntryPoint("pigeon", "carrier:pigeon", "newsletter.providers")
    monkeypatch.setattr(metadata.EntryPoint, "load", lambda self: pigeon)
    monkeypatch.setattr(
        metadata, "entry_points", lambda *, group, name: [entry] if (group, name) == (entry.group, "pigeon") else []
    )
    text = '[delivery]\nprovider = "pigeon"\n[provider.pigeon]\nloft = "roof"\nkey_file = "ring.txt"\n'
    config = read(root, text)
    assert open_provider(config, now=lambda: pytest.fail("nobody asked")).name == "pigeon"
    assert made == [({"loft": "roof", "key_file": "ring.txt"}, root)] and refusals(config) == []
    (fault,) = faults(root, '[delivery]\nprovider = "pidgeon"\n')
    assert "[delivery] provider" in fault
