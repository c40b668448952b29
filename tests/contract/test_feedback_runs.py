"""What came back, and the runs that follow: through `scheduler.tick`, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from world import ANA, BO, DAY, HOUR, NO_SUCH_USER, World

from newsletter import feedback
from newsletter.events import Event, EventKind, Heard
from newsletter.mail import Reply
from newsletter.store.facts import HoldKind
from newsletter.store.feedback import Effect

GONE = Reply(550, "5.1.1", "no such user")
BLOCKED = Reply(550, "5.7.1", "we take nothing from you")


def bounce(address: str, *, dead: bool = False) -> Event:
    ident = f"bounce of {address}"
    return Event(
        EventKind.BOUNCED, "fake", ident, None, recipient=address, reply=GONE if dead else BLOCKED, suppress=dead
    )


def tell(world: World, *events: Event) -> dict[Effect, int]:
    told = Heard([replace(event, id=f"{event.id} at {world.now}", at=world.now) for event in events])
    return feedback.take_in(world.store, told, source="fake", fingerprint=World.hash, at=world.now).effects


def twenty(world: World) -> list[str]:
    """Twenty readers, whose first post is due in the morning of the third."""
    world.posts(1, 2, 3)
    world.alert_owner()
    world.tick("2 10:00")
    return world.crowd(20)


def test_a_suppressed_reader_gets_nothing_more_and_the_others_go_on(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA, BO)
    world.run("2 10:00", "4")
    tell(world, bounce(ANA, dead=True))
    world.run("4 10:00", "6")
    assert (world.numbers(ANA), world.numbers(BO)) == ([1, 2], [1, 2, 3])


def test_a_run_that_learns_of_too_much_stops_midway(world: World) -> None:
    names = twenty(world)

    def learn() -> None:
        assert tell(world, *map(bounce, names[:5])) == {Effect.NOTED: 5}
        world.now += timedelta(seconds=11)

    world.provider.before[names[9]] = learn
    done = world.tick("3 09:30")
    assert world.holds() == {HoldKind.FEEDBACK}
    assert "5 of the 10 letters of post 1 (post-1) that were accepted lately came back for good" in world.notes
    assert not done.clean and 10 <= len(world.provider.box) < 20
    (alert,) = world.provider.alerts
    assert "came back for good" in alert and "`newsletter resume`" in alert
    world.tick("3 10:30")
    assert len(world.provider.box) < 20 and len(world.provider.alerts) == 1
    world.resume()
    world.tick("3 11:30")
    assert [world.numbers(name) for name in names] == [[1]] * 20
    assert world.holds() == set()


def test_who_pauses_while_a_run_is_under_way_stops_it(world: World) -> None:
    names = twenty(world)

    def pause() -> None:
        world.pause()
        world.now += timedelta(seconds=11)

    world.provider.before[names[9]] = pause
    world.tick("3 09:30")
    assert "paused by you" in world.notes and len(world.provider.box) < 20
    assert world.provider.alerts == []  # she knows


def test_the_owner_is_told_of_what_waits_for_her(world: World) -> None:
    names = twenty(world)
    world.tick("3 09:30")
    world.now += HOUR
    assert tell(world, *[bounce(name, dead=True) for name in names[:6]]) == {Effect.QUARANTINED: 6}
    world.tick("3 11:00")
    told = "6 readers would get nothing more on the word of fake"
    assert told in world.notes and told in world.provider.alerts[0]


def test_a_refusal_at_hand_over_and_a_report_of_the_same_letter_agree(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.provider.answers[ANA].append(NO_SUCH_USER)
    world.tick("2 10:00")
    world.tick("3 09:30")
    assert world.states(ANA) == [(1, "rejected", "")]
    tell(world, bounce(ANA, dead=True))
    assert world.states(ANA) == [(1, "rejected", "")]
    world.correct(ANA, "anna@example.org")
    world.run(world.now + DAY, world.now + 3 * DAY)
    assert world.numbers("anna@example.org") == [1, 2]
    assert world.states("anna@example.org") == [(1, "accepted", ""), (2, "accepted", "")]
