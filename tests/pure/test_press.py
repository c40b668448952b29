"""The press: the same delivery, the same message; and what is noticed when it is not the same any more."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.config import Design, Identity
from newsletter.errors import NewsletterError
from newsletter.keys import Algorithm, SigningKey, new_key, signing_key
from newsletter.mail import Address, Mailbox
from newsletter.posts import Post, read_post
from newsletter.press import Press
from newsletter.store.attempts import Claim

SECRET = b"a signing key of thirty-two octets"
AT = datetime(2026, 3, 3, 17, 0, 0, 900_000, tzinfo=UTC)
IDENTITY = Identity("Letters", Mailbox.parse("maya@letters.example.org"), "12 Birch Lane", url="https://example.org")


@dataclass
class Kept:
    """A ledger as far as a press knows it: where templates are kept."""

    bodies: dict[str, bytes]

    def keep_template(self, revision: str, post_id: int, body: bytes, *, at: datetime) -> None:
        self.bodies[revision] = body

    def template(self, revision: str) -> bytes | None:
        return self.bodies.get(revision)


@pytest.fixture
def post(tmp_path: Path) -> Post:
    path = tmp_path / "001-endings.md"
    path.write_text("---\ntitle: Endings\n---\n\nThat is all.\n")
    return read_post(path, zone=ZoneInfo("UTC"), at=time(9))


@pytest.fixture
def kept() -> Kept:
    return Kept({})


def key() -> SigningKey:
    return signing_key(new_key(Algorithm.ED25519), domain="example.org", selector="a", where="a test")


def press(post: Post | None, kept: Kept, *keys: SigningKey, **changes: object) -> Press:
    identity = replace(IDENTITY, **changes)  # type: ignore[arg-type]
    return Press.of([post] if post else [], identity, Design(), SECRET, kept, keys)  # type: ignore[arg-type]


def claim(post: Post) -> Claim:
    return Claim(7, 1, 1, post.id, 0, 0, 0, b"\x11" * 16, Mailbox("Ana", Address("a", "example.org")), None, None, None)


def test_a_further_attempt_has_the_bytes_of_the_first_even_when_the_post_is_gone(post: Post, kept: Kept) -> None:
    begun, message = press(post, kept).print(claim(post), at=AT)
    again = claim(post)._replace(revision=begun.revision, first_at=begun.date, content=begun.content)
    later, other = press(None, kept).print(again, at=AT + timedelta(hours=5))
    assert (later.content, later.message_id, other) == (begun.content, begun.message_id, message)
    data, content = press(None, kept).reprint(
        begun.revision, ident=post.id, epoch=0, copy=0, token=b"\x11" * 16, recipient=again.recipient, date=begun.date
    )
    assert (data, content) == (message.data, begun.content)


def test_another_key_is_another_signature_and_the_same_content(post: Post, kept: Kept) -> None:
    begun, message = press(post, kept, key()).print(claim(post), at=AT)
    again = claim(post)._replace(revision=begun.revision, first_at=begun.date, content=begun.content)
    for keys in ((), (key(),), (key(), key())):
        later, other = press(None, kept, *keys).print(again, at=AT)
        assert later.content == begun.content and other.data != message.data
        assert other.data.count(b"DKIM-Signature:") == len(keys)
        assert other.data.endswith(message.data[message.data.index(b"From: ") :])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"url": "https://example.net"}, id="another url"),
        pytest.param({"url": ""}, id="no url"),
        pytest.param({"unsubscribe_to": Address("x", "example.org")}, id="another address to unsubscribe at"),
        pytest.param({"sender": Mailbox.parse("maya@example.net")}, id="another domain"),
    ],
)
def test_a_message_that_comes_out_different_is_not_sent(post: Post, kept: Kept, change: dict[str, object]) -> None:
    begun, _ = press(post, kept).print(claim(post), at=AT)
    again = claim(post)._replace(revision=begun.revision, first_at=begun.date, content=begun.content)
    with pytest.raises(NewsletterError, match="differ from those of the first attempt|no address to unsubscribe"):
        press(None, kept, **change).print(again, at=AT)


def test_a_template_that_was_damaged_is_not_used(post: Post, kept: Kept) -> None:
    begun, _ = press(post, kept).print(claim(post), at=AT)
    again = claim(post)._replace(revision=begun.revision, first_at=begun.date, content=begun.content)
    kept.bodies[begun.revision] = kept.bodies[begun.revision].replace(b"That is all", b"That is not")
    with pytest.raises(NewsletterError, match="can't be read|was damaged"):
        press(None, kept).print(again, at=AT)
    kept.bodies[begun.revision] = kept.bodies[begun.revision].replace(b"That is not", b"This is all")
    with pytest.raises(NewsletterError, match="was damaged"):
        press(None, kept).print(again, at=AT)
    kept.bodies.clear()
    with pytest.raises(NewsletterError, match="missing from the database"):
        press(None, kept).print(again, at=AT)
