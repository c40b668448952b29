"""The rivals in Python, each a program of its own: python race_peers.py smtplib|aiosmtplib PORT COUNT

Written as their manuals have it: an EmailMessage for each recipient, one connection (smtplib) or ten (aiosmtplib) kept
open for all.
"""

from __future__ import annotations

import sys
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

SENTENCE = "Grief does not keep to a calendar, and neither does the relief that comes after it. "
TEXT = f"{SENTENCE * 6}\n\n" * 17
HTML = "".join(f'<p style="margin:0 0 20px;line-height:1.6;color:#222222">{SENTENCE * 6}</p>\n' for _ in range(17))
CONNECTIONS = 10


def message(n: int) -> EmailMessage:
    """The letter to reader *n*: 25 kB, text and HTML, with a greeting and an unsubscribe link of its own."""
    link = f"https://letters.example.org/u/{n:044d}"
    made = EmailMessage()
    made["From"] = "Maya Thorne <maya@letters.example.org>"
    made["To"] = f"Reader {n} <reader{n}@example.org>"
    made["Subject"] = "The first letter"
    made["Date"] = formatdate()
    made["Message-ID"] = make_msgid(domain="letters.example.org")
    made["List-Unsubscribe"] = f"<{link}>"
    made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made.set_content(f"Hello Reader {n},\n\n{TEXT}\nUnsubscribe: {link}\n")
    made.add_alternative(f"<p>Hello Reader {n},</p>{HTML}<p><a href='{link}'>Unsubscribe</a></p>", subtype="html")
    return made


def with_smtplib(port: int, count: int) -> None:
    import smtplib

    with smtplib.SMTP("127.0.0.1", port) as server:
        for n in range(count):
            server.send_message(message(n))


def with_aiosmtplib(port: int, count: int) -> None:
    import asyncio

    import aiosmtplib

    async def one(numbers: range) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as server:
            for n in numbers:
                await server.send_message(message(n))

    async def everyone() -> None:
        await asyncio.gather(*(one(range(start, count, CONNECTIONS)) for start in range(CONNECTIONS)))

    asyncio.run(everyone())


if __name__ == "__main__":
    {"smtplib": with_smtplib, "aiosmtplib": with_aiosmtplib}[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))
