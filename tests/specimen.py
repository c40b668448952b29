"""Letters to be judged: a post as its files would give it, and a letter changed on its way to the bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from newsletter.checks import RULES, Context, Finding, check
from newsletter.compose import compile_template
from newsletter.config import Design, Identity
from newsletter.mail import Mailbox
from newsletter.posts import read_post
from newsletter.proof import SAMPLE, Proof, pull, pull_from
from newsletter.render import Rendered

CHECKOUT = Path(__file__).parents[1]
SAMPLES = sorted((CHECKOUT / "posts").glob("[0-9]*.md"))
AT = datetime(2026, 3, 3, 17, tzinfo=UTC)
IDENTITY = Identity(
    name="Letters from the Practice",
    sender=Mailbox.parse("Maya Thorne <maya@letters.example.org>"),
    reply_to=Mailbox.parse("maya@example.org"),
    postal_address="12 Birch Lane, Portland, OR 97201",
    url="https://letters.example.org",
)
FRONT = "title: On endings\npreheader: Why the last session deserves as much care as the first.\n"
WORDS = "Most of what matters in the last hour was said long before it."


def proof(
    body: str = WORDS,
    front: str = FRONT,
    *,
    folder: Path,
    identity: Identity = IDENTITY,
    design: Design | None = None,
    html: Callable[[str], str] = lambda html: html,
    text: Callable[[str], str] = lambda text: text,
    message: Callable[[bytes], bytes] = lambda data: data,
) -> Proof:
    """A proof of a post with this front matter and *body*, its parts changed by *html*, *text* and *message*."""
    path = folder / "posts" / "004-on-endings.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"---\n{front}---\n\n{body}\n")
    post = read_post(path, zone=ZoneInfo("UTC"), at=time(9))
    pulled = pull(post, identity, design or Design(), SAMPLE, date=AT)
    rendered: Rendered = replace(pulled.rendered, html=html(pulled.rendered.html), text=text(pulled.rendered.text))
    template = compile_template(rendered, identity, post_id=post.id)
    changed = pull_from(template, rendered, post, identity, date=AT)
    return replace(changed, message=message(changed.message))


def sample(path: Path) -> Proof:
    """A proof of a post that comes with newsletter."""
    return pull(read_post(path, zone=ZoneInfo("UTC"), at=time(9)), IDENTITY, Design(), SAMPLE, date=AT)


def by(rule: str, found: Proof, context: Context | None = None) -> list[Finding]:
    """What one rule finds."""
    assert rule in RULES
    return [finding for finding in check(found, context=context) if finding.rule == rule]
