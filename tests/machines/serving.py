"""A server of a known capacity, simulated, for limits to find out about."""

from __future__ import annotations

import heapq
import random
from itertools import count


class Server:
    """``workers`` that take ``service`` seconds a call, and callers that want ``demand`` at once.

    ``room`` calls wait for a worker at most; more meet overload. A call takes ``service`` seconds
    times a random factor, of the mean 1, from ``1 - spread`` on.
    """

    def __init__(self, limiter, workers, service=1.0, *, room=10**6, demand=10**6, spread=0.2):
        self.limiter = limiter
        self.workers, self.service, self.room = workers, service, room
        self.demand, self.spread = demand, spread
        self.now = 0.0
        self.done = self.overloads = 0
        self.limits = []
        self._inside = 0  # of what the limit allows
        self._running = 0
        self._waiting = []
        self._ends = []
        self._order = count()
        self._chance = random.Random(1)

    def run(self, calls):
        """Until so many more calls have ended; the limits there were, one for each call."""
        self.limits = []
        while len(self.limits) < calls:
            self._fill()
            self.now, _, begun, since = heapq.heappop(self._ends)
            self._running -= 1
            while self._waiting and self._running < self.workers:
                self._serve(*self._waiting.pop(0))
            self.done += 1
            free = max(0, self.limiter.limit - self._inside)
            if begun.note(self.now - since, free):
                self.limiter.turn(begun)
            self._inside -= 1
            self.limits.append(self.limiter.limit)
        return self.limits

    def _fill(self):
        while self._inside < min(self.limiter.limit, self.demand):
            begun = self.limiter.round
            if self._running < self.workers:
                self._serve(begun, self.now)
            elif len(self._waiting) < self.room:
                self._waiting.append((begun, self.now))
            else:
                self.overloads += 1
                self.limiter.drop(begun)
                if self._inside >= self.limiter.limit:
                    return
                continue
            self._inside += 1

    def _serve(self, begun, since):
        self._running += 1
        factor = 1 - self.spread + self._chance.expovariate(1 / self.spread) if self.spread else 1
        end = self.now + self.service * factor
        heapq.heappush(self._ends, (end, next(self._order), begun, since))
