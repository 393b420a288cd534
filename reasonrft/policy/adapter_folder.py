"""A policy that is named by the folder of an adapter: its base, and the adapter on it."""

import json
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_info

from reasonrft.errors import BadInput
from reasonrft.policy.adapters import SETTINGS, Lora
from reasonrft.policy.hub_paths import holds_adapter, resolve


@dataclass(frozen=True)
class Start:
    """What a policy starts from."""

    path: str
    adapter: Lora | None
    revision: str | None


def find_start(path: str, adapter: Lora | None, revision: str | None) -> Start:
    """The base and the adapter that a folder stands for, or what was asked for where it is none."""
    folder = Path(path).expanduser()
    if not holds_adapter(folder):
        return Start(path, adapter, revision)
    if adapter and adapter.path and Path(adapter.path).expanduser().resolve() != folder.resolve():
        raise BadInput(
            f"the policy is the adapter {path}, and another is asked for, {adapter.path}: leave "
            "its path out, or give a model as the policy"
        )
    base, base_revision = _base_of(folder)
    rank_zero_info(f"policy: adapter {folder} on {base}")
    return Start(base, Lora(path=str(folder)), revision or base_revision)


def _base_of(folder: Path) -> tuple[str, str | None]:
    """Name and revision of the base in an adapter's settings."""
    try:
        settings = json.loads((folder / SETTINGS).read_text())
        base, revision = settings.get("base_model_name_or_path"), settings.get("revision")
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(f"{folder / SETTINGS} cannot be read as an adapter's settings") from error
    if not isinstance(base, str) or not base:
        raise BadInput(
            f"{folder / SETTINGS} does not name its base in base_model_name_or_path: give the base "
            "as the policy and this folder as the adapter's path"
        )
    try:
        resolve(base)
    except BadInput as fault:
        raise BadInput(f"{folder} is an adapter, and its base is not there: {fault}") from fault
    return base, revision if isinstance(revision, str) else None
