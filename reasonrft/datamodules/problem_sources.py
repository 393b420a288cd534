"""Where problems come from: drawn by a world once and for all, or read from anybody's files."""

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_info

from reasonrft.data.draw_problems import Plan, draw_problems
from reasonrft.errors import BadInput, check_at_least
from reasonrft.problems import Problem
from reasonrft.readers import load_problems
from reasonrft.worlds import make_world
from reasonrft.worlds.base import fingerprint

DEFAULT_SHARE, MOST_HELD_OUT = 0.1, 200
"""How much of train is validated on where no size is given: a share, and the most of it."""


class ProblemSource:
    """Problems by split; subclass it and name it by class_path."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits there are: train, val, and the tests by any other names."""
        raise NotImplementedError(f"{type(self).__name__} does not say what splits it has")

    @property
    def weights(self) -> Mapping[str, float]:
        """The share of each of its sources in every batch, if batches are to hold exact ones."""
        return {}

    def prepare(self, splits: Sequence[str]) -> None:
        """Write what these splits need to disk; called by one process only."""

    def at_hand(self, split: str) -> bool:
        """Whether a split can be read at once, with nothing to draw or to download."""
        return False

    def problems(self, split: str, task: str | None = None) -> Sequence[Problem]:
        """A split's problems in their order, read as of a task where that is given."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its problems are")


class DrawnProblems(ProblemSource):
    """A world's problems, drawn into files when they are first needed; all runs share them."""

    def __init__(
        self,
        task: str,
        preset: str | None = None,
        train: int = 10_000,
        val: int = 200,
        test: int = 500,
        seed: int = 0,
        folder: str = "data",
        world_args: dict[str, Any] | None = None,
        workers: int | None = None,
        levels: Sequence[int] = (),
    ) -> None:
        """
        Args:
            task: World that draws: counting, structure, transformation, or perception-...
            preset: Named setting of the world's arguments, such as tiny.
            train: Problems to train on.
            val: Problems of the validation split.
            test: Problems of each test split.
            seed: Another seed is another data set.
            folder: Where problems are kept, in a folder of their own for every setting.
            world_args: Single arguments of the world, over the preset and the level.
            workers: How many processes draw; as many as there are cores if not given.
            levels: Levels of difficulty that share the problems equally: 1 is the easiest; if none
                is named, problems are the preset's and have no level.
        """
        check_at_least(0, train=train, val=val, test=test)
        check_at_least(1, workers=workers)
        if len(set(levels)) < len(levels):
            raise BadInput(f"levels must differ from each other, and are {list(levels)}")
        self.world_args = dict(world_args or {})
        self.worlds = {
            level: make_world(task, preset, seed, level, **self.world_args)
            for level in levels or (None,)
        }
        world = next(iter(self.worlds.values()))
        self._splits = tuple(dict.fromkeys(("train", "val", *world.splits)))
        self.task, self.preset, self.seed, self.workers = task, preset, seed, workers
        self.sizes = dict.fromkeys(self._splits, test) | {"train": train, "val": val}
        self.home = Path(folder)

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(split for split in self._splits if self.sizes[split] > 0)

    def prepare(self, splits: Sequence[str]) -> None:
        for split in splits:
            for level, size in self._shares(split).items():
                if not self._file(split, level, size).exists():
                    self._draw(split, level, size)

    def at_hand(self, split: str) -> bool:
        return all(self._file(split, *share).exists() for share in self._shares(split).items())

    def problems(self, split: str, task: str | None = None) -> Sequence[Problem]:
        return [
            problem
            for level, size in self._shares(split).items()
            for problem in load_problems(self._file(split, level, size), "reason-rft", task)
        ]

    def _shares(self, split: str) -> dict[int | None, int]:
        """How many of a split's problems each level has."""
        size, count = self.sizes[split], len(self.worlds)
        shares = {
            level: size * (place + 1) // count - size * place // count
            for place, level in enumerate(self.worlds)
        }
        return {level: share for level, share in shares.items() if share}

    def _folder(self, level: int | None) -> Path:
        """A preset or a level that has changed since is another setting, whatever it is called."""
        world = type(self.worlds[level])
        settings = (
            _defaults(world)
            | dict(world.presets.get(self.preset or "", {}))
            | ({} if level is None else dict(world.levels[level - 1]))
            | self.world_args
        )
        described = json.dumps([settings, self.seed], default=str, sort_keys=True).encode()
        mark = hashlib.sha256(described).hexdigest()[:8]
        level_name = None if level is None else f"level{level}"
        return self.home / "-".join(filter(None, (self.task, self.preset, level_name, mark)))

    def _file(self, split: str, level: int | None, size: int) -> Path:
        return self._folder(level) / f"{split}-{size}" / f"{self.task}-{split}.json"

    def _draw(self, split: str, level: int | None, size: int) -> None:
        home = self._file(split, level, size).parent
        of = "" if level is None else f" at level {level}"
        rank_zero_info(
            f"drawing {size:,} {split} problems of the {self.task} world{of} into {home}"
        )
        plan = Plan(self.task, split, size, self.seed, self.preset, self.world_args, level)
        # Another run may want the same problems: this one waits, and finds them there.
        draw_problems(plan, home, self.workers, wait=True)


