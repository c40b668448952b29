"""A mail server that fails at each step, in each way: what comes of the message."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import pytest
from servers import Act, Fault, Held, Script, Scripted, Slowly, ThenDrop

from newsletter.config import Security, SmtpSettings
from newsletter.errors import ProviderError
from newsletter.mail import About, Accepted, Deferred, Message, Outcome, Rejected, Uncertain
from newsletter.providers.smtp import Smtp

Make = Callable[..., Message]

GARBAGE = b"what do you want?\r\n"
MIXED = b"250-yes\r\n550 no\r\n"
SILENT = {
    "drop": Fault.DROP,
    "reset": Fault.RESET,
    "hang": Fault.HANG,
    "a byte now and then": Fault.DRIP,
    "garbage": GARBAGE,
    "a reply without an end": Fault.ENDLESS,
    "a line without an end": Fault.LONG_LINE,
    "a reply of two codes": MIXED,
}


def smtp(
    server: Scripted, *, connections: int = 1, seconds: float = 10, username: str = "", password: str = "secret"
) -> Smtp:
    return Smtp(
        SmtpSettings(
            host="127.0.0.1",
            port=server.port,
            security=Security.NONE,
            connections=connections,
            timeout=timedelta(seconds=seconds),
            username=username,
            password=password,
        ),
        final_timeout=timedelta(seconds=seconds),
    )


def submit(provider: Smtp, messages: Iterable[Message]) -> tuple[list[Outcome], ProviderError | None]:
    """The outcomes by delivery, and what was raised after them."""
    outcomes: list[tuple[int, Outcome]] = []
    try:
        outcomes.extend((done.delivery, outcome) for done, outcome in provider.submit(messages))
    except ProviderError as error:
        return [outcome for _, outcome in sorted(outcomes, key=lambda row: row[0])], error
    return [outcome for _, outcome in sorted(outcomes, key=lambda row: row[0])], None


def patience(fault: Act) -> float:
    """Seconds: short where only a timeout ends it."""
    return 0.4 if fault in (Fault.HANG, Fault.DRIP) else 10


@pytest.mark.parametrize("fault", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("step", ["banner", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"])
def test_silence_before_the_dot_leaves_the_message_untouched(step: str, fault: Act, message: Make) -> None:
    with Scripted({step: fault}, extensions=["AUTH PLAIN"]) as server:
        outcomes, error = submit(smtp(server, seconds=patience(fault), username="maya"), [message()])
        assert outcomes == [] and server.took == []
        assert error and error.retry_after == timedelta(minutes=1)
        assert "127.0.0.1, port" in str(error) and "r1@" not in str(error)
        # A session that stood is worth two fresh ones; one that never stood isn't.
        assert server.connections == (3 if step in ("MAIL", "RCPT", "DATA") else 1)


@pytest.mark.parametrize("fault", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_one_drop_before_the_dot_is_made_good_on_a_fresh_connection(step: str, fault: Act, message: Make) -> None:
    with Scripted({step: [fault]}) as server:
        outcomes, error = submit(smtp(server, seconds=1 if patience(fault) < 1 else 10), [message()])
        assert [type(o) for o in outcomes] == [Accepted] and error is None
        assert [who for who, _ in server.took] == ["r1@example.org"] and server.connections == 2


@pytest.mark.parametrize("fault", SILENT.values(), ids=SILENT)
def test_silence_after_the_dot_is_uncertain_and_never_sent_again(fault: Act, message: Make) -> None:
    with Scripted({"dot": fault}) as server:
        outcomes, error = submit(smtp(server, seconds=patience(fault)), [message()])
        assert [type(o) for o in outcomes] == [Uncertain] and error is None
        assert server.connections == 1 and server.commands.count("DATA") == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Fault.ENDLESS, id="line after line"),
        pytest.param(Fault.LONG_LINE, id="one line"),
        pytest.param(b"250 " + b"x" * 9_000 + b"\r\n", id="a long line that does end"),
    ],
)
def test_an_answer_without_end_is_cut_off_by_its_length_not_by_the_clock(answer: Act, message: Make) -> None:
    with Scripted({"dot": answer}) as server:
        (outcome,), _ = submit(smtp(server), [message()])
        assert isinstance(outcome, Uncertain) and "did not end" in outcome.diagnostic


def test_the_answer_to_the_dot_has_more_time_than_the_others(message: Make) -> None:
    held = threading.Event()
    threading.Timer(1, held.set).start()
    with Scripted({"dot": Held(held)}) as server:
        settings = SmtpSettings(port=server.port, security=Security.NONE, timeout=timedelta(seconds=0.5))
        ((_, outcome),) = Smtp(settings).submit([message()])
        assert isinstance(outcome, Accepted)


def test_an_answer_to_the_dot_that_makes_no_sense_is_uncertain(message: Make) -> None:
    with Scripted({"dot": b"354 go on\r\n"}) as server:
        outcomes, _ = submit(smtp(server), [message()])
        assert [type(o) for o in outcomes] == [Uncertain]


@pytest.mark.parametrize(
    ("step", "answer", "retry"),
    [
        pytest.param("banner", b"421 4.3.2 busy\r\n", True, id="busy at the door: tried again"),
        pytest.param("banner", b"554 5.7.1 go away\r\n", False, id="turned away at the door: the owner acts"),
        pytest.param("EHLO", b"450 4.0.0 not now\r\n", True, id="EHLO 4xx: tried again"),
        pytest.param("EHLO", b"550 5.7.1 bad name\r\n", False, id="EHLO 5xx: the owner acts"),
        pytest.param("AUTH", b"454 4.7.0 later\r\n", True, id="login 4xx: tried again"),
        pytest.param("AUTH", b"535 5.7.8 wrong\r\n", False, id="login refused: the owner acts"),
        pytest.param("MAIL", b"451 4.7.1 slow down\r\n", True, id="MAIL 4xx: tried again"),
        pytest.param("MAIL", b"421 4.7.0 enough\r\n", True, id="MAIL 421 on every connection: tried again"),
        pytest.param("MAIL", b"550 5.7.1 not your address\r\n", False, id="MAIL 5xx: the owner acts"),
        pytest.param("MAIL", b"530 5.7.0 log in first\r\n", False, id="MAIL 530: the owner acts"),
    ],
)
def test_a_refusal_of_us_marks_nobody(step: str, answer: bytes, retry: bool, message: Make) -> None:
    with Scripted({step: answer}, extensions=["AUTH PLAIN"]) as server:
        outcomes, error = submit(smtp(server, username="maya"), [message(1), message(2)])
        assert outcomes == [] and server.took == []
        assert error and (error.retry_after is not None) == retry


def test_a_wrong_password_is_said_in_the_owners_words_and_costs_one_login(message: Make) -> None:
    with Scripted({"AUTH": b"535 5.7.8 Bad credentials\r\n"}, extensions=["AUTH PLAIN"]) as server:
        _, error = submit(smtp(server, connections=4, username="maya"), [message(n) for n in range(9)])
        assert error and 'refused the login for "maya"' in str(error) and "NEWSLETTER_SMTP_PASSWORD" in str(error)
        assert "secret" not in str(error)
        assert sum(c.startswith("AUTH") for c in server.commands) == 1


@pytest.mark.parametrize("password", ["pässword", "秘密"])
def test_a_password_that_the_login_cannot_carry_is_an_error_not_a_traceback(password: str, message: Make) -> None:
    with Scripted(extensions=["AUTH PLAIN"]) as server:
        _, error = submit(smtp(server, username="maya", password=password), [message()])
        assert error and error.retry_after is None and password not in str(error)


def test_a_server_without_a_login(message: Make) -> None:
    with Scripted() as server:
        _, error = submit(smtp(server, username="maya"), [message()])
        assert error and error.retry_after is None and "no login" in str(error)


@pytest.mark.parametrize(
    ("step", "answer", "expected", "about"),
    [
        pytest.param("RCPT", b"450 4.2.0 Greylisted\r\n", Deferred, None, id="RCPT 4xx"),
        pytest.param("RCPT", b"421 4.7.0 bye\r\n", Deferred, None, id="RCPT 421"),
        pytest.param("RCPT", b"550 5.1.1 User unknown\r\n", Rejected, About.ADDRESS, id="RCPT 5.1.1"),
        pytest.param("RCPT", b"554 5.7.1 Relay access denied\r\n", Rejected, About.US, id="RCPT relay denied"),
        pytest.param("DATA", b"451 4.3.0 later\r\n", Deferred, None, id="DATA 4xx"),
        pytest.param("DATA", b"421 4.3.0 bye\r\n", Deferred, None, id="DATA 421"),
        pytest.param("DATA", b"554 5.5.1 no\r\n", Rejected, About.MESSAGE, id="DATA 5xx"),
        pytest.param("dot", b"451 4.3.0 later\r\n", Deferred, None, id="dot 4xx"),
        pytest.param("dot", b"421 4.3.0 bye\r\n", Deferred, None, id="dot 421"),
        pytest.param("dot", b"554 5.7.1 spam\r\n", Rejected, About.MESSAGE, id="dot 5xx"),
        pytest.param("dot", b"550-5.7.1 spam\r\n550 5.7.1 really\r\n", Rejected, About.MESSAGE, id="dot multi-line"),
        pytest.param("dot", Slowly(b"554 5.7.1 spam\r\n"), Rejected, About.MESSAGE, id="dot byte by byte"),
    ],
)
def test_a_refusal_settles_one_message_and_the_next_goes_on(
    step: str, answer: Act, expected: type, about: About | None, message: Make
) -> None:
    with Scripted({step: [answer]}) as server:
        outcomes, error = submit(smtp(server), [message(1), message(2)])
        assert [type(o) for o in outcomes] == [expected, Accepted] and error is None
        assert about is None or (isinstance(outcomes[0], Rejected) and outcomes[0].about is about)
        assert [who for who, _ in server.took] == ["r2@example.org"]
        closed = isinstance(outcomes[0], Deferred) and outcomes[0].reply.code == 421
        assert server.connections == (2 if closed else 1)
        assert ("RSET" in server.commands) == (step != "dot" and not closed)


@pytest.mark.parametrize("step", ["RCPT", "DATA", "dot"])
def test_after_421_we_hang_up_even_if_the_server_does_not(step: str, message: Make) -> None:
    with Scripted({step: [Slowly(b"421 4.7.0 enough\r\n")]}) as server:
        outcomes, error = submit(smtp(server), [message(1), message(2)])
        assert [type(o) for o in outcomes] == [Deferred, Accepted] and error is None
        assert server.connections == 2


@pytest.mark.parametrize("step", ["banner", "MAIL", "RCPT", "DATA", "dot"])
@pytest.mark.parametrize("kind", ["multi-line", "byte by byte", "bare line feeds"])
def test_an_unusual_but_good_answer_is_understood(step: str, kind: str, message: Make) -> None:
    code = {"banner": b"220", "DATA": b"354"}.get(step, b"250")
    answer: bytes = code + b"-2.0.0 well\r\n" + code + b" 2.0.0 done\r\n"
    answer = {"byte by byte": Slowly(answer), "bare line feeds": answer.replace(b"\r", b"")}.get(kind, answer)
    with Scripted({step: answer}) as server:
        outcomes, error = submit(smtp(server), [message(1), message(2)])
        assert [type(o) for o in outcomes] == [Accepted] * 2 and error is None
        assert server.connections == 1


@pytest.mark.parametrize("fault", [*SILENT.values(), b"500 5.5.1 what\r\n"], ids=[*SILENT, "refused"])
@pytest.mark.parametrize("step", ["RSET", "QUIT"])
def test_what_fails_after_the_outcome_changes_nothing(step: str, fault: Act, message: Make) -> None:
    script: Script = {"RCPT": [b"550 5.1.1 User unknown\r\n"], step: fault}
    with Scripted(script) as server:
        outcomes, error = submit(smtp(server, seconds=1 if patience(fault) < 1 else 10), [message(1), message(2)])
        assert [type(o) for o in outcomes] == [Rejected, Accepted] and error is None


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        pytest.param("RCPT", b"354 go ahead\r\n", id="354 to RCPT"),
        pytest.param("DATA", b"250 fine\r\n", id="250 to DATA"),
        pytest.param("RCPT", b"250 Ok\r\n250 Ok\r\n", id="two answers to RCPT"),
        pytest.param("DATA", b"354 go ahead\r\n250 Ok, got it\r\n", id="accepted before the body was sent"),
    ],
)
def test_a_server_out_of_step_is_left_before_anything_is_handed_over(step: str, answer: bytes, message: Make) -> None:
    with Scripted({step: answer}) as server:
        outcomes, error = submit(smtp(server), [message()])
        assert outcomes == [] and server.took == []
        assert error and error.retry_after


BIG = b"Subject: big\r\n\r\n" + (b"x" * 76 + b"\r\n") * 130_000  # more than any socket buffer: the dot can't have left


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.RESET])
def test_a_drop_within_the_body_is_before_the_dot(fault: Fault, message: Make) -> None:
    with Scripted({"body": [fault]}) as server:
        outcomes, error = submit(smtp(server), [message(1, BIG)])
        assert [type(o) for o in outcomes] == [Accepted] and error is None
        assert len(server.took) == 1 and server.connections == 2


def test_a_reason_given_within_the_body_is_heard(message: Make) -> None:
    with Scripted({"body": b"552 5.3.4 too big\r\n"}) as server:
        outcomes, error = submit(smtp(server), [message(1, BIG)])
        assert [type(o) for o in outcomes] == [Rejected] and error is None
        assert server.took == [] and server.connections == 1


def test_a_connection_closed_while_idle_is_opened_again(message: Make) -> None:
    with Scripted({"dot": [ThenDrop(b"250 2.0.0 Ok\r\n")] * 3}) as server:
        outcomes, error = submit(smtp(server), [message(n) for n in range(4)])
        assert [type(o) for o in outcomes] == [Accepted] * 4 and error is None
        assert sorted(who for who, _ in server.took) == [f"r{n}@example.org" for n in range(4)]


def test_a_connection_closed_while_idle_is_no_failed_try(message: Make) -> None:
    def pulled() -> Iterator[Message]:
        yield message(1)
        while server.open_now:
            time.sleep(0.01)
        yield message(2)

    drops = [None, Fault.DROP, Fault.DROP]  # as many as one message may have
    with Scripted({"dot": [ThenDrop(b"250 2.0.0 Ok\r\n")], "RCPT": drops}) as server:
        outcomes, error = submit(smtp(server), pulled())
        assert [type(o) for o in outcomes] == [Accepted] * 2 and error is None


def test_421_at_mail_is_made_good_on_a_fresh_connection(message: Make) -> None:
    with Scripted({"MAIL": [None, b"421 4.7.0 enough for one session\r\n"]}) as server:
        outcomes, error = submit(smtp(server), [message(1), message(2)])
        assert [type(o) for o in outcomes] == [Accepted] * 2 and error is None


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]], ids=["step by step", "pipelined"])
def test_a_message_at_which_the_server_hangs_up_does_not_stop_the_others(
    extensions: list[str], connections: int, message: Make
) -> None:
    with Scripted(poison={"r2@example.org"}, extensions=extensions) as server:
        outcomes, error = submit(smtp(server, connections=connections), [message(n) for n in range(1, 9)])
        assert error is None and [type(o) for o in outcomes] == [Accepted, Deferred, *[Accepted] * 6]
        poison = outcomes[1]
        assert isinstance(poison, Deferred) and poison.poison and "breaks off at this message" in poison.reply.text
        assert "r2@example.org" not in [who for who, _ in server.took]
        assert server.commands.count("RCPT TO:<r2@example.org>") == 3


@pytest.mark.parametrize("poisoned", [1, 2])
def test_in_a_window_of_one_it_makes_room_before_the_next_is_pulled(poisoned: int, message: Make) -> None:
    with Scripted(poison={f"r{poisoned}@example.org"}) as server:
        settings = SmtpSettings(port=server.port, security=Security.NONE, window=1)
        outcomes, under_way = dict[int, Outcome](), list[int]()

        def messages() -> Iterator[Message]:
            for n in (1, 2, 3):
                under_way.append(n - len(outcomes))
                yield message(n)

        for done, outcome in Smtp(settings).submit(messages()):
            outcomes[done.delivery] = outcome
        assert under_way == [1, 1, 1]
        assert [type(outcomes[n]) for n in (1, 2, 3)] == [Deferred if n == poisoned else Accepted for n in (1, 2, 3)]
        found = outcomes[poisoned]
        assert isinstance(found, Deferred) and found.poison == (poisoned == 2)  # others passed before it


def test_in_a_window_of_one_two_in_a_row_are_the_server(message: Make) -> None:
    with Scripted({"DATA": [None, *[Fault.DROP] * 99]}) as server:
        settings = SmtpSettings(port=server.port, security=Security.NONE, window=1)
        outcomes, error = submit(Smtp(settings), [message(n) for n in range(9)])
        assert [type(o) for o in outcomes] == [Accepted, Deferred]
        assert error and error.retry_after and "breaks off in the middle" in str(error)


def test_when_nobody_else_passes_it_is_the_server_and_nobody_is_marked(message: Make) -> None:
    with Scripted({"DATA": [None, *[Fault.DROP] * 99]}) as server:
        outcomes, error = submit(smtp(server), [message(n) for n in range(9)])
        assert [type(o) for o in outcomes] == [Accepted]
        assert error and error.retry_after and "breaks off in the middle" in str(error)
        assert server.connections == 6  # three for the first, and three for the next before it is clear


def test_the_last_message_of_a_run_is_given_the_benefit_of_the_doubt(message: Make) -> None:
    with Scripted(poison={"r2@example.org"}) as server:
        outcomes, error = submit(smtp(server), [message(1), message(2)])
        assert [type(o) for o in outcomes] == [Accepted] and error and error.retry_after


def test_nobody_listens(message: Make) -> None:
    with Scripted() as server:
        pass
    outcomes, error = submit(smtp(server), [message()])
    assert outcomes == [] and error and error.retry_after and "nothing listens there" in str(error)


def test_a_host_that_is_no_name(message: Make) -> None:
    _, error = submit(Smtp(SmtpSettings(host="mail..example.org", security=Security.NONE)), [message()])
    assert error and error.retry_after is None and "mail..example.org" in str(error)


def test_a_host_that_takes_fewer_connections_gets_fewer(message: Make) -> None:
    with Scripted(most=2) as server:
        outcomes, error = submit(smtp(server, connections=4), [message(n) for n in range(40)])
        assert [type(o) for o in outcomes] == [Accepted] * 40 and error is None
        assert len({who for who, _ in server.took}) == len(server.took) == 40
        assert server.connections <= 4  # a refused one is not tried again and again


def test_what_is_in_flight_is_told_before_the_error(message: Make) -> None:
    refused = threading.Event()

    def pulled() -> Iterator[Message]:
        yield message(1)
        yield message(2)
        yield message(3)
        refused.set()  # not reached: nothing is pulled after a refusal
        yield message(4)

    held = threading.Event()
    script: Script = {"MAIL": [None, None, b"550 5.7.1 account closed\r\n"], "dot": [None, Held(held)]}
    threading.Timer(0.3, held.set).start()
    with Scripted(script) as server:
        outcomes, error = submit(smtp(server, connections=2), pulled())
        assert [type(o) for o in outcomes] == [Accepted] * 2 and len(server.took) == 2
        assert error and error.retry_after is None and not refused.is_set()


def test_an_error_of_the_callers_own_comes_after_what_is_in_flight(message: Make) -> None:
    def pulled() -> Iterator[Message]:
        yield from (message(1), message(2), message(3))
        raise OSError("the database is gone")

    seen: list[Outcome] = []
    with Scripted() as server, pytest.raises(OSError, match="database is gone"):
        for _, outcome in smtp(server, connections=3).submit(pulled()):
            seen.append(outcome)
    assert [type(o) for o in seen] == [Accepted] * 3 and len(server.took) == 3


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_after_an_error_of_the_callers_own_a_session_that_drops_is_made_good_too(step: str, message: Make) -> None:
    def pulled() -> Iterator[Message]:
        yield from (message(1), message(2), message(3))
        raise OSError("the database is gone")

    seen: list[Outcome] = []
    script: Script = {step: [None, Fault.DROP]}
    with Scripted(script, extensions=["PIPELINING"]) as server, pytest.raises(OSError, match="database is gone"):
        for _, outcome in smtp(server).submit(pulled()):
            seen.append(outcome)
    assert [type(o) for o in seen] == [Accepted] * 3 and len(server.took) == 3


def test_a_caller_who_stops_early_leaves_no_thread_and_hands_nothing_more_over(message: Make) -> None:
    pulled: list[int] = []

    def messages() -> Iterator[Message]:
        for n in range(100):
            pulled.append(n)
            yield message(n)

    with Scripted({"dot": [None, None, Fault.HANG, Fault.HANG, Fault.HANG]}) as server:
        outcomes = smtp(server, connections=4).submit(messages())
        next(outcomes)
        next(outcomes)
        outcomes.close()  # type: ignore[attr-defined]
        assert not [t for t in threading.enumerate() if t.name == "smtp"]
        assert len(pulled) == 5 and len(server.took) == 2  # three were in doubt, as the window allows


def test_nothing_is_opened_when_there_is_nothing_to_send() -> None:
    with Scripted() as server:
        assert submit(smtp(server), []) == ([], None)
        assert server.connections == 0
