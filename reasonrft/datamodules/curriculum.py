"""Levels that open one after the other, by how much of the newest one is answered rightly.

A batch is a function of seed, step, and the steps at which levels opened. Those, and the pass rates
since, are a log with a step in each entry: a step that is done again finds it as it was before it.
Steps are counted in batches of the data: a level that step s opens governs batches from s + 1 on.
"""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any

from lightning.pytorch.utilities import rank_zero_info

from reasonrft.datamodules.sampler import BatchSampler
from reasonrft.distributed.ranks import all_gather
from reasonrft.errors import BadInput, check_at_least
from reasonrft.problems import Problem

KEY = "level"
"""Where records say how hard they are."""


@dataclass(frozen=True)
class Curriculum:
    """When the next level opens, and what goes on coming from easier ones.

    Args:
        threshold: The next level opens when this share of the newest one is answered rightly.
        window: Groups of the newest level that the share is of, the last ones.
        keep: Share of problems that goes on coming from easier levels.
    """

    threshold: float = 0.8
    window: int = 64
    keep: float = 0.3

    def __post_init__(self) -> None:
        check_at_least(1, window=self.window)
        if not 0 < self.threshold <= 1:
            raise BadInput(f"threshold is a share, above 0 and at most 1, not {self.threshold}")
        if not 0 <= self.keep < 1:
            raise BadInput(f"keep is a share, at least 0 and below 1, not {self.keep}")


def check_reports(module: Any) -> None:
    """Refuse a module that would never open a level."""
    if not getattr(module, "reports_pass_rates", False):
        raise BadInput(
            "curriculum opens levels by the share of right completions, and "
            f"{type(module).__name__} does not report any: take GRPOModule with a reward that "
            "marks right answers, such as AccuracyReward (profile: robust), or leave curriculum out"
        )


def items_by_level(problems: Sequence[Problem]) -> dict[int, list[int]]:
    """Which problems each level has, the easiest level first; `BadInput` if there is one alone."""
    levels: dict[int, list[int]] = defaultdict(list)
    for item, problem in enumerate(problems):
        levels[level_of(problem)].append(item)
    if len(levels) < 2:
        raise BadInput(
            f"curriculum opens one {KEY} after the other, and all {len(problems):,} problems of "
            f"split train have {KEY} {next(iter(levels))}: take problems of several levels"
        )
    return dict(sorted(levels.items()))


def level_of(problem: Problem) -> int:
    """The level that a problem's record names."""
    level = problem.meta.get(KEY)
    if isinstance(level, str) and level.strip().isdecimal():  # tables of text alone
        return int(level)
    if isinstance(level, int) and not isinstance(level, bool):
        return level
    there = f"its {KEY} is {level!r}" if KEY in problem.meta else f"its record has no key {KEY!r}"
    raise BadInput(
        f"split train, problem {problem.id!r}: curriculum takes whole numbers as levels, and "
        f"{there}: name one in each record, or draw problems with levels"
    )


