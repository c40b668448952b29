"""The letters that are judged: the sample posts, and posts that are awkward, as one reader's message.

Each awkward post stands here as text, so that the golden file can be read against its source.
"""

from __future__ import annotations

import re
import tempfile
from base64 import b64decode
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache, cached_property
from html import escape
from itertools import cycle
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lxml import html as lxml_html

from newsletter.compose import MessageTemplate, Personal, compile_template, merge, message_id
from newsletter.config import Design, Identity
from newsletter.links import Links
from newsletter.mail import Mailbox
from newsletter.posts import Post, read_post
from newsletter.render import Rendered, render, styles

SAMPLES = {path.stem: path for path in sorted((Path(__file__).parents[1] / "posts").glob("[0-9]*.md"))}

AWKWARD = {
    "901-right-to-left": """---
title: "الصمت بين الكلمات"
language: ar
preheader: رسالة قصيرة عن الصمت وعن الإصغاء، وعن الوقت الذي نعطيه لأنفسنا ولغيرنا.
---

السلام عليكم. هذه رسالة قصيرة.

## ما هو الإصغاء

- أن نسمع
- أن ننتظر

> الصمت جواب.

[موقعنا](https://letters.example.org/ar)
""",
    "902-japanese": """---
title: 間
language: ja
---

古い池のほとりで、蛙が一匹、水に飛び込みました。その音のあとに残る静けさのことを、日本語では「間」と呼びます。
何もないように見えて、そこには、言葉が届くための場所があります。

1. 息を吐く。
2. 三つ数える。
3. それから、話す。
""",
    "903-everything-nested": """---
title: Everything, <b>nested</b> & {{ evaluated }}
---

#### Deep first

###### Far deeper

1. one

   > a quote in a list
   > 1. with a list
   >    - and a list
   >      - [x] done
   >      - [ ] *not* done

2. two `code` and ~~gone~~

```html
<script>alert("{{ 7 * 7 }} @@UNSUBSCRIBE_URL@@ From here")</script>
```

| left | centre | right |
|:-----|:------:|------:|
| a    | b | 1 |
| あい | ccc | 22 |

.a line that begins with a dot, and www.example.org, and <maya@example.org>

From here on -- to there --- and on... <img src=x onerror=alert(1)>

Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftspräsident

https://example.org/a-very-long-address/that-goes-on/and-on/and-on/and-on/and-on/and-on/until-it-ends

> [!WARNING]
> Mind this.[^a] And again.[^a]

[^a]: A note with [a link](https://example.org/note).

    A second paragraph.
""",
    "905-more-than-markdown": """---
title: Mehr als Markdown
language: de
---

"Hallo" -- und eine Fußnote.[^1]

::: email_only
Antworten Sie einfach.
:::

::: web_only
Kommentare stehen unten.[^2]
:::

[Erste Stunde buchen](/termine){.button}

> [!IMPORTANT]
> Ein Kasten.

| Stadt | Einwohner |
|-------|----------:|
| Köln  | 1.084.831 |

[^1]: Im Brief.
[^2]: Im Netz.
""",
    "904-one-sentence": "---\ntitle: Short\n---\n\nThat is all.\n",
    "906-only-an-image": """---
title: A gate
---

![A gate in the morning light, half open](images/wide.png)
""",
    "907-lists-in-lists": """---
title: Lists in lists
preheader: Twelve steps down into a list, and how a narrow screen bears it.
---

1. step 1, with words behind it that have to go on to a second line on any telephone
   1. step 2, with words behind it that have to go on to a second line on any telephone
      1. step 3, with words behind it that have to go on to a second line on any telephone
         1. step 4, with words behind it that have to go on to a second line on any telephone
            1. step 5, with words behind it that have to go on to a second line on any telephone
               1. step 6, with words behind it that have to go on to a second line on any telephone
                  - and 1 further down
                    - and 2 further down
                      - and 3 further down
                        - and 4 further down
                          - and 5 further down
                            - and 6 further down

That was all of them.
""",
    "908-code": """---
title: "`code` & <code>"
preheader: A letter that is mostly code, with lines that no screen is wide enough for.
---

Type `newsletter check 4 --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["posts"][0]["findings"])'` once.

```python
def unsubscribe(token: str, *, at: datetime) -> Consent | None:  # a line that is wider than any telephone, whichever way
    if token == "" or "\t" in token or "</pre><script>" in token:
        return None

\treturn {**consent, "=?utf-8?q?x?=": "{{ name }} {% raw %} @@GREETING@@"}
```

    indented with four spaces: <b>&amp;</b>
    .and a dot at the beginning

~~~
From here on
```
~~~
""",
    "909-everything": """---
title: Everything in one letter
preheader: All that a post may hold, once, so that every rule has something to look at.
image: images/wide.png
image_alt: A band of light
---

Words with a [link](https://example.org/a), *emphasis*, `code`, a note.[^1] And a very long word:
Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft, and a long address:
https://example.org/a/very/long/address/that/goes/on/and/on/and/on/and/on/and/on/and/on/and/on.

> [!NOTE]
> A call-out with [a link](https://example.org/b) and `code` in it.
>
> [Book](https://example.org/book){.button}

[A button whose words are too long for the narrowest of all phones](https://example.org/book){.button}

- one
  - two
    - three
      - four
        - five
          - six

- [ ] to do
- [x] done

> > A quotation in a quotation.

![A picture](images/wide.png)

| Column | Another column | Unterbeamtengesellschaftsvorsitzender | Number |
|:--|:--|--:|--:|
| Words that go on for a while | short | Hauptbetriebswerkbauunterbeamtengesellschaft | 12 |

| a | b |
|---|---|
| c | d |

| | Monday | Tuesday |
|---|:-:|--:|
| morning | nine | twelve |

| Who | When | Where to write |
|---|---|---|
| The practice | Monday mornings | the.practice.in.birch.lane@letters.example.org |

```
a line of code that is so long that it can't possibly fit on the screen of a phone, however one turns it
```

---

##### Deep

The end.

[^1]: The note, with https://example.org/c.
""",
}


