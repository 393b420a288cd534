"""What differs between the tasks: the prompt, the reading of an answer, and when it is right."""

import importlib
from functools import lru_cache

from reasonrft.errors import BadInput
from reasonrft.tasks.base import Task
from reasonrft.tasks.counting import CountingTask
from reasonrft.tasks.general import GeneralTask
from reasonrft.tasks.grounding import GroundingTask
from reasonrft.tasks.structure import StructureTask
from reasonrft.tasks.transformation import TransformationTask

TASKS: tuple[type[Task], ...] = (
    CountingTask,
    StructureTask,
    TransformationTask,
    GroundingTask,
    GeneralTask,
)

__all__ = [
    "TASKS",
    "CountingTask",
    "GeneralTask",
    "GroundingTask",
    "StructureTask",
    "Task",
    "TransformationTask",
    "find_builtin_task",
    "find_task",
    "title_of",
]


def find_builtin_task(name: str) -> Task:
    """A built-in task by its short name; data may name these alone, because it never names code."""
    for task in TASKS:
        if name == task.name:
            return find_task(name)
    raise BadInput(f"no task {name!r} is built in: use {_known_names()}")


@lru_cache
def find_task(name: str) -> Task:
    """A built-in task by its short name, anybody's by its class_path."""
    for task in TASKS:
        if name in (task.name, task.__name__):
            return task()
    module, dot, attribute = name.rpartition(".")
    if not dot:
        raise BadInput(f"no task {name!r}: use {_known_names()}, or the class_path of your own")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise BadInput(f"no task {name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise BadInput(f"{name} is not a subclass of reasonrft.tasks.Task")
    return found()


def title_of(name: str) -> str:
    """What tables call a task that is known by now; nothing is imported for it."""
    waiting: list[type[Task]] = [Task]
    while waiting:
        task = waiting.pop()
        if name in (task.name, f"{task.__module__}.{task.__qualname__}"):
            return task.title or name
        waiting += task.__subclasses__()
    return name


def _known_names() -> str:
    return ", ".join(task.name for task in TASKS)
