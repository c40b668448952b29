"""The sample posts and a few awkward ones, to the byte: HTML, text and message.

Each awkward post stands here as text, so that the golden file beside it can be read against its source.
"""

from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.compose import Personal, compile_template, merge, message_id
from newsletter.config import Design, Identity
from newsletter.links import Links
from newsletter.mail import Mailbox
from newsletter.posts import read_post
from newsletter.render import render

HERE = Path(__file__).parent
SAMPLES = sorted((HERE.parents[1] / "posts").glob("[0-9]*.md"))
SECRET = b"a signing key of thirty-two octets"
READER = b"\x11" * 16

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
}

WITH_URL = Identity(
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


def _compare(path: Path, data: bytes, *, rewrite: bool) -> None:
    if rewrite:
        path.write_bytes(data)
    assert path.is_file(), f"{path.name} is missing: run python -m pytest tests/golden --rewrite and review it"
    assert data == path.read_bytes()


def _case(post: Path, identity: Identity, name: str, *, rewrite: bool) -> None:
    read = read_post(post, zone=ZoneInfo("UTC"), at=time(9))
    rendered = render(read, identity, Design())
    links = Links(SECRET, identity.url, identity.list_id)
    delivery = message_id(SECRET, epoch=0, post_id=read.id, subscriber=READER, copy=0, domain="letters.example.org")
    message = merge(
        compile_template(rendered, identity, post_id=read.id),
        Personal(
            recipient=Mailbox.parse("Ana Sousa <ana@example.org>"),
            date=datetime(2026, 3, 3, 17, tzinfo=UTC),
            message_id=delivery,
            unsubscribe_url=links.unsubscribe_url(READER),
            unsubscribe_mailto=links.unsubscribe_mailto(identity.unsubscribe_address, READER),
        ),
    )
    _compare(HERE / f"{name}.html", rendered.html.encode(), rewrite=rewrite)
    _compare(HERE / f"{name}.txt", rendered.text.encode(), rewrite=rewrite)
    _compare(HERE / f"{name}.eml", message, rewrite=rewrite)


@pytest.mark.parametrize("post", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_post_comes_out_as_reviewed(post: Path, rewrite: bool) -> None:
    _case(post, WITH_URL, post.stem, rewrite=rewrite)


@pytest.mark.parametrize("name", AWKWARD)
def test_an_awkward_post_comes_out_as_reviewed(name: str, tmp_path: Path, rewrite: bool) -> None:
    post = tmp_path / "posts" / f"{name}.md"
    post.parent.mkdir()
    post.write_text(AWKWARD[name])
    _case(post, WITHOUT_URL if name.startswith("904") else WITH_URL, name, rewrite=rewrite)