def _words(least: int) -> str:
    """The paragraphs of the sample posts one after the other, until there are so many words."""
    bodies = [path.read_text().split("---\n", 2)[2] for path in SAMPLES.values()]
    there = [words for words in "\n\n".join(bodies).split("\n\n") if "![" not in words and "[^" not in words]
    text = ""
    for paragraph in cycle(there):
        if len(text.split()) >= least:
            return text
        text += f"{paragraph}\n\n"
    raise AssertionError


def _long(title: str, words: int) -> str:
    return (
        f"---\ntitle: {title}\npreheader: A letter for a long evening, with many headings in it.\n---\n{_words(words)}"
    )


#: made of the others, and so without golden files
DERIVED = {
    "910-four-thousand-words": _long("Four thousand words", 4_000),
    "911-as-long-as-gmail-shows": _long("As long as Gmail shows", 6_200),
    "912-everything-right-to-left": AWKWARD["909-everything"].replace("title:", "language: ar\ntitle:"),
    "913-japanese-for-an-evening": "---".join(AWKWARD["902-japanese"].split("---")[:2])
    + "---"
    + 40 * AWKWARD["902-japanese"].split("---")[2],
}
NAMES = [*SAMPLES, *AWKWARD, *DERIVED]
GOLDEN = [*SAMPLES, *AWKWARD]

#: in this order, with a Reply-To and a website
FIELDS = ["From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe"]
FIELDS += ["List-Unsubscribe-Post", "Feedback-ID", "Precedence", "MIME-Version", "Content-Type"]
AT = datetime(2026, 3, 3, 17, tzinfo=UTC)
SECRET = b"a signing key of thirty-two octets"
IDENTITY = Identity(
    name="Letters from the Practice",
    sender=Mailbox.parse("Maya Thorne <maya@letters.example.org>"),
    reply_to=Mailbox.parse("maya@example.org"),
    postal_address="12 Birch Lane, Portland, OR 97201",
    url="https://letters.example.org",
)
WITHOUT_URL = Identity(
    name="Zoë’s “Notes”, weekly",
    sender=Mailbox.parse("zoe@notes.example.org"),
    postal_address="Straße 1, 10115 Berlin",
)
FULL_DESIGN = Design(
    crisis_line="This is no crisis line: call 988.", footer=("Licence 12345, https://maya.example.org",)
)

