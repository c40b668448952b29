"""Reports: what a mail that came back to us says. Bytes in, facts out; pure.

    read      one mail → what it tells of each recipient
    mails     the mails of a file, which may be an mbox
    events    the same, as `Event`s for `feedback`

    bounce, delayed, delivered   a delivery status (RFC 3464), or a failure told in prose
    complaint                    an abuse report (RFC 5965)
    unsubscribe                  somebody wants to leave: by our token, else clearly and by their own address
    auto-reply, challenge        a machine that answers (RFC 3834)
    reply                        a person; nobody but the owner touches it
    unknown                      none of these

Guarantees
    Any octets can be read; nothing raises, and the time grows with the length alone. Who is meant is told by our own
    signed marks first (reverse path, unsubscribe token, Message-ID), then by the report's fields, then by its words.
    Whether an address is dead is judged in `replies` alone.
"""

from __future__ import annotations

from newsletter.reports.entity import mails
from newsletter.reports.reading import NOBODY, Kind, Ours, Told, events, read

__all__ = ["NOBODY", "Kind", "Ours", "Told", "events", "mails", "read"]