def _defaults(world: type) -> dict[str, Any]:
    parameters = inspect.signature(world).parameters.values()
    return {each.name: each.default for each in parameters if each.name != "seed"}


class StoredProblems(ProblemSource):
    """Problems in files of any format that can be read, in folders, or on the Hugging Face hub."""

    def __init__(
        self,
        train: str | None = None,
        val: str | None = None,
        tests: dict[str, str] | None = None,
        format: str | None = None,
        image_root: str | None = None,
        columns: dict[str, str] | None = None,
        select: dict[str, str] | None = None,
        hold_out: float | None = None,
        seed: int = 0,
    ) -> None:
        """
        Args:
            train: File, folder or hub name to train on.
            val: The same for validation.
            tests: The same for each test split, by its name: id, ood, or any other.
            format: Format of the records, where it is not to be found out.
            image_root: What paths of images are relative to, if not to their file.
            columns: What the data calls problem, answer, image, id, cot or choices.
            select: Split of the data to take for train, val or a test, where it holds several.
            hold_out: Share of train to validate on, where no val is named: 0 for none. If not
                given, a tenth and no more than 200 problems where no test is named either.
            seed: Another seed holds out other problems.
        """
        named = {"train": train, "val": val, **(tests or {})}
        self.sources = {split: source for split, source in named.items() if source is not None}
        if not self.sources:
            raise BadInput("StoredProblems needs train, val or tests: files, folders or hub names")
        if strange := set(select or ()) - set(self.sources):
            known = ", ".join(self.sources)
            raise BadInput(f"select names {', '.join(sorted(strange))}; there are only {known}")
        self.format, self.image_root, self.columns = format, image_root, columns
        self.select: Mapping[str, str] = select or {}
        if hold_out is not None and not 0 <= hold_out < 1:
            raise BadInput(f"hold_out is a share of train, at least 0 and below 1, not {hold_out}")
        self.share, self.seed = hold_out, seed
        self._train: dict[str | None, Sequence[Problem]] = {}
        unasked = list(self.sources) == ["train"] and hold_out is None
        divisible = "train" in self.sources and "val" not in self.sources
        self.holds_out = divisible and (unasked or bool(hold_out))

    @property
    def splits(self) -> tuple[str, ...]:
        return (*self.sources, "val") if self.holds_out else tuple(self.sources)

    def at_hand(self, split: str) -> bool:
        return split in self.sources and Path(self.sources[split]).expanduser().exists()

    def problems(self, split: str, task: str | None = None) -> Sequence[Problem]:
        if not self.holds_out:
            return self._read(split, task)
        if task not in self._train:
            # Both halves are asked for, one after the other.
            self._train = {task: self._read("train", task)}
        problems = self._train[task]
        # All chains of a problem are learned from, or none.
        held = self._held_out([problem.origin for problem in problems])
        return [problem for problem in problems if (problem.origin in held) == (split == "val")]

    def _held_out(self, ids: Sequence[str]) -> set[str]:
        """The ids to validate on: a function of seed and ids, whatever their order."""
        distinct = sorted(set(ids), key=lambda id: (fingerprint(self.seed, "held out", id), id))
        if len(distinct) < 2:
            train = self.sources["train"]
            raise BadInput(f"{train} has too few problems to hold one out; set hold_out to 0")
        share = DEFAULT_SHARE if self.share is None else self.share
        size = max(1, round(share * len(distinct)))
        if self.share is None:
            size = min(size, MOST_HELD_OUT)
        return set(distinct[: min(size, len(distinct) - 1)])

    def _read(self, split: str, task: str | None) -> Sequence[Problem]:
        return load_problems(
            self.sources[split],
            self.format,
            task,
            self.image_root,
            self.columns,
            self.select.get(split),
        )


