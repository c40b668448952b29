"""A mail server that takes every message: aiosmtpd on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtpd.smtp import SMTP, Envelope, Session


class Recorder:
    """Takes every message and keeps it."""

    def __init__(self) -> None:
        self.took: list[tuple[tuple[str, ...], bytes]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.took.append((tuple(envelope.rcpt_tos), envelope.content))
        return "250 2.0.0 Ok: queued"


@contextmanager
def listening(handler: Recorder) -> Iterator[int]:
    """aiosmtpd on a port the system chose; its own Controller needs to know the port before."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: SMTP(handler, hostname="test", loop=loop), host="127.0.0.1", port=0)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(server.wait_closed())
        loop.close()
