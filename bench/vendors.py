"""Submitting over HTTP: what a message costs as JSON, and how many a second leave in batches.

    python bench/vendors.py [section …]        (payload, submit; both when none is named)

`payload` compares a message spliced from escaped fragments with `json.dumps` of the finished dict alone, which is the
least that serialising each message anew takes. `submit` is Postmark's provider with 8 threads and batches of 500, to a
server on loopback that waits 100 ms before it answers; it runs as a process of its own and only counts. The message is
a sample post of about 25 kB, personal values and List-* fields in it.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any

from message import AT, READERS, SECRET, line, micros, world

LATENCY, THREADS, BATCH, MESSAGES = 0.1, 8, 500, 40_000


def messages() -> list[Any]:
    """A message for each reader, as the press prints it."""
    from newsletter.config import Design
    from newsletter.press import Press

    identity, post, _, template, claims = world()
    press = Press.of([post], identity, Design(), SECRET, None)  # type: ignore[arg-type]
    press._templates[template.revision] = template
    return [press.print(claim, at=AT)[1] for claim in claims]


def payload() -> None:
    """One message as an item of a batch."""
    from newsletter.providers.letter import Splicer, letter
    from newsletter.providers.postmark import item as postmark
    from newsletter.providers.resend import item as resend

    made = messages()
    print(f"A message of {len(made[0].data):,} octets as JSON")
    for name, item in (("Postmark", lambda found: postmark(found, "broadcast")), ("Resend", resend)):
        splicer = Splicer(item)
        ready = [item(letter(message)) for message in made[:100]]
        spliced = micros(lambda n, splicer=splicer: splicer.part(made[n]), READERS)
        line(f"{name}: spliced from escaped fragments", spliced)
        line(
            "  json.dumps of the finished dict",
            micros(lambda n, ready=ready: json.dumps(ready[n]).encode(), 100),
            spliced,
        )


class _Counting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(LATENCY)
        answer = json.dumps([{"ErrorCode": 0, "MessageID": "m"}] * body.count(b'"MessageStream":')).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _serve(told: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counting)
    told.send(server.server_port)
    server.serve_forever()


def submit() -> None:
    """All of it: pulled, spliced, carried, answered."""
    from newsletter.config import VendorSettings
    from newsletter.mail import Accepted
    from newsletter.providers.postmark import Postmark

    made = messages()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    settings = VendorSettings(
        f"http://127.0.0.1:{ours.recv()}", key="x", batch=BATCH, threads=THREADS, message_stream="broadcast"
    )
    provider = Postmark(settings, now=lambda: AT)
    start, cpu = time.perf_counter(), time.process_time()
    outcomes = provider.submit(made[n % len(made)] for n in range(MESSAGES))
    accepted = sum(isinstance(outcome, Accepted) for _, outcome in outcomes)
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    server.terminate()
    server.join()
    print(f"{accepted:,} messages, {THREADS} threads, batches of {BATCH}, {LATENCY * 1000:.0f} ms of latency")
    print(f"  {accepted / took:,.0f} messages a second, {cpu / accepted * 1e6:.0f} µs of processor time each")


if __name__ == "__main__":
    for section in sys.argv[1:] or ["payload", "submit"]:
        {"payload": payload, "submit": submit}[section]()
