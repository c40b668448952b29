"""The stories: in which ways runs die, and under whose hands."""

from __future__ import annotations

import os
import signal

from campaign import Campaign, Story, killed
from points import POINTS, When, arm

ANYWHERE = "at a random moment"


def at_a_point(campaign: Campaign) -> tuple[str, int]:
    """The run dies at a named point, if it comes there. Points that had few deaths so far are preferred."""
    rows = campaign.tally.rows
    point = min(campaign.dice.sample(POINTS, 4), key=lambda p: rows[p.words].deaths)
    call = campaign.dice.randint(1, point.calls)
    if point.when is When.WIRE:
        pid = campaign.begin(campaign.flaky(fate=(point.verb, call)))
    else:
        store = campaign.subject.store  # type: ignore[attr-defined]
        pid = campaign.begin(campaign.flaky(), before=lambda: arm(store, point, call))
    return point.words, int(campaign.wait(pid) == -signal.SIGKILL)


def at_any_moment(campaign: Campaign) -> tuple[str, int]:
    """`kill -9`, whenever."""
    pid = campaign.begin(campaign.flaky())
    campaign.moment()
    return ANYWHERE, killed(campaign, pid)


def both(campaign: Campaign) -> tuple[str, int]:
    """One or the other."""
    return campaign.dice.choice((at_a_point, at_any_moment))(campaign)


STORIES = {
    story.name: story
    for story in (
        Story("points", "named points, SMTP", at_a_point),
        Story("random", "random moments, SMTP", at_any_moment),
    )
}