# 1200 by 800 pixels, all black; the octets are not made anew, as every zlib packs them in its own way.
WIDE = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAABLAAAAMgAQAAAAAbm6avAAAAjElEQVR42u3BMQEAAADCoPVPbQdvo"
    + 156 * "A"
    + "D4D1+8AARpxgZ8AAAAASUVORK5CYII="
)
ANA, BEN = Mailbox.parse("Ana Sousa <ana@example.org>"), Mailbox.parse("Ben <ben@example.net>")
_TOKENS = {ANA: b"\x11" * 16, BEN: b"\x22" * 16}


@dataclass(frozen=True)
class Letter:
    """One reader's message, and what it was made of."""

    post: Post
    identity: Identity
    source: str  #: the HTML before its styles were put on the elements, with tokens
    rendered: Rendered
    template: MessageTemplate
    personal: Personal
    data: bytes  #: as it is handed over

    @cached_property
    def parsed(self) -> EmailMessage:
        """The message as the standard library reads it."""
        return message_from_bytes(self.data, policy=policy.default)  # type: ignore[arg-type,return-value]

    @cached_property
    def header(self) -> bytes:
        """Its header as it is on the wire."""
        return self.data.partition(b"\r\n\r\n")[0]

    @cached_property
    def html(self) -> str:
        """Its HTML part, line ends LF."""
        return self.part("html")

    @cached_property
    def text(self) -> str:
        """Its plain-text part, line ends LF."""
        return self.part("plain")

    @cached_property
    def page(self) -> Any:
        """Its HTML part as a tree."""
        return lxml_html.document_fromstring(self.html)

    @property
    def filled(self) -> str:
        """The source with the reader's values in it."""
        filler = self.html.partition(escape(self.rendered.preheader, quote=False))[2].partition("</div>")[0]
        given = {
            "@@FILLER@@": filler,
            "@@GREETING@@": f" {self.personal.recipient.name}",
            "@@UNSUBSCRIBE_URL@@": escape(self.personal.unsubscribe_url),
            "@@UNSUBSCRIBE_MAILTO@@": escape(self.personal.unsubscribe_mailto),
        }
        return re.sub("|".join(given), lambda found: given[found[0]], self.source)

    def part(self, kind: str) -> str:
        """One part, decoded."""
        part = next(part for part in self.parsed.walk() if part.get_content_type() == f"text/{kind}")
        return bytes(part.get_payload(decode=True)).decode().replace("\r\n", "\n")  # type: ignore[arg-type]

    def to(self, reader: Mailbox) -> Letter:
        """The same letter for another reader."""
        personal = _personal(self.post, self.identity, reader)
        return replace(self, personal=personal, data=merge(self.template, personal))


@cache
def letter(name: str) -> Letter:
    """One of `NAMES` as Ana gets it."""
    with tempfile.TemporaryDirectory() as folder:
        post = read_post(_file(name, Path(folder)), zone=ZoneInfo("UTC"), at=time(9))
        identity = WITHOUT_URL if name.startswith("904") else IDENTITY
        source, rendered = _rendered(post, identity, FULL_DESIGN if name.startswith(("909", "912")) else Design())
    template = compile_template(rendered, identity, post_id=post.id)
    personal = _personal(post, identity, ANA)
    return Letter(post, identity, source, rendered, template, personal, merge(template, personal))


def _file(name: str, project: Path) -> Path:
    if name in SAMPLES:
        return SAMPLES[name]
    (project / "posts" / "images").mkdir(parents=True)
    (project / "posts" / "images" / "wide.png").write_bytes(WIDE)
    path = project / "posts" / f"{name}.md"
    path.write_text((AWKWARD | DERIVED)[name])
    return path


def _rendered(post: Post, identity: Identity, design: Design) -> tuple[str, Rendered]:
    """*post* rendered, and its HTML as premailer was given it."""
    given: list[str] = []
    inline = styles.inline
    styles.inline = lambda html: (given.append(html), inline(html))[1]
    try:
        rendered = render(post, identity, design)
        return given[0], rendered
    finally:
        styles.inline = inline


def _personal(post: Post, identity: Identity, reader: Mailbox) -> Personal:
    token = _TOKENS[reader]
    domain = "letters.example.org"
    ident = message_id(SECRET, epoch=0, post_id=post.id, subscriber=token, copy=0, domain=domain)
    links = Links(SECRET, identity.url, identity.list_id)
    return Personal(reader, AT, ident, *links.unsubscribe(identity.unsubscribe_address, token))
