"""Rules about what the owner wrote: front matter, drafting marks, HTML and Markdown that would show as text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.checks.finding import Finding, clipped, error, warning
from newsletter.checks.reading import Reading
from newsletter.findings import halves
from newsletter.posts import TO_BE_WRITTEN

_MERGE_FIELD = r"\{\{[^{}\n]{0,80}\}\}|\{%[^{}\n]{0,80}%\}|\*\|[A-Z_:]{2,40}\|\*|%%[A-Za-z_]{2,40}%%|@@[A-Z_]{2,40}@@"
_MERGE_FIELD += r"|(?i:\{(?:(?:first|last|full|reader|subscriber)?[ _-]?name|e-?mail)\})"
_PLACEHOLDER = r"(?i:\[(?:insert|your|first|link|quote|image|picture|date|name|add|tbd|tba)\b[^\]\n]{0,60}\](?![(\[:]))"
# "TK" is what writers put where something is "to come"; between names it is somebody's initials.
_TITLES = ("[DM]r", r"[DM]r\.", "Ms", r"Ms\.", "Mrs", r"Mrs\.", "Prof", r"Prof\.")
_NO_NAME = "".join(rf"(?<!\b{title}\s)" for title in _TITLES)
_TO_COME = rf"\bTKTK\w*|[\[(]TK\b[^\])\n]{{0,60}}[\])]|{_NO_NAME}(?<![\w.&'’-])TK(?![\w&'’-])(?!\s[A-Z]|\.[A-Z])"
_TO_DO = r"\b(?:TODO|FIXME)\b(?=\s*[:(\]])|(?:(?<=^)|(?<=[\[(]))(?:TODO|FIXME|TBD)\b"
_MARKS = re.compile(
    rf"^{re.escape(TO_BE_WRITTEN)}$|{_MERGE_FIELD}|{_PLACEHOLDER}|{_TO_COME}|{_TO_DO}|(?i:\blorem ipsum\b)"
)
_TAG = re.compile(
    r"</?(?:a|abbr|audio|b|big|blockquote|body|br|button|center|del|details|div|em|figcaption|figure|font|footer|form|h[1-6]"
    r"|header|hr|html|i|iframe|img|input|ins|kbd|label|li|mark|nav|ol|p|pre|q|s|script|section|small|span|strike|strong"
    r"|style|sub|summary|sup|svg|table|tbody|td|th|thead|tr|tt|u|ul|video)(?:\s[^<>\n]{0,200})?/?>|<!--",
    re.IGNORECASE,
)
_NOTE = re.compile(r" {0,3}\[\^([^\]\s]{1,80})\]:")
# What Markdown did not understand, as readers see it: the words, what is the matter, what to do.
_MARKDOWN = tuple(
    (re.compile(pattern, re.MULTILINE), problem, remedy)
    for pattern, problem, remedy in (
        (
            r"!\[[^\]\n]{0,200}\]\((?!\s*<?(?:javascript|vbscript|file|data):)[^)\n]{0,200}\)?",
            "A picture is not understood",
            "Write ![what it shows](images/NAME.jpg), and a name with spaces between < and >: (<images/my hat.jpg>).",
        ),
        (
            r"(?<!!)\[[^\]\n]{1,200}\]\((?!\s*<?(?:javascript|vbscript|file|data):)[^)\n]{0,200}\)?",
            "A link is not understood",
            "Write [words](https://…), with no space in the address: %20 stands for one.",
        ),
        (
            r"\[[^\]\n]{1,200}\] \((?=https?://|www\.|mailto:|images/)[^)\n]{0,200}\)?",
            "A link is not understood",
            "Take the space between ] and ( away.",
        ),
        (
            r"(?<!\])\[\^[^\]\s]{1,80}\]",
            "A note has no text",
            "Write it on a line of its own, with an empty line above: [^1]: the text of the note.",
        ),
        (r"\[[^\]\n]{1,80}\]\[[^\]\n]{1,80}\]", "A link has no address", "Write [words](https://…)."),
        (
            r"\[!\w{1,20}\]",
            "A call-out is not known",
            "Write [!NOTE], [!TIP], [!IMPORTANT], [!WARNING] or [!CAUTION], and nothing else on the line.",
        ),
        (r"^#{2,6}[^\s#][^\n]{0,60}", "A heading is not understood", "Put a space behind the # signs."),
        (
            r"(?<!\*)\*\*(?!\*)[^*\n]{1,200}(?<!\*)\*\*(?!\*)",
            "Bold words are not understood",
            "Write **so**: no space within the stars, and a space or an end of the line outside of them.",
        ),
        (
            r"(?<!\|\n)^\|[^\n]{1,200}\|[ \t]*$",
            "A table is not understood",
            "Put an empty line above it, and a line |---|---| below its first line.",
        ),
        (r"^\[[ xX]?\][^\n(\[]{0,60}", "A list to tick off is not understood", "Write - [ ] with a space behind it."),
        (
            r"\{[.#:][^}\n]{1,60}\}|\{[\w-]{1,40}=[^}\n]{1,80}\}",
            "What stands in { } is not understood",
            "Take it out: only {.button} behind a link is known.",
        ),
    )
)


def drafting_marks(reading: Reading) -> Iterator[Finding]:
    """Something is still to be written: TK, TODO, lorem ipsum, [insert …], a merge field such as {{ name }}."""
    post = reading.post
    top = {
        "title": post.title,
        "subject": post.subject if post.subject != post.title else "",
        "preheader": post.preheader,
    }
    for key, text in top.items():
        for found in _MARKS.finditer(text):
            yield _mark(found[0], reading.key_line(key), text)
    for line, text in reading.prose:
        for found in _MARKS.finditer(text):
            if reading.shows(found[0].strip("[]()")):
                yield _mark(found[0], line, reading.excerpt(line, found[0]))


def _mark(mark: str, line: int | None, quote: str) -> Finding:
    return error(
        "drafting-mark",
        f"“{clipped(mark, 40)}” looks like a mark from drafting, and readers would see it.",
        "Write what belongs there, or take the mark out.",
        line=line,
        quote=quote,
    )


def html_shown_as_text(reading: Reading) -> Iterator[Finding]:
    """HTML in a post is not carried out: readers would see the tags."""
    for line, text in reading.prose:
        found = _TAG.search(text)
        if not found or not reading.shows(found[0]):
            continue
        if found[0] == "<!--":
            yield error(
                "html-as-text",
                "A remark between <!-- and --> is not hidden: readers would see it.",
                "Take it out, and keep it in a file of its own.",
                line=line,
                quote=reading.excerpt(line, found[0]),
            )
        else:
            yield warning(
                "html-as-text",
                f"HTML in a post is shown as it is typed, so readers would see “{clipped(found[0], 40)}”.",
                "Say it in Markdown, or take it out.",
                line=line,
                quote=reading.excerpt(line, found[0]),
            )


def markdown_shown_as_text(reading: Reading) -> Iterator[Finding]:
    """Markdown with a slip in it is not carried out: readers would see the signs, or miss what they were to see."""
    for pattern, problem, remedy in _MARKDOWN:
        for found in pattern.finditer(reading.words):
            line = reading.line_of(found[0])
            said = f"{problem}, so readers would see “{clipped(found[0], 40)}”."
            quote = reading.excerpt(line, found[0])
            if problem.startswith(("A picture", "A link is")):
                yield error("markdown-as-text", said, remedy, line=line, quote=quote)
            else:
                yield warning("markdown-as-text", said, remedy, line=line, quote=quote)
    written = "\n".join(text for _, text in reading.prose)
    for line, text in reading.prose:
        note = _NOTE.match(text)
        if note and not re.search(rf"\[\^{re.escape(note[1])}\](?!:)", written):
            yield warning(
                "markdown-as-text",
                f"Nothing refers to the note [^{clipped(note[1], 20)}], so nobody would see it.",
                f"Put [^{clipped(note[1], 20)}] where it belongs, or take it out.",
                line=line,
                quote=reading.excerpt(line, note[0]),
            )


def front_matter(reading: Reading) -> Iterator[Finding]:
    """What stands at the top of the file is read as it was meant, and nothing in it is without effect."""
    for line, words in reading.post.remarks:
        yield warning("front-matter", *halves(words), line=line)


RULES = {
    "drafting-mark": drafting_marks,
    "html-as-text": html_shown_as_text,
    "markdown-as-text": markdown_shown_as_text,
    "front-matter": front_matter,
}
