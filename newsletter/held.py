"""Posts that are held: what the checks keep back, asked once and remembered.

    judging       what the press asks before a revision leaves for the first time
    keep_held     what a run was told, kept with the post's digest
    held_posts    who is held still, without judging again
    would_hold    what a run would be told, for a rehearsal

Guarantees
    A post that was changed since is not held: the press asks anew when it is to leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from newsletter.config import Config
from newsletter.errors import NewsletterError, PostHeld
from newsletter.posts import Folder, Post
from newsletter.press import Judge, Press
from newsletter.store import Store

if TYPE_CHECKING:
    from newsletter.compose import MessageTemplate
    from newsletter.render import Rendered


def judging(config: Config, folder: Folder, judged: dict[str, str], *, at: datetime) -> Judge:
    """What the press asks before a revision leaves for the first time; the answers go into *judged*, "" for a yes."""

    def judge(post: Post, rendered: Rendered, template: MessageTemplate) -> None:
        from newsletter.checks import Context, check, reason_to_hold  # only when something new leaves
        from newsletter.proof import pull_from

        proof = pull_from(template, rendered, post, config.identity, date=at)
        found = check(proof, context=Context.of(folder, config.checks.lock_screen_words, config.design.templates))
        judged[post.id] = reason_to_hold(post, found, strict=config.checks.strict)
        if judged[post.id]:
            raise PostHeld(judged[post.id])

    return judge


def would_hold(config: Config, store: Store, folder: Folder, due: Mapping[int, int], *, at: datetime) -> list[str]:
    """What would keep the posts that are *due* (number → readers) from leaving at *at*, as a run would say it."""
    press = Press.of(folder.posts, config.identity, config.design, b"", store.ledger)
    press.judge = judging(config, folder, {}, at=at)
    why = held_posts(store, folder)
    for post in folder.posts:
        if due.get(post.number):
            try:
                press.revision(post.id)
            except NewsletterError as error:
                why[post.number] = str(error)
    return list(why.values())


def keep_held(store: Store, folder: Folder, judged: dict[str, str]) -> None:
    """Remember who is held, so that `status` says so without judging again."""
    before: dict[str, Any] = store.facts.get("held_posts") or {}
    digests = {post.id: post.digest for post in folder.posts}
    after = {ident: held for ident, held in before.items() if digests.get(ident) == held["digest"]}
    after |= {ident: {"digest": digests[ident], "reason": reason} for ident, reason in judged.items()}
    after = {ident: held for ident, held in after.items() if held["reason"]}
    if after != before:
        store.facts.put("held_posts", after or None)


def held_posts(store: Store, folder: Folder) -> dict[int, str]:
    """The posts that were held when they were to leave, and are as they were then: number → reason."""
    held: dict[str, Any] = store.facts.get("held_posts") or {}
    return {p.number: held[p.id]["reason"] for p in folder.posts if p.id in held and held[p.id]["digest"] == p.digest}
