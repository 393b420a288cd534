"""`data preview`: a contact sheet of some records, to look at before training on them."""

import random
from pathlib import Path

from reasonrft.data.sheet import draw_sheet
from reasonrft.files import Staging
from reasonrft.images import ImageFault
from reasonrft.problems import Problem
from reasonrft.readers import DataError, Fault, fault_lines, read_problems
from reasonrft.worlds import make_world


def preview(
    source: str,
    output: str = "preview.png",
    count: int = 12,
    per_row: int = 3,
    seed: int = 0,
    format: str | None = None,
    task: str | None = None,
    image_root: str | None = None,
    columns: dict[str, str] | None = None,
    split: str | None = None,
) -> int:
    """Draw some records as cards on one PNG: images, question, chain of thought, answer.

    Args:
        source: File, folder, saved data set, name on the Hugging Face hub, or a generated world:
            world:TASK, world:TASK:PRESET or world:TASK:PRESET:LEVEL, with --split.
        output: PNG to write.
        count: How many records to draw.
        per_row: Cards side by side.
        seed: Which records to draw, or the seed of a world.
        format: Format of the records, instead of finding it out.
        task: Task of all records, by short name or class_path.
        image_root: Folder that paths of images are relative to.
        columns: Their names for problem, answer, image, id, cot, choices: {"problem": "question"}.
        split: The split to read.
    """
    if count < 1 or per_row < 1:
        raise DataError("a sheet needs one card at least, and one card in a row")
    if Path(output).suffix.lower() != ".png":
        raise DataError(f"output must be a file that ends in .png, not {output}")
    if source.startswith("world:"):
        problems = _drawn(source, split or "id", count, seed)
        return _write(problems, len(problems), output, per_row)
    outcomes = list(read_problems(source, format, task, image_root, columns, split))
    faults = [fault for fault in outcomes if isinstance(fault, Fault)]
    problems = [problem for problem in outcomes if isinstance(problem, Problem)]
    for line in fault_lines(faults):
        print(line)
    if not problems:
        return 1
    _write(_choose(problems, count, seed), len(problems), output, per_row)
    return 1 if faults else 0


def _write(chosen: list[Problem], of: int, output: str, per_row: int) -> int:
    try:
        sheet = draw_sheet(chosen, per_row)
    except ImageFault as fault:
        raise DataError(f"{fault}; data validate lists all faults") from None
    with Staging() as staging:
        staging.write(Path(output), sheet)
    print(f"wrote {output}: {len(chosen)} of {of} records")
    return 0


def _drawn(source: str, split: str, count: int, seed: int) -> list[Problem]:
    """The first problems of a generated world."""
    task, preset, level = (*source.split(":", 3)[1:], "", "")[:3]
    if level and not level.isdecimal():
        raise DataError(f"{source}: a level is a whole number from 1, not {level!r}")
    world = make_world(task, preset or None, seed, int(level) if level else None)
    if split not in world.splits:
        raise DataError(
            f"the {task} world has no split {split!r}: it has {', '.join(world.splits)}"
        )
    return [world.problem(split, index) for index in range(count)]


def _choose(problems: list[Problem], count: int, seed: int) -> list[Problem]:
    """A random sample in the order of the source."""
    chosen = random.Random(seed).sample(range(len(problems)), min(count, len(problems)))
    return [problems[at] for at in sorted(chosen)]
