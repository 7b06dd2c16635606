# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast one name server is asked: when to ask again, how many questions are on their way, how many a second, and whether it lives.

Times are seconds of ``time.monotonic()``. Every try has its own id, so each reply tells its own round trip and Karn's exception is not needed.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.dns.servers import Server

POLITE = 50.0  # questions a second to a server that is neither local nor listed
FIRST_RTO = 0.4  # before any reply
FLOOR_RTO = 0.02  # below this, the scheduler of a busy machine is what is measured
FIRST_WINDOW = 128
SMALLEST_WINDOW = 16
HEAVY_LOSS = 0.3  # less is bad luck and no sign of too much load
JUDGED_WINDOWS, JUDGED_TRIES = 4, 400  # time-outs come in bursts, so it is judged over so many windows and tries
STRAIGHT = 3  # time-outs with nothing between them
SILENCE = 0.25  # and at least this long, as one pause of a fast server makes many time-outs
DEAD_FOR = 60.0


@dataclasses.dataclass
class Limits:
    """How long and how hard to ask; seconds."""

    timeout: float = 2.0  # longest wait for the reply to one try, and shortest for a name in all
    retries: int = 3  # tries after the first
    concurrency: int = 1000  # questions on their way to one server
    until: t.Optional[float] = None  # time.monotonic() by which everything ends
    rates: t.Mapping[str, float] = dataclasses.field(default_factory=dict)  # label, host or address: questions a second; 0 is no limit
    rate: float = POLITE  # for servers that are neither local nor in rates

    def rate_of(self, server: Server) -> float:
        """Questions a second for this server, 0 for no limit."""
        label = server.label
        for name in (
            label,
            label.partition("://")[2] or f"udp://{label}",
            server.host,
            f"[{server.host}]",
            server.address,
            f"{server.address}:{server.port}",
        ):
            if name in self.rates:
                return self.rates[name]
        return 0.0 if server.local else self.rate


class Pace:
    """What is known about one server."""

    __slots__ = (
        "_good",
        "_growing",
        "_lost",
        "_since",
        "_stamp",
        "_straight",
        "_tokens",
        "_var",
        "dead_until",
        "rate",
        "rto",
        "srtt",
        "timeout",
        "top",
        "window",
    )

    def __init__(self, timeout: float, concurrency: int, rate: float = 0.0) -> None:
        """:param rate: questions a second, 0 for no limit"""
        self.srtt: t.Optional[float] = None
        self._var = 0.0
        self.dead_until = 0.0
        self._straight = 0
        self._since = 0.0
        self._good = self._lost = 0
        self._growing = True
        self._stamp: t.Optional[float] = None
        self._tokens = 0.0
        self.timeout, self.top, self.rate = timeout, concurrency, rate
        self.rto = min(FIRST_RTO, timeout)
        self.window = float(min(FIRST_WINDOW, concurrency))

    def set_limits(self, limits: Limits, server: Server) -> None:
        """What holds for the sweep that begins; what was learned stays."""
        self.timeout, self.top, self.rate = limits.timeout, limits.concurrency, limits.rate_of(server)
        self.rto = min(self.rto, self.timeout)
        self.window = min(self.window, float(self.top))

    def sample(self, seconds: float) -> None:
        """One round trip (RFC 6298 2.2, 2.3)."""
        if self.srtt is None:
            self.srtt, self._var = seconds, seconds / 2
        else:
            self._var += (abs(self.srtt - seconds) - self._var) / 4
            self.srtt += (seconds - self.srtt) / 8
        self.rto = min(self.timeout, max(FLOOR_RTO, self.srtt + 4 * self._var))

    def answered(self, count: int) -> None:
        """Replies came, of whatever kind."""
        self._straight = 0
        self.dead_until = 0.0
        self._good += count
        if self.window < self.top:
            self.window = min(float(self.top), self.window + (count if self._growing else count / self.window))
        if self._good + self._lost >= max(JUDGED_WINDOWS * self.window, JUDGED_TRIES):
            self._judge()

    def expired(self, sent: float, now: float) -> None:
        """A try had no reply in time."""
        self._lost += 1
        if not self._straight:
            self._since = sent
        self._straight += 1
        if self._straight >= STRAIGHT and now - self._since >= min(SILENCE, self.timeout):
            self.dead_until = now + DEAD_FOR
        if self._good + self._lost >= max(JUDGED_WINDOWS * self.window, JUDGED_TRIES):
            self._judge()

    def refused(self, now: float) -> None:
        """The network says that nobody is there."""
        self._straight = STRAIGHT
        self.dead_until = now + DEAD_FOR

    def is_dead(self, now: float) -> bool:
        """Whether others should be asked first."""
        return self.dead_until > now

    def room(self, flying: int, now: float) -> int:
        """How many questions may be sent now, with ``flying`` on their way."""
        # nobody is hurt by questions to a server that is silent, and names behind it should not wait for each other
        room = (self.top if self.dead_until else int(self.window)) - flying
        return min(room, self._allowed(now)) if self.rate else room

    def spend(self, count: int) -> None:
        """Questions were sent."""
        self._tokens -= count

    def pause(self, now: float) -> float:
        """Seconds until the rate lets one more go."""
        return 0.0 if not self.rate or self._allowed(now) >= 1 else (1 - self._tokens) / self.rate

    def _allowed(self, now: float) -> int:
        burst = max(1.0, self.rate / 5)
        self._tokens = burst if self._stamp is None else min(burst, self._tokens + (now - self._stamp) * self.rate)
        self._stamp = now
        return int(self._tokens)

    def _judge(self) -> None:
        if self._lost > HEAVY_LOSS * (self._good + self._lost):
            self._growing = False
            if self._good:
                self.window = max(float(min(SMALLEST_WINDOW, self.top)), self.window / 2)
        self._good = self._lost = 0
