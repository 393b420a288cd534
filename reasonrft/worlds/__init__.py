"""Generated problems: pure functions of seed, split and index."""

import copy
import importlib
import inspect
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from reasonrft.errors import BadInput
from reasonrft.worlds.base import World
from reasonrft.worlds.drawing.light import BlackPatches, Blur, Compression, RandomLight, SensorNoise

_WORLDS = {
    "counting": "reasonrft.worlds.counting.CountingWorld",
    "structure": "reasonrft.worlds.structure.StructureWorld",
    "transformation": "reasonrft.worlds.transformation.TransformationWorld",
    "grounding": "reasonrft.worlds.grounding.GroundingWorld",
    "perception-counting": "reasonrft.worlds.perception.CountingPerception",
    "perception-structure": "reasonrft.worlds.perception.StructurePerception",
    "perception-transformation": "reasonrft.worlds.perception.TransformationPerception",
}

__all__ = [
    "BlackPatches",
    "Blur",
    "Compression",
    "RandomLight",
    "SensorNoise",
    "World",
    "make_world",
]


def make_world(
    task: str,
    preset: str | None = None,
    seed: int = 0,
    level: int | None = None,
    **world_args: Any,
) -> World:
    """The world of a task: a preset's arguments, then a level's, then `world_args`."""
    if task not in _WORLDS:
        raise BadInput(f"no world for task {task!r}: there are {', '.join(_WORLDS)}")
    module, _, name = _WORLDS[task].rpartition(".")
    cls: type[World] = getattr(importlib.import_module(module), name)
    if preset is not None and preset not in cls.presets:
        raise BadInput(
            f"the {task} world has no preset {preset!r}: it has {', '.join(cls.presets)}"
        )
    if level is not None and not 1 <= level <= len(cls.levels):
        raise BadInput(f"the {task} world has no level {level}: it has 1 to {len(cls.levels)}")
    chosen_level = {} if level is None else cls.levels[level - 1]
    known = [key for key in inspect.signature(cls).parameters if key != "seed"]
    if unknown := [key for key in world_args if key not in known]:
        raise BadInput(
            f"the {task} world has no argument {unknown[0]!r}: it has {', '.join(known)}"
        )
    # Lightning's parser gives arguments their types: "[3, 6]" a pair, {class_path: Blur} an effect.
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(cls, "world")
    # The parser writes into what it is given.
    arguments = {**cls.presets.get(preset or "", {}), **chosen_level, **world_args}
    settings = copy.deepcopy({**arguments, "seed": seed})
    try:
        chosen = parser.parse_object({"world": settings})
        return parser.instantiate(chosen)["world"]
    except (ArgumentError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise BadInput(f"the {task} world does not accept these arguments: {why}") from error
