"""The files of what is kept: chains to fine-tune on, pairs to prefer by, and their images."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reasonrft.data.image_files import suffix
from reasonrft.data.layouts import meta_row
from reasonrft.distillation.choose_chains import Choice, Sampled, thought_of
from reasonrft.files import Staging
from reasonrft.problems import ORIGIN, Problem

Row = dict[str, Any]


class ImageNames:
    """What images are called: by their paths below the file's folder; others are copied there."""

    def __init__(self, folder: Path, root: Path | None) -> None:
        """
        Args:
            folder: Where the file is written.
            root: The folder that names are relative to, where images are to stay.
        """
        self.folder, self.root = folder.resolve(), root
        self.copies: dict[Path, Path | bytes] = {}

    def of(self, problem: Problem) -> list[str]:
        """Names of a problem's images."""
        return [self._name(image) for image in problem.images]

    def _name(self, image: Path | bytes) -> str:
        if isinstance(image, Path):
            if self.root is not None:
                return Path(os.path.relpath(image.resolve(), self.root.resolve())).as_posix()
            if image.resolve().is_relative_to(self.folder):
                return image.resolve().relative_to(self.folder).as_posix()
        content = image if isinstance(image, bytes) else image.read_bytes()
        ending = suffix(content)
        name = f"images/{hashlib.sha256(content).hexdigest()[:16]}.{ending}"
        self.copies[self.folder / name] = image
        return name


def chain_rows(
    sampled: Sampled, choice: Choice, names: ImageNames, provenance: Mapping[str, Any]
) -> list[Row]:
    """Records of the chains of a problem that are kept."""
    return [
        _row(sampled, number, names, provenance)
        | {"cot": thought_of(sampled.samples[number])}
        | {ORIGIN: _provenance(sampled, number, provenance)}
        for number in choice.chains(sampled)
    ]


def pair_rows(
    sampled: Sampled, choice: Choice, names: ImageNames, provenance: Mapping[str, Any]
) -> list[Row]:
    """Records of right answers, each with a wrong one."""
    texts = [sample.text for sample in sampled.samples]
    return [
        _row(sampled, chosen, names, provenance)
        | {"chosen": texts[chosen], "rejected": texts[rejected]}
        | {ORIGIN: _provenance(sampled, chosen, provenance) | {"rejected": rejected}}
        for chosen, rejected in choice.pairs(sampled)
    ]


def _row(sampled: Sampled, number: int, names: ImageNames, provenance: Mapping[str, Any]) -> Row:
    """The problem as a plain record, without the chain of thought that it came with."""
    problem = sampled.problem
    row = meta_row(problem, names.of(problem), ("problem", "cot", ORIGIN, "chosen", "rejected"))
    del row["cot"]
    answer = row.pop("answer")
    begins: Row = {name: row.pop(name) for name in ("id", "image") if name in row}
    begins["id"] = f"{problem.id}#{provenance['seed']}.{number}"
    return {**begins, "question": problem.question, "answer": answer, **row}


def _provenance(sampled: Sampled, number: int, provenance: Mapping[str, Any]) -> Row:
    told = {"problem": sampled.problem.origin, **provenance, "sample": number}
    told |= {"right": sum(sampled.right), "tokens": sampled.samples[number].tokens}
    return told if sampled.blind is None else told | {"right_blind": sum(sampled.blind)}


def write_all(
    files: Mapping[Path, Sequence[Row]], names: ImageNames, report: tuple[Path, Row]
) -> None:
    """All files with their images, or none of them."""
    with Staging() as staging:
        for path, image in names.copies.items():
            staging.add_image(path, image)
        for file, rows in files.items():
            lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
            staging.write(file, "".join(lines).encode())
        path, content = report
        staging.write(path, (json.dumps(content, indent=1) + "\n").encode())
