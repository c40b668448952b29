"""A letter as it's composed, with all that a vendor has to carry."""

from __future__ import annotations

from datetime import UTC, datetime

from newsletter.config import VendorSettings
from newsletter.mail import Address, Envelope, Message

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
MESSAGE_ID = "9e4136946541c1f7b6d687f94ee8957ff0fc6feb@letters.example.org"
UNSUBSCRIBE = "<https://letters.example.org/u/ARERER>, <mailto:maya@example.org?subject=unsubscribe%20ARERER>"

HEAD = f"""\
From: Maya Thorne <maya@letters.example.org>
To: =?utf-8?q?Zo=C3=AB?= <zoe@example.org>
Reply-To: "Thorne, Maya" <maya@example.org>
Subject: =?utf-8?q?What_to_say_=E2=80=A6?=
Date: Mon, 02 Mar 2026 09:00:00 +0000
Message-ID: <{MESSAGE_ID}>
List-Id: <list.letters.example.org>
List-Unsubscribe: {UNSUBSCRIBE}
List-Unsubscribe-Post: List-Unsubscribe=One-Click
Feedback-ID: a-post:newsletter:e9c20b96907c
Precedence: bulk
MIME-Version: 1.0
"""
BODY = """\
Content-Type: multipart/alternative; boundary="a"

--a
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Hello Zo=C3=AB,
=46rom me.
--a
Content-Type: multipart/related; type="text/html"; boundary="r"

--r
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>Hello Zo=C3=AB,</p><img src=3D"cid:1@letters.example.org">
--r
Content-Type: image/png
Content-Transfer-Encoding: base64
Content-ID: <1@letters.example.org>
Content-Disposition: inline; filename="wide.png"

iVBORw0K
Ggo=
--r--
--a--
"""
PLAIN = """\
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Are you sure? <Yes> & no.
"""

#: The fields that are neither told in a place of their own nor the vendor's.
FIELDS = {
    "List-Id": "<list.letters.example.org>",
    "List-Unsubscribe": UNSUBSCRIBE,
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    "Feedback-ID": "a-post:newsletter:e9c20b96907c",
    "Precedence": "bulk",
}


def message(body: str = BODY, head: str = HEAD) -> Message:
    to = Envelope(Address.parse("maya@letters.example.org"), Address.parse("zoe@example.org"))
    return Message(7, MESSAGE_ID, to, (head + body).replace("\n", "\r\n").encode())


def settings(**changes: object) -> VendorSettings:
    return VendorSettings(**{"base_url": "https://api.example.org", "key": "key", "secret": "secret"} | changes)  # type: ignore[arg-type]
