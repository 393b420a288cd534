"""Classes that a configuration names."""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from reasonrft.errors import BadInput


def import_class(class_path: str) -> type:
    """The class of this path; `BadInput` where there is none."""
    module, _, name = class_path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(f"there is no class {class_path}: {error}") from error


def class_of(config: Mapping[str, Any] | None) -> type | None:
    """The class of a configured object, or None where no class is given."""
    path = config.get("class_path") if isinstance(config, Mapping) else None
    return import_class(path) if path else None


def accepts(cls: type | None, name: str) -> bool:
    """Whether a class is made with an argument of this name."""
    return cls is not None and name in inspect.signature(cls).parameters