class MixedProblems(ProblemSource):
    """Problems of several sources: trained and validated on together, tested one by one."""

    def __init__(
        self, sources: dict[str, ProblemSource], weights: dict[str, float] | None = None
    ) -> None:
        """
        Args:
            sources: Sources by name; a test split "id" of the source "cubes" is called cubes-id.
            weights: The share of each source in every batch of training, by name, of any sum; if
                not given, every epoch has each problem once.
        """
        self.by_split: dict[str, list[tuple[str, ProblemSource, str]]] = {}
        for name, source in sources.items():
            if source.weights:
                raise BadInput(f"source {name!r} has weights of its own: name its sources here")
            for split in source.splits:
                known = split if split in ("train", "val") else f"{name}-{split}"
                self.by_split.setdefault(known, []).append((name, source, split))
        self._weights = _checked(weights, [name for name, *_ in self.by_split.get("train", ())])

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.by_split)

    @property
    def weights(self) -> Mapping[str, float]:
        return self._weights

    def prepare(self, splits: Sequence[str]) -> None:
        for _, source, own in self._sources_of(splits):
            source.prepare([own])

    def at_hand(self, split: str) -> bool:
        return all(source.at_hand(own) for _, source, own in self._sources_of([split]))

    def problems(self, split: str, task: str | None = None) -> Sequence[Problem]:
        """The problems of all sources; each knows its own, where there are several."""
        sources = self.by_split[split]
        if len(sources) == 1:
            ((_, source, own),) = sources
            return source.problems(own, task)
        return [
            replace(problem, source=name)
            for name, source, own in sources
            for problem in source.problems(own, task)
        ]

    def _sources_of(self, splits: Sequence[str]) -> list[tuple[str, ProblemSource, str]]:
        return [one for split in splits for one in self.by_split[split]]


def _checked(weights: Mapping[str, float] | None, names: Sequence[str]) -> dict[str, float]:
    """Weights of the sources that are trained on, in their order; none where it is one alone."""
    if weights is None:
        return {}
    there = ", ".join(names) or "none"
    if strange := [name for name in weights if name not in names]:
        raise BadInput(
            f"weights names {', '.join(strange)}; the sources that are trained on are {there}"
        )
    if missing := [name for name in names if name not in weights]:
        raise BadInput(
            f"weights does not name {', '.join(missing)}; give one to each source that is trained "
            f"on: {there}"
        )
    for name, weight in weights.items():
        if not 0 < weight < float("inf"):
            raise BadInput(
                f"weights: that of {name!r} is {weight}; those of {there} are positive numbers"
            )
    return {name: weights[name] for name in names} if len(names) > 1 else {}
