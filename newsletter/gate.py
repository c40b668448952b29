"""The gate: how much may leave now, and who is left alone for a while.

Limits (`store.buckets`) are kept by granting less at a time: a run submits a slice as it submits everything, and the
next one waits until it is granted. Who pushes back is left alone, longer each time: the provider as a whole, or the
mail system of a destination, whose readers are then passed over while the rest goes on.

Guarantees
    Where nothing is limited and nobody pushed back, a run costs one read more, and a message nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from newsletter.config import Limits
from newsletter.destinations import BUSY_NOW, domains_of, group_of, pushes_back
from newsletter.limits import pause
from newsletter.mail import Reply
from newsletter.store.attempts import Claim
from newsletter.store.buckets import Buckets, Rest

NO_LIMITS = Limits()
_DEFERRALS_MAX = 3  # by a destination's policy, in a row
_SHORT_WAIT = timedelta(seconds=1)  # sessions are kept open for so long
_NAP = timedelta(seconds=0.5)  # until a stop is noticed
_LEFT_ALONE = "{name} asked to be left alone for a while, until {until:%H:%M} UTC; then it goes on by itself."


def provider_bucket(name: str) -> str:
    """The bucket of the provider *name*."""
    return f"provider {name}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many messages may leave on one day, kept in *bucket*."""

    bucket: str
    messages: int


@dataclass(slots=True)
class Gate:
    """Of one run."""

    buckets: Buckets
    provider: str
    limits: Limits
    today: Allowance | None
    now: Callable[[], datetime] = field(kw_only=True)
    jitter: Callable[[], float] = field(kw_only=True)
    stop: Callable[[], bool] = field(kw_only=True)
    wait: Callable[[timedelta], None] | None = field(kw_only=True)  # None: a run ends where a limit is met
    flush: Callable[[], None] = lambda: None  # before it waits with sessions open
    notes: list[str] = field(default_factory=list)  # sentences: what waits, and goes on by itself
    resting: dict[str, Rest] = field(default_factory=dict)  # what pushed back and took nothing since
    shut: set[str] = field(default_factory=set)  # domains of these
    rationed: dict[str, datetime] = field(default_factory=dict)  # groups that had their share, until when
    without: set[str] = field(default_factory=set)  # domains that are passed over for either reason
    strained: Counter[str] = field(default_factory=Counter)  # deferrals in a row, by group
    granted: int = 0  # messages of this slice
    handed: int = 0  # of these, given to the provider
    more_at: datetime | None = None  # when a limit grants more

    def open(self) -> bool:
        """Begin a run: whether the provider takes anything now."""
        self.resting = self.buckets.resting()
        ours = self.resting.get(provider_bucket(self.provider))
        if ours and ours.until > self.now():
            self.notes.append(_LEFT_ALONE.format(name=self.provider, until=ours.until))
            return False
        return True

    @property
    def limited(self) -> bool:
        """Whether to ask before anything is claimed."""
        return self.limits.rate is not None or self.today is not None

    # -- limits --------------------------------------------------------------------------------------

    def grant(self, want: int) -> int:
        """How many of *want* may be claimed now; 0 ends the slice, and `more_at` says when there is more."""
        buckets, rate, got = self.buckets, self.limits.rate, want
        if self.today:
            got = want = buckets.spend(self.today.bucket, want, self.today.messages, at=self.now())
        while rate and want:
            got, again = buckets.take(provider_bucket(self.provider), want, rate, at=self.now())
            if got or self.stop() or self.wait is None or again - self.now() > _SHORT_WAIT:
                self.more_at = None if got else again
                break
            self.flush()  # what is known is not kept waiting
            self._pass_time(again)
        if self.today and got < want:
            buckets.spend(self.today.bucket, got - want, self.today.messages, at=self.now())
        self.granted += got
        return got

    def end(self) -> None:
        """End a slice: what was granted and not used is given back."""
        count = self.granted - self.handed
        if count > 0 and self.limits.rate:
            self.buckets.give_back(provider_bucket(self.provider), count, self.limits.rate)
        if count > 0 and self.today:
            self.buckets.spend(self.today.bucket, -count, self.today.messages, at=self.now())
        self.more_at = min(filter(None, (self.more_at, *self.rationed.values())), default=None)

    def await_more(self) -> bool:
        """Let time pass until a limit grants more; False when none stands in the way."""
        if self.wait is None or self.more_at is None:
            return False
        self._pass_time(self.more_at)
        return True

    def _pass_time(self, until: datetime) -> None:
        while self.wait is not None and (left := until - self.now()) > timedelta(0) and not self.stop():
            self.wait(min(left, _NAP))

    def shared_out(self, batch: list[Claim]) -> list[Claim]:
        """What each mail system may have of *batch*; the rest waits, and what is due there too."""
        if (rate := self.limits.rate_per_destination) is None:
            return batch
        kept = []
        wanted = Counter(group_of(claim.recipient.address.domain) for claim in batch)
        for group, want in wanted.items():
            wanted[group], again = self.buckets.take(f"to {group}", want, rate, at=self.now())
            if wanted[group] < want:
                self.rationed[group] = again
                self.without.update(domains_of(group))
        for claim in batch:
            group = group_of(claim.recipient.address.domain)
            if wanted[group] > 0:
                wanted[group] -= 1
                kept.append(claim)
        return kept

    def begin(self) -> None:
        """Begin a slice: nothing is granted yet, and some domains are left out of it."""
        self.granted = self.handed = 0
        self.more_at, at = None, self.now()
        self.rationed = {group: again for group, again in self.rationed.items() if again > at}
        resting = [n.removeprefix("to ") for n, r in self.resting.items() if n.startswith("to ") and r.until > at]
        self.shut = {domain for group in resting for domain in domains_of(group)}
        self.without.clear()
        self.without.update(self.shut, *(domains_of(group) for group in self.rationed))

    # -- who pushes back -----------------------------------------------------------------------------

    def rest(self, name: str = "", *, least: timedelta = timedelta(0)) -> None:
        """Leave the owner of a bucket alone (by itself: the provider), longer each time, and *least* at any rate."""
        name = name or provider_bucket(self.provider)
        before, at = self.resting.get(name, Rest(0, self.now())), self.now()
        if before.until > at:
            return  # the echo of what was on its way
        rest = Rest(before.step + 1, at + max(pause(before.step + 1, jitter=self.jitter()), least))
        self.resting[name] = rest
        self.buckets.back_off(name, rest.step, until=rest.until)

    def pushed_back(self, claim: Claim, reply: Reply) -> None:
        """A deferral: the mail system of the destination is left alone at 421, or after three in a row."""
        if reply.code != BUSY_NOW and not pushes_back(reply):
            return
        group = group_of(claim.recipient.address.domain)
        self.strained[group] += 1
        if reply.code == BUSY_NOW or self.strained[group] >= _DEFERRALS_MAX:
            del self.strained[group]
            self.rest(f"to {group}")
            self.shut.update(domains_of(group))
            self.without.update(domains_of(group))
            note = f"{group} takes no more for now ({reply}): its readers wait a little, and the rest goes on."
            if not any(known.startswith(f"{group} takes") for known in self.notes):
                self.notes.append(note)

    def passed(self, claim: Claim) -> None:
        """Accepted: whoever pushed back takes mail again."""
        if not self.strained and not self.resting:
            return
        group = group_of(claim.recipient.address.domain)
        self.strained.pop(group, None)
        for name in (provider_bucket(self.provider), f"to {group}"):
            if name in self.resting and self.resting[name].until <= self.now():
                del self.resting[name]
                self.buckets.recover(name)
