"""`data build`: draw the problems of a generated world."""

from pathlib import Path
from typing import Any

from reasonrft.data.draw_problems import Plan, draw_problems


def build(
    task: str,
    split: str,
    size: int,
    output: str,
    seed: int = 0,
    preset: str | None = None,
    world_args: dict[str, Any] | None = None,
    workers: int | None = None,
    level: int | None = None,
) -> int:
    """Draw problems of a generated world: a JSON file with its images; goes on where it stopped.

    Args:
        task: World to draw: counting, structure or transformation.
        split: train, val, id, or an ood split of the task.
        size: How many problems.
        output: Folder to write to.
        seed: Another seed is another data set.
        preset: Named setting of the world's arguments, such as tiny.
        world_args: Single arguments of the world, over preset and level: --world-args.width 240.
        workers: How many processes draw; as many as there are cores if not given.
        level: Level of difficulty, from 1; the preset's own problems if not given.
    """
    plan = Plan(task, split, size, seed, preset, world_args or {}, level)
    draw_problems(plan, Path(output), workers)
    print(f"{Path(output) / plan.name}.json: {size} problems")
    return 0
