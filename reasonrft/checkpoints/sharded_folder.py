"""Checkpoints that are folders, into which each rank writes what it holds.

    NAME.ckpt/state.pt            all that is the same on all ranks
    NAME.ckpt/shards-0-of-2.pt    rows of the tensors that are spread over ranks, by their path
    NAME.ckpt/shards-1-of-2.pt

Any number of processes reads them. In hybrid sharding the first copy of the weights is written.
"""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from reasonrft.checkpoints.write_aside import (
    draft_of,
    in_one_sentence,
    open_draft,
    prepare_draft,
    put_in_place,
)
from reasonrft.distributed.ranks import raise_on_all_ranks
from reasonrft.distributed.sharded_state import (
    Pieces,
    RankState,
    join_pieces,
    map_leaves,
    rows_of,
)
from reasonrft.errors import BadInput

STATE = "state.pt"
SHARDS = re.compile(r"shards-\d+-of-(\d+)\.pt")


def write_folder(
    target: Path, state: Any, shard: int | None, shards: int, is_whole: Callable[[Path], bool]
) -> None:
    """Write a checkpoint aside, each rank its part, and put it in its place; all ranks call this.

    Args:
        target: The folder that appears.
        state: The checkpoint, in which tensors are spread over ranks.
        shard: Which of the parts this rank writes, if any.
        shards: How many parts there are.
        is_whole: Whether what the target now is may replace the one before it.
    """
    common, own = split_state(state)
    draft, is_first = draft_of(target), shard == 0
    try:
        with raise_on_all_ranks(), in_one_sentence(target):
            if is_first:
                prepare_draft(target).mkdir()
        with raise_on_all_ranks(), in_one_sentence(target):
            if shard is not None:
                _save(own, draft / shard_name(shard, shards))
            if is_first:
                _save(common, draft / STATE)
        with raise_on_all_ranks(), in_one_sentence(target):
            if is_first:
                put_in_place(target, is_whole)
    finally:
        if is_first:
            shutil.rmtree(draft, ignore_errors=True)


def split_state(state: Any) -> tuple[Any, dict[tuple[Any, ...], Any]]:
    """A state without what is spread over ranks, and this rank's part of that, by its path."""
    own: dict[tuple[Any, ...], Any] = {}

    def take(path: tuple[Any, ...], value: Any) -> Any:
        if isinstance(value, RankState):
            own[path] = {"shape": tuple(value.shape), "piece": value.piece}
        elif isinstance(value, DTensor):
            first, rows = rows_of(value).start, value.to_local()
            own[path] = {"shape": tuple(value.shape), "first": first, "rows": rows}
        else:
            return value
        return None

    return map_leaves(take, state), own


def files_of(folder: Path) -> list[Path]:
    """The files that make a folder a whole checkpoint, whether they are there or not."""
    names = filter(None, (SHARDS.fullmatch(path.name) for path in folder.iterdir()))
    shards = max((int(name[1]) for name in names), default=0)
    if not shards and not (folder / STATE).exists():
        raise BadInput(f"{folder} is a folder and no checkpoint; --policy takes that of a model")
    shards = max(shards, 1)
    return [folder / STATE, *(folder / shard_name(shard, shards) for shard in range(shards))]


def join_files(folder: Path, contents: Sequence[Any]) -> dict[str, Any]:
    """The checkpoint that the files of a folder make; rows are read when they are asked for."""
    state, *shards = contents
    try:
        for path in shards[0]:
            _put(state, path, _join([shard[path] for shard in shards]))
        state["state_dict"]
    except (LookupError, TypeError, AttributeError) as error:
        raise BadInput(f"{folder} is damaged, or no checkpoint of a training run") from error
    return dict(state)


def shard_name(shard: int, shards: int) -> str:
    return f"shards-{shard}-of-{shards}.pt"


def _save(state: Any, path: Path) -> None:
    with open_draft(path) as file:
        torch.save(state, file)
    # By the rank that wrote it: the first one may be on another node.
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _join(entries: list[dict[str, Any]]) -> Any:
    shape = torch.Size(entries[0]["shape"])
    if "piece" in entries[0]:
        return join_pieces(shape, [entry["piece"] for entry in entries])
    return Pieces(shape, [(entry["first"], entry["rows"]) for entry in entries])


def _put(state: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        state = state[key]
    state[path[-1]] = value
