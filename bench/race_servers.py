"""What the race is run against; on loopback, each a process of its own, ended by its process id.

sink        Postfix's smtp-sink: PIPELINING, no CHUNKING
chunk_sink  a null server of our own that speaks BDAT (RFC 3030)
delayed     a proxy that holds every octet back for half a round trip, in both directions
postfix     Postfix itself in a folder of its own, with a transport that throws everything away
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"


def program(name: str) -> str | None:
    """Where *name* is installed."""
    return shutil.which(name, path=PATH)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def listening(command: list[str], port: int) -> Iterator[int]:
    """*command* as a process, from when it listens at *port*."""
    process = subprocess.Popen(command)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def sink() -> Iterator[int]:
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with listening([str(program("smtp-sink")), *user, f"127.0.0.1:{port}", "1000"], port):
        yield port


@contextmanager
def chunk_sink() -> Iterator[int]:
    port = free_port()
    with listening([sys.executable, __file__, "chunks", str(port)], port):
        yield port


@contextmanager
def delayed(target: int, seconds: float) -> Iterator[int]:
    """A port that leads to *target*, *seconds* there and back."""
    port = free_port()
    with listening([sys.executable, __file__, "delay", str(port), str(target), str(seconds / 2)], port):
        yield port


class _Chunks(socketserver.BaseRequestHandler):
    """Says yes to everything, and answers in one go what came in one go (RFC 2920 section 3.2)."""

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request.sendall(b"220 sink ESMTP\r\n")
        held, body = b"", 0
        while data := self.request.recv(262_144):
            answers = []
            held = data if not held else held + data
            while held:
                if body:
                    taken = min(body, len(held))
                    held, body = held[taken:], body - taken
                    answers += [b"250 2.0.0 Ok\r\n"] * (not body)
                    continue
                line, ended, rest = held.partition(b"\n")
                if not ended:
                    break
                held, verb = rest, line[:4].upper()
                if verb == b"BDAT":
                    body = int(line.split()[1])
                elif verb == b"EHLO":
                    answers.append(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 CHUNKING\r\n")
                else:
                    answers.append(b"221 2.0.0 Bye\r\n" if verb == b"QUIT" else b"250 2.0.0 Ok\r\n")
            if answers:
                self.request.sendall(b"".join(answers))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


async def _delay(port: int, target: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def release() -> None:
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(max(due - loop.time(), 0))
                if not data:
                    writer.close()
                    return
                writer.write(data)

        task = loop.create_task(release())
        data = b"-"
        while data:
            try:
                data = await reader.read(262_144)
            except OSError:
                data = b""
            waiting.put_nowait((loop.time() + seconds, data))
        await task

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ahead, back = await asyncio.open_connection("127.0.0.1", target, limit=1 << 22)
        await asyncio.gather(pump(reader, back), pump(ahead, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=1 << 22)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "chunks":
        _Server(("127.0.0.1", int(sys.argv[2])), _Chunks).serve_forever()
    else:
        asyncio.run(_delay(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
