"""Checking records one by one: whether each can be asked, looked at, and answered."""

import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from reasonrft.data.agreement import Derivation, Deriver
from reasonrft.images import ImageFault, open_image
from reasonrft.problems import Problem
from reasonrft.readers import Fault, Record
from reasonrft.tasks import find_task

_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Checked:
    """A record with everything that is wrong with it."""

    record: Record
    faults: tuple[Fault, ...]
    derivation: Derivation | None = None
    """None where the answer could not be derived again."""


def check(records: Iterable[Record]) -> Iterator[Checked]:
    """Check records in their order; images are opened in parallel."""
    seen: dict[str, Record] = {}
    known: dict[Path, str] = {}
    derive_again = Deriver()
    records = iter(records)
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(unit=" records", disable=not sys.stderr.isatty()) as bar,
    ):
        while chunk := list(islice(records, _CHUNK)):
            for record, images in zip(
                chunk, pool.map(lambda record: _image_faults(record, known), chunk), strict=True
            ):
                bar.update()
                yield _checked(record, images, seen, derive_again)


def _checked(
    record: Record, images: list[Fault], seen: dict[str, Record], derive_again: Deriver
) -> Checked:
    problem = record.outcome
    if isinstance(problem, Fault):
        return Checked(record, (problem,))
    faults = [*_id_faults(record, problem.id, seen), *images]
    if message := find_task(problem.task).fault(problem):
        return Checked(record, (*faults, record.fault("answer", message)))
    derivation = derive_again(record)
    if derivation and derivation.disagreement:
        faults.append(record.fault(derivation.key, derivation.disagreement))
    return Checked(record, tuple(faults), derivation)


def _id_faults(record: Record, id: str, seen: dict[str, Record]) -> list[Fault]:
    first = seen.setdefault(id, record)
    if first is record:
        return []
    return [record.fault("id", f"is taken already by {first.name} of {first.file}")]


def _image_faults(record: Record, known: dict[Path, str]) -> list[Fault]:
    images = record.outcome.images if isinstance(record.outcome, Problem) else ()
    messages = dict.fromkeys(_image_fault(image, known) for image in images)
    return [record.fault("image", message) for message in messages if message]


def _image_fault(image: Path | bytes, known: dict[Path, str]) -> str:
    """Why an image does not open; many records share one image, which is opened once."""
    if isinstance(image, Path) and image in known:
        return known[image]
    try:
        open_image(image)
        message = ""
    except ImageFault as fault:
        message = str(fault)
    if isinstance(image, Path):
        known[image] = message
    return message
