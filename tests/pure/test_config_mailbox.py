"""[mailbox] and bounces_to: what is read, and what is refused with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.config import Config, MailboxSettings, Security, load
from newsletter.config.values import BOUNCES_LOCAL_MAX
from newsletter.errors import ConfigError
from newsletter.mail import Address
from newsletter.verp import ReversePaths

IDENTITY = '[newsletter]\nname = "N"\nfrom = "maya@example.org"\npostal_address = "12 Birch Lane"\n'
MAILBOX = '[mailbox]\nhost = "imap.example.org"\nusername = "maya"\n'


def loaded(root: Path, text: str, **environment: str) -> Config:
    (root / "newsletter.toml").write_text(IDENTITY + text)
    (root / "password.txt").write_text("from a file\n")
    (root / "password.txt").chmod(0o600)
    return load(root, environment)


def test_without_the_section_there_is_none(tmp_path: Path) -> None:
    assert loaded(tmp_path, "", NEWSLETTER_MAILBOX_PASSWORD="x").mailbox is None


def test_little_is_needed(tmp_path: Path) -> None:
    made = loaded(tmp_path, MAILBOX, NEWSLETTER_MAILBOX_PASSWORD="secret\n").mailbox
    assert made == MailboxSettings("imap.example.org", 993, Security.TLS, "maya", "secret")
    assert (made.folder, made.done_folder) == ("INBOX", "Newsletter/Handled")
    assert "secret" not in repr(made)


def test_everything_can_be_said(tmp_path: Path) -> None:
    text = (
        '[mailbox]\nhost = "127.0.0.1"\nusername = "maya"\nsecurity = "none"\npassword_file = "password.txt"\n'
        'folder = "Bounces"\ndone_folder = "Done/2026"\ntimeout = "5 seconds"\nca_file = "password.txt"\n'
    )
    made = loaded(tmp_path, text).mailbox
    assert made is not None
    assert (made.port, made.password, made.folder, made.done_folder) == (143, "from a file", "Bounces", "Done/2026")
    assert loaded(tmp_path, text, NEWSLETTER_MAILBOX_PASSWORD="first").mailbox.password == "first"


def test_a_password_that_others_can_read_is_remarked_upon(tmp_path: Path) -> None:
    text = f'{MAILBOX}password_file = "password.txt"\n'
    assert loaded(tmp_path, text).notes == ()
    (tmp_path / "password.txt").chmod(0o644)
    (note,) = load(tmp_path, {}).notes
    assert "[mailbox] password_file" in note


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(MAILBOX, "there is no password for it", id="no password"),
        pytest.param('[mailbox]\nhost = "imap.example.org"\n', "username is missing", id="no user name"),
        pytest.param('[mailbox]\nusername = "maya"\n', "host is missing", id="no host"),
        pytest.param(f'{MAILBOX}security = "none"\n', "only this machine can be reached", id="in the clear"),
        pytest.param(f'{MAILBOX}folder = "A"\ndone_folder = "a"\n', "another folder", id="the same folder"),
        pytest.param(f'{MAILBOX}folder = "A*"\n', "the name of a folder", id="a pattern"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        loaded(tmp_path, text)


def test_bounces_to_leaves_room_for_a_token(tmp_path: Path) -> None:
    local = "b" * BOUNCES_LOCAL_MAX
    identity = loaded(tmp_path, f'bounces_to = "{local}@example.org"\n').identity
    assert identity.reverse_path == identity.bounces_to == Address(local, "example.org")
    longest = ReversePaths(b"k" * 16, identity.bounces_to, "list.example.org").path(2**40 - 1)
    assert len(longest.local) == 64
    with pytest.raises(ConfigError, match="may have 37 characters"):
        loaded(tmp_path, f'bounces_to = "{local}b@example.org"\n')
    assert loaded(tmp_path, 'bounces_to = ""\n').identity.reverse_path == Address("maya", "example.org")