class LevelLog:
    """When levels opened, and the pass rates of the newest one since."""

    def __init__(self, curriculum: Curriculum, levels: Sequence[int]) -> None:
        self.curriculum, self.levels = curriculum, tuple(levels)
        self.opened = [0]
        """The first step of each level that is open."""
        self.rates: list[tuple[int, float]] = []
        """Pass rates of groups, each with its step: what the window holds, and the last step's."""
        self.epoch = 0
        """Batches of an epoch, which steps are counted by."""

    def newest(self, step: int) -> int:
        """The place among all levels of the newest one that is open in a step."""
        return bisect_right(self.opened, step) - 1

    def note(self, step: int, groups: Sequence[tuple[int, float]]) -> None:
        """Take the level and the pass rate of each group of a step; it may open the next level."""
        self.opened = [first for first in self.opened if first <= step]
        level, window = self.levels[self.newest(step)], self.curriculum.window
        before = [(at, rate) for at, rate in self.rates if self.opened[-1] <= at < step]
        self.rates = before[-window:] + [(step, rate) for own, rate in groups if own == level]
        last = self.window(step)
        full = len(last) == window and fmean(last) >= self.curriculum.threshold
        if full and len(self.opened) < len(self.levels):
            self.opened.append(step + 1)

    def window(self, step: int) -> list[float]:
        """The pass rates that decide whether a step opens a level."""
        first = self.opened[self.newest(step)]
        rates = [rate for at, rate in self.rates if first <= at <= step]
        return rates[-self.curriculum.window :]

    def count_by(self, epoch: int) -> None:
        """Go on with so many batches in an epoch, where another run may have had others."""
        before, self.epoch = self.epoch or epoch, epoch
        self.opened = [first * epoch // before for first in self.opened]
        self.rates = [(step * epoch // before, rate) for step, rate in self.rates]

    def state_dict(self) -> dict[str, Any]:
        rates = [list(entry) for entry in self.rates]
        return {"opened": [*self.opened], "rates": rates, "epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.opened = list(state["opened"])[: len(self.levels)]
        self.rates = [(step, rate) for step, rate in state["rates"]]
        self.epoch = state["epoch"]


def note_groups(
    log: LevelLog, step: int, groups: Sequence[tuple[Problem, float]]
) -> dict[str, float]:
    """Take what this rank has sampled in a step, together with all others; returns metrics."""
    of_rank = [(problem.id, level_of(problem), rate) for problem, rate in groups]
    # In an order that does not depend on how many ranks there are.
    sampled = sorted(group for groups in all_gather(of_rank) for group in groups)
    log.note(step, [(level, rate) for _, level, rate in sampled])
    window, level = log.window(step), log.levels[log.newest(step)]
    if log.newest(step + 1) > log.newest(step):
        rank_zero_info(
            f"level {log.levels[log.newest(step + 1)]} opens: {fmean(window):.0%} of the last "
            f"{len(window)} groups of level {level} were right"
        )
    by_level: dict[int, list[float]] = defaultdict(list)
    for _, own, rate in sampled:
        by_level[own].append(rate)
    rates = {f"pass_rate/level_{own}": fmean(own_rates) for own, own_rates in by_level.items()}
    return {"level": level, **({"pass_rate": fmean(window)} if window else {}), **rates}


class CurriculumSampler(BatchSampler):
    """Batches of the newest open level, and a share of easier ones.

    Each of both is read in passes through all of its problems, every pass in another order. Where
    one pass ends and the next begins, a problem may come twice in a batch: it is then left out.
    """

    def __init__(
        self,
        items: Mapping[int, list[int]],
        log: LevelLog,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        """
        Args:
            items: Which problems each level has, the easiest level first.
            log: Which levels are open.
            batch_size: Problems in a batch of all ranks together.
            seed: Another seed is another order.
            rank: Which process this is.
            ranks: How many processes share a batch.
        """
        self.items, self.log, self.size = list(items.values()), log, batch_size
        count = sum(map(len, self.items))
        name = f"{count:,} problems of {len(self.items)} levels in batches of {batch_size}"
        places = range(0, count, batch_size)
        super().__init__(lambda rng: [[] for _ in places], name, seed, rank, ranks)
        log.count_by(len(self))

    @property
    def revision(self) -> tuple[int, ...]:
        return tuple(self.log.opened)

    def batch(self, epoch: int, number: int) -> list[int]:
        step = self.step(epoch, number)
        newest = self.log.newest(step)
        easier, since = self._easier(newest), step - self.log.opened[newest]
        kept = self.log.curriculum.keep if easier else 0.0
        # Whatever the share, over many batches it is exactly that.
        edges = [int(at * self.size * kept) for at in (since, since + 1)]
        own = [at * self.size - edge for at, edge in zip((since, since + 1), edges, strict=True)]
        chosen = self._read(f"level {newest}", self.items[newest], *own)
        return chosen + self._read(f"easier than level {newest}", easier, *edges)

    def candidates(self, epoch: int, number: int) -> list[int]:
        newest, batch = self.log.newest(self.step(epoch, number)), set(self.batch(epoch, number))
        rng = random.Random(f"{self.seed}/{epoch}/{number}/others")
        own, easier = (
            rng.sample(left, len(left))
            for pool in (self.items[newest], self._easier(newest))
            for left in [[item for item in pool if item not in batch]]
        )
        return _mixed(own, easier, self.log.curriculum.keep)

    def _easier(self, newest: int) -> list[int]:
        return [item for items in self.items[:newest] for item in items]

    def _read(self, name: str, pool: list[int], start: int, end: int) -> list[int]:
        """The items of a pool from one place to another of its passes."""
        places = (divmod(at, len(pool)) for at in range(start, end))
        order = (_order(f"{self.seed}/{name}/{turn}", len(pool))[at] for turn, at in places)
        return [pool[at] for at in dict.fromkeys(order)]


@lru_cache(maxsize=8)
def _order(seed: str, count: int) -> list[int]:
    return random.Random(seed).sample(range(count), count)


def _mixed(own: list[int], easier: list[int], keep: float) -> list[int]:
    """Both in one row, with easier ones at their share as long as there are both."""
    mixed: list[int] = []
    while own and easier:
        at = len(mixed)
        takes_easier = int((at + 1) * keep) > int(at * keep)
        mixed.append((easier if takes_easier else own).pop())
    return mixed + own + easier
