"""sweep.json: what a folder's sweep is, and what it may become."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reasonrft.errors import BadInput
from reasonrft.files import Staging
from reasonrft.sweeps.sweep_config import Range, Sweep

FILE = "sweep.json"


def write_sweep(sweep: Sweep) -> None:
    """Write what the sweep is; one that goes on may only have grown."""
    path = sweep.folder / FILE
    before = json.loads(path.read_text()) if path.exists() else None
    if before:
        check_grown(before["config"], as_json(sweep), path)
    started = before["started"] if before else datetime.now(UTC).isoformat(timespec="seconds")
    content = {"name": sweep.name, "config": as_json(sweep), "started": started}
    with Staging() as staging:
        staging.write(path, json.dumps(content, indent=1).encode())


def as_json(sweep: Sweep) -> dict[str, Any]:
    return dict(json.loads(json.dumps(asdict(sweep))))


def check_grown(before: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    """Refuse all changes but more trials, more values and wider ranges."""
    changed = [key for key in now if key not in ("keys", "trials") and now[key] != before[key]]
    if list(now["keys"]) != list(before["keys"]):
        changed.append("keys")
    else:
        changed += [
            f"keys.{key}"
            for key, choices in now["keys"].items()
            if not _has_grown(before["keys"][key], choices)
        ]
    if (now["trials"] or 0) < (before["trials"] or 0):
        changed.append("trials")
    if changed:
        raise BadInput(
            f"{path} is of a sweep with other {' and '.join(changed)}: one that goes on may have "
            "more trials and more values; take the change back, or give this one a --name"
        )


def _has_grown(before: Any, now: Any) -> bool:
    if isinstance(before, list) and isinstance(now, list):
        return all(value in now for value in before)
    if isinstance(before, dict) and isinstance(now, dict):
        wide = Range(now["low"], now["high"])
        return before["log"] == now["log"] and before["low"] in wide and before["high"] in wide
    return False
