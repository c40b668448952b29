"""`[delivery] processes`: several at one ledger, and everybody's letter leaves once all the same."""

from __future__ import annotations

import signal
from collections import Counter

import pytest
from mailserver import MailServer
from practice import HOUR, Practice

MANY = [f"r{n:04}@example.org" for n in range(1_200)]


@pytest.fixture
def crowd(practice: Practice, mail: MailServer) -> Practice:
    practice.readers(*(f"{address},,UTC" for address in MANY))
    practice.mail_through(mail, provider='"smtp"\nprocesses = 3')
    practice.run("go-live", "--yes")
    practice.tick_at(mail, days=0)
    return practice


def once_each(practice: Practice, mail: MailServer) -> None:
    counted = Counter(letter.address for letter in mail.taken)
    assert counted == dict.fromkeys(MANY, 1)
    assert {k: n for k, n in practice.json("status")["deliveries"].items() if n} == {"accepted": len(MANY)}
    assert practice.run("verify").status == 0


def test_three_processes_send_each_letter_once_and_add_up_what_they_did(crowd: Practice, mail: MailServer) -> None:
    ran = crowd.run("send")
    assert ran.status == 0 and "1,200 messages to smtp: 1,200 accepted." in ran.out
    once_each(crowd, mail)


def test_ctrl_c_reaches_every_process_once(crowd: Practice, mail: MailServer) -> None:
    mail.hold(after=40)
    process = crowd.start("send")
    assert mail.held.wait(120)
    process.send_signal(signal.SIGINT)
    mail.let_go()
    ran = crowd.finish(process)
    assert ran.status == 130
    states = {k: n for k, n in crowd.json("status")["deliveries"].items() if n}
    assert states == {"accepted": len(mail.taken), "planned": len(MANY) - len(mail.taken)}
    assert 40 <= len(mail.taken) < len(MANY)
    assert crowd.run("send").status == 0
    once_each(crowd, mail)


def test_when_the_run_is_killed_its_helpers_end_and_nothing_is_lost(crowd: Practice, mail: MailServer) -> None:
    mail.hold(after=40)
    process = crowd.start("send")
    assert mail.held.wait(120)
    process.kill()
    mail.let_go()  # its helpers end when what they handed over is answered
    crowd.finish(process)
    for _ in range(2):  # a lease of twenty minutes, ten minutes of doubt
        crowd.run("send", at=crowd.at + HOUR)
    counted = Counter(letter.address for letter in mail.taken)
    assert set(counted) == set(MANY)
    said = crowd.run("report").out
    assert all(f"{address} was sent once more after doubt" in said for address, n in counted.items() if n > 1)
    assert crowd.run("verify").status == 0
