"""Posts: numbered Markdown files with front matter, read into values.

A post is a file ``NUMBER-slug.md``. Between two lines ``---`` at its top stand its front-matter keys: title (required),
subject, preheader, publish_at or date, status, tags, language, image, image_alt, id, catch_up, text, allow.

Guarantees
    What YAML would silently change is refused with file, line and the fix: a title cut at " #", ``no`` read as False,
    a key given twice. A file whose front matter isn't closed is never read as text.
    `read_folder` raises nothing for a single file: every post is usable, in conflict, or a `Fault`.

What goes wrong
    `PostError` from `read_post` (the first fault of the file), and from `read_folder` when there is no folder to read.

The parts, from below: `names` (files' names), `post` (the values), `source` (bytes and text), `remedies` (YAML's errors
in plain words), `fields` (YAML), `dates`, `sheet` (a file being read), `reading` (one post), `folder`, `new`.
"""

from __future__ import annotations

from newsletter.posts.folder import read_folder
from newsletter.posts.names import SLUG_LENGTH, file_name, slug
from newsletter.posts.new import TO_BE_WRITTEN, new_post_text
from newsletter.posts.post import Fault, Folder, Post, PostStatus
from newsletter.posts.reading import read_post
from newsletter.posts.sheet import KEYS
from newsletter.posts.source import LARGEST, plain_text

__all__ = [
    "KEYS",
    "LARGEST",
    "SLUG_LENGTH",
    "TO_BE_WRITTEN",
    "Fault",
    "Folder",
    "Post",
    "PostStatus",
    "file_name",
    "new_post_text",
    "plain_text",
    "read_folder",
    "read_post",
    "slug",
]
