"""Drawing a world's problems into the release's layout, with several processes.

Problems are drawn in parts. A finished part leaves a file behind, so that a build that was killed
goes on with the parts that are missing; the problems are pure functions of their index, so the
result is the same to the byte.
"""

import json
import multiprocessing
import os
import shutil
import sys
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from reasonrft.data.layouts import meta_row
from reasonrft.errors import BadInput, check_at_least
from reasonrft.files import Staging
from reasonrft.problems import Problem
from reasonrft.worlds import World, make_world

PART = 50
"""Problems in a part."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which problems to draw."""

    task: str
    split: str
    size: int
    seed: int = 0
    preset: str | None = None
    world_args: dict[str, Any] = field(default_factory=dict)
    level: int | None = None

    @property
    def name(self) -> str:
        return f"{self.task}-{self.split}"

    def world(self) -> World:
        return make_world(self.task, self.preset, self.seed, self.level, **self.world_args)

    def problem(self, world: World, index: int) -> Problem:
        """The world's problem; one of a level says so, and has an id of its own."""
        problem = world.problem(self.split, index)
        if self.level is None:
            return problem
        stem = f"{self.name}-{self.level}-{index:06d}"
        return replace(problem, id=stem, meta={**problem.meta, "level": self.level})


def draw_problems(plan: Plan, home: Path, workers: int | None = None, wait: bool = False) -> None:
    """Draw what is missing of a plan into a folder, with as many processes as cores if not given.

    Where another process is drawing the same, this one waits for it, or ends with `BadInput`.
    """
    world = plan.world()
    if plan.split not in world.splits:
        known = ", ".join(world.splits)
        raise BadInput(f"the {plan.task} world has no split {plan.split!r}: it has {known}")
    check_at_least(1, size=plan.size, workers=workers)
    (home / ".build").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / ".build" / f"{plan.name}.lock", blocking=wait):
            if _begin(plan, home):
                _draw_missing(plan, home, workers or os.cpu_count() or 1)
                _finish(plan, home)
    except Timeout:
        raise BadInput(
            f"another process is drawing {plan.name} into {home}: wait for it, or choose another "
            "folder"
        ) from None


def _parts(plan: Plan, home: Path) -> Path:
    return home / ".build" / plan.name


def _begin(plan: Plan, home: Path) -> bool:
    """Whether there is anything left to do; refuses a folder that holds another build."""
    settings = json.dumps(asdict(plan), indent=1, sort_keys=True).encode()
    mark = home / ".build" / f"{plan.name}.json"
    done = (home / f"{plan.name}.json").exists()
    if done and not mark.exists():
        raise BadInput(f"{home / plan.name}.json is there already and was not built here")
    if mark.exists() and mark.read_bytes() != settings:
        raise BadInput(
            f"{home} holds {plan.name} with other settings ({mark}): choose another folder, "
            f"or delete {mark.name} and {plan.name}.json"
        )
    if not done:
        # What a killed build was writing; another split may be being built into the same folder.
        for drafts in (f"*/{plan.name}/.*.tmp", f"**/.{plan.name}*.json.*.tmp"):
            for draft in home.glob(drafts):
                draft.unlink(missing_ok=True)
        with Staging() as staging:
            staging.write(mark, settings)
    return not done


def _draw_missing(plan: Plan, home: Path, workers: int) -> None:
    starts = range(0, plan.size, PART)
    missing = [start for start in starts if not _part_file(plan, home, start).exists()]
    there = plan.size - sum(min(PART, plan.size - start) for start in missing)
    bar = tqdm(total=plan.size, initial=there, unit=" problems", disable=not sys.stderr.isatty())
    parts = [(plan, home, start) for start in missing]
    with bar, _pool(min(workers, len(parts))) as pool:
        for count in pool.imap_unordered(_draw_part, parts) if pool else map(_draw_part, parts):
            bar.update(count)


def _pool(processes: int) -> AbstractContextManager[Any]:
    """Nothing for one process: it has begun sooner here than another is there."""
    if processes < 2:
        return nullcontext()
    return multiprocessing.get_context("spawn").Pool(processes, _watch_parent, (os.getpid(),))


def _watch_parent(parent: int) -> None:
    """End with the build, also where it was killed and could not say so."""

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _part_file(plan: Plan, home: Path, start: int) -> Path:
    return _parts(plan, home) / f"{start:08d}.json"


def _draw_part(part: tuple[Plan, Path, int]) -> int:
    """Draw one part: its images first, and last the file that says it is there."""
    plan, home, start = part
    world = plan.world()
    rows, evidence = [], []
    indices = range(start, min(start + PART, plan.size))
    with Staging() as staging:
        for index in indices:
            problem = plan.problem(world, index)
            names = _image_names(plan, index, len(problem.images))
            for name, image in zip(names, problem.images, strict=True):
                if not isinstance(image, bytes):
                    raise TypeError("a world's images must be bytes")
                staging.write(home / name, image)
            known = world.evidence(problem, names)
            rows.append(meta_row(problem, names, () if known is None else world.evidence_keys))
            evidence += [known] if known is not None else []
    with Staging() as staging:
        content = json.dumps({"rows": rows, "evidence": evidence})
        staging.write(_part_file(plan, home, start), content.encode())
    return len(indices)


def _image_names(plan: Plan, index: int, count: int) -> list[str]:
    # Scenes are found again by the stems of their images, so that these must differ by split.
    stem = f"images/{plan.name}/{plan.name}-{index:06d}"
    return [f"{stem}.png"] if count == 1 else [f"{stem}-{at}.png" for at in range(count)]


def _finish(plan: Plan, home: Path) -> None:
    """Join the parts; they are deleted when the whole is in its place."""
    rows: list[Any] = []
    evidence: list[Any] = []
    for start in range(0, plan.size, PART):
        part = json.loads(_part_file(plan, home, start).read_bytes())
        rows += part["rows"]
        evidence += part["evidence"]
    with Staging() as staging:
        if evidence:
            kind = "scenes" if "objects" in evidence[0] else "states"
            content = {"scenes": evidence} if kind == "scenes" else evidence
            staging.write(home / f"{plan.name}-{kind}.json", _lines(content))
        staging.write(home / f"{plan.name}.json", _lines(rows))
    shutil.rmtree(_parts(plan, home))


def _lines(content: Any) -> bytes:
    """JSON with one record per line."""
    if isinstance(content, dict):
        return b'{"scenes": ' + _lines(content["scenes"]).rstrip() + b"}\n"
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in content)
    return f"[\n{rows}\n]\n".encode()
