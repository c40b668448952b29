"""A mail server's address with TLS, for a sink that speaks without: letters go to another machine encrypted or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def encrypted(address: str, context: ssl.SSLContext, sink: int) -> Iterator[int]:
    """Listen at *address* and hand what comes to the port *sink* of this machine; the port. All lines end with it."""
    loop = asyncio.new_event_loop()
    writers: set[asyncio.StreamWriter] = set()

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65_536):
                target.write(chunk)
                await target.drain()
        target.close()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", sink)
        writers.update((writer, forth))
        with contextlib.suppress(asyncio.CancelledError):  # the end
            await asyncio.gather(pump(reader, forth), pump(back, writer))

    async def end() -> None:
        server.close()
        mine = asyncio.all_tasks() - {asyncio.current_task()}
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        for writer in writers:  # a farewell over a dead line would be waited for
            writer.transport.abort()
        await asyncio.sleep(0.1)
        loop.stop()

    server = loop.run_until_complete(asyncio.start_server(meet, address, 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop)
        thread.join()
        loop.close()
