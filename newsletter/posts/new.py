"""New posts: the file as `newsletter new` and `newsletter import` write it."""

from __future__ import annotations

import re

from newsletter.posts.post import PostStatus
from newsletter.posts.remedies import quoted
from newsletter.posts.sheet import CONTROL

TO_BE_WRITTEN = "Begin here. The greeting and your name come by themselves."  #: stands where the owner is to write


def new_post_text(
    title: str,
    *,
    post_id: str,
    body: str = TO_BE_WRITTEN,
    status: PostStatus = PostStatus.DRAFT,
) -> str:
    """The content of a new post's file, with its front matter filled in. *title* may hold any character."""
    title = re.sub(CONTROL, "", " ".join(title.split()))
    return f"""---
title: {quoted(title)}
id: {quoted(post_id)}
# What an inbox shows after the subject: 40 to 130 characters.
preheader: ""
# draft: stays here. live: readers get it when their turn comes.
status: {status}
---

{body.strip()}
"""
