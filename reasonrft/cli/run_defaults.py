"""What every run has without saying so: seeds, loggers, callbacks, a folder of its own."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch.callbacks import (
    LearningRateMonitor,
    ModelCheckpoint,
    ProgressBar,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from reasonrft.callbacks import (
    BeforeAndAfter,
    BestCheckpoint,
    ExportPolicy,
    HostMemory,
    ReasoningMonitor,
    SampleGallery,
    TrainingCurves,
)
from reasonrft.checkpoints import SafeCheckpointIO
from reasonrft.cli.class_paths import accepts, class_of
from reasonrft.cli.run_folder import default_folder
from reasonrft.datamodules import TaskDataModule
from reasonrft.errors import BadInput
from reasonrft.modules import EndpointModule, GRPOModule, ReasoningModule
from reasonrft.modules.evaluation import EvaluatedModule

TRAINER_DEFAULTS: dict[str, Any] = {
    # The datamodule's own order keeps its place in checkpoints, and knows of processes.
    "use_distributed_sampler": False,
    "num_sanity_val_steps": 0,
    # The run's first lines say more.
    "enable_model_summary": False,
}
MOST_SEED = 2**32 - 1

Configured = dict[str, Any]
"""An object as a configuration has it: class_path and init_args."""


def complete(given: dict[str, Any], command: str, configs: Sequence[str]) -> None:
    """Add to a command's configuration what its user left out.

    Args:
        given: The configuration without defaults.
        command: fit, validate, test or predict.
        configs: Names of the configuration's files.
    """
    _check_parts(given)
    trainer = given["trainer"] = given.get("trainer") or {}
    if isinstance(strategy := trainer.get("strategy"), str) and _is_class(strategy):
        trainer["strategy"] = {"class_path": strategy}
    if not trainer.get("default_root_dir"):
        trainer["default_root_dir"] = default_folder(given, command, configs)
    _share_seed(given)
    _share_policy(given)
    _check_rate(given)
    _check_precision(given)
    if trainer.get("logger") in (None, True):
        trainer["logger"] = loggers(trainer["default_root_dir"])
    trainer["callbacks"] = callbacks(given)
    trainer["plugins"] = plugins(trainer)
    if issubclass(_module_of(given), GRPOModule):
        trainer.setdefault("log_every_n_steps", 1)
    else:
        trainer.setdefault("log_every_n_steps", 10)
    if trainer.get("use_distributed_sampler") and issubclass(_data_of(given), TaskDataModule):
        raise BadInput(
            "trainer.use_distributed_sampler must be false: the datamodule orders its problems "
            "itself, over all processes"
        )


def _check_parts(given: Mapping[str, Any]) -> None:
    """A model and data are there, which the parser itself would call required keys."""
    if not given.get("model"):
        raise BadInput("there is no model: give a config that names one, as --config grpo.yaml")
    if not given.get("data") and issubclass(_module_of(given), EvaluatedModule):
        raise BadInput(
            "there are no problems: give --problems FILE, or a config that has data, as "
            "--config data/counting.yaml"
        )


def _is_class(strategy: str) -> bool:
    """Whether a strategy is named by its class, and not by its short name such as ddp."""
    return "." in strategy or strategy.endswith("Strategy")


def _module_of(given: Mapping[str, Any]) -> type:
    return class_of(given.get("model")) or object


def _data_of(given: Mapping[str, Any]) -> type:
    return class_of(given.get("data")) or object


def _share_seed(given: dict[str, Any]) -> None:
    """One seed for all: module and datamodule have that of the run unless they are given one."""
    seed = given.get("seed_everything", 0)
    if isinstance(seed, bool) or not isinstance(seed, int):
        return
    if not 0 <= seed <= MOST_SEED:
        raise BadInput(f"seed_everything is {seed}: use a number from 0 to {MOST_SEED}")
    for key in ("model", "data"):
        cls = class_of(given.get(key))
        if accepts(cls, "seed") and issubclass(cls or object, (ReasoningModule, TaskDataModule)):
            _arguments(given[key]).setdefault("seed", seed)


def _share_policy(given: dict[str, Any]) -> None:
    """`--policy` is the path of the module's policy unless that has one of its own."""
    if not issubclass(_module_of(given), ReasoningModule):
        return
    arguments = _arguments(given["model"])
    policy = arguments["policy"] = arguments.get("policy") or {}
    if not isinstance(policy, dict):
        return  # a file, or something that the parser refuses
    own = policy if "class_path" not in policy else _arguments(policy)
    if own.get("path") is None:
        if given.get("policy") is None:
            raise BadInput(
                "there is no policy: give --policy NAME, where NAME is tiny, a folder or the name "
                "of a model on the Hugging Face hub"
            )
        own["path"] = given["policy"]


def _check_rate(given: Mapping[str, Any]) -> None:
    """A learning rate is a finite number, and not negative."""
    optimizer = _arguments(given.get("model") or {}).get("optimizer")
    rate = _arguments(optimizer).get("lr") if isinstance(optimizer, dict) else None
    try:
        value = float(rate) if rate is not None else 0.0
    except (TypeError, ValueError):
        return  # an interpolation, or something that the parser refuses
    if not math.isfinite(value) or value < 0:
        raise BadInput(f"model.optimizer.lr is {rate}: use a finite number that is not negative")


def _check_precision(given: Mapping[str, Any]) -> None:
    """What can be trained at all: some part, and 16-bit weights in 16-bit arithmetic."""
    if not issubclass(_module_of(given), ReasoningModule):
        return
    policy = given["model"]["init_args"]["policy"]
    if not isinstance(policy, dict):
        return
    own = policy if "class_path" not in policy else _arguments(policy)
    if own.get("train_parts") == []:
        raise BadInput(
            "model.policy.train_parts is empty: name at least one of language, projector, tower"
        )
    mixed = {"bfloat16": "bf16-mixed", "float16": "16-mixed"}.get(own.get("dtype", ""))
    if mixed and given["trainer"].get("precision") not in ("bf16-mixed", "16-mixed"):
        raise BadInput(
            f"model.policy.dtype {own['dtype']} needs trainer.precision {mixed}: images and what "
            "is trained are in float32"
        )


def _arguments(config: dict[str, Any]) -> dict[str, Any]:
    config["init_args"] = config.get("init_args") or {}
    return config["init_args"]


def loggers(folder: str) -> list[Configured]:
    """TensorBoard's and CSV's, in the run's folder."""
    home = {"save_dir": folder}
    return [
        _configured(TensorBoardLogger, **home, name="tensorboard", default_hp_metric=False),
        _configured(CSVLogger, **home, name="csv"),
    ]


def plugins(trainer: Mapping[str, Any]) -> list[Configured | str]:
    """The user's, and what writes and reads checkpoints unless one of those does."""
    own = _as_list(trainer.get("plugins"))
    if any(issubclass(class_of(plugin) or object, CheckpointIO) for plugin in own):
        return own
    return [*own, _configured(SafeCheckpointIO)]


def callbacks(given: Mapping[str, Any]) -> list[Configured]:
    """The standard callbacks, each in its user's version where there is one, and the user's others.

    An empty list is the user's wish to have none at all.
    """
    own = given["trainer"].get("callbacks")
    if own == []:
        return []
    own = _as_list(own)
    by_class: dict[type, list[Configured]] = {}
    for callback in own:
        by_class.setdefault(class_of(callback) or object, []).append(callback)
    chosen: list[Configured] = []
    for callback in _standard(given):
        cls = class_of(callback) or object
        if cls not in by_class:
            chosen.append(callback)
        elif not any(callback in chosen for callback in by_class[cls]):
            chosen += by_class[cls]
    return chosen + [callback for callback in own if callback not in chosen]


def _standard(given: Mapping[str, Any]) -> list[Configured]:
    """In the order in which they are called: the export stands before what takes long."""
    trainer, module = given["trainer"], _module_of(given)
    chosen: list[Configured] = []
    if trainer.get("enable_progress_bar") is not False and not _has_bar(trainer):
        chosen.append(_configured(TQDMProgressBar))
    if issubclass(module, EndpointModule):
        return chosen
    if trainer.get("enable_checkpointing") is not False:
        chosen += _checkpoints(given)
    if trainer["logger"]:
        chosen.append(_configured(LearningRateMonitor, logging_interval="step"))
    if issubclass(module, GRPOModule):
        chosen += map(_configured, (ReasoningMonitor, HostMemory, SampleGallery))
    if issubclass(module, ReasoningModule):
        chosen.append(_configured(ExportPolicy))
    if issubclass(module, GRPOModule):
        if issubclass(_data_of(given), TaskDataModule):
            chosen.append(_configured(BeforeAndAfter))
        chosen.append(_configured(TrainingCurves))
    return chosen


def _has_bar(trainer: Mapping[str, Any]) -> bool:
    """Whether the user has chosen another progress bar: there can only be one."""
    classes = [class_of(callback) for callback in _as_list(trainer.get("callbacks"))]
    others = [cls for cls in classes if cls is not None and cls is not TQDMProgressBar]
    return any(issubclass(cls, ProgressBar) for cls in others)


def _checkpoints(given: Mapping[str, Any]) -> list[Configured]:
    """The last one, and the best on split val where validation answers that."""
    trainer, module = given["trainer"], _module_of(given)
    folder = f"{trainer['default_root_dir']}/checkpoints"
    every = 50
    if issubclass(module, GRPOModule):
        # A batch of several updates is as many steps, and saved only when all are done.
        updates = _arguments(given["model"]).get("updates", 1)
        every = 25 * (updates if isinstance(updates, int) and updates > 0 else 1)
    steps = trainer.get("max_steps")
    if isinstance(steps, int) and 0 < steps < every:
        every = steps
    last = _configured(
        ModelCheckpoint,
        dirpath=folder,
        every_n_train_steps=every,
        save_top_k=0,
        save_last=True,
        # The one before is kept as previous-last.ckpt, and last.ckpt is the last.
        enable_version_counter=False,
    )
    metric = validation_metric(given)
    if metric is None:
        return [last]
    return [last, _configured(BestCheckpoint, monitor=metric, dirpath=folder)]


def validation_metric(given: Mapping[str, Any]) -> str | None:
    """The accuracy on split val, or None where validation answers only tests, or nothing.

    A test is no measure to choose by.
    """
    data, cls = given.get("data") or {}, _data_of(given)
    trains = issubclass(_module_of(given), ReasoningModule) and issubclass(cls, TaskDataModule)
    arguments = data.get("init_args") or {}
    validated = arguments.get("val_splits") or ["val"]
    if not trains or "val" not in validated or given["trainer"].get("limit_val_batches") == 0:
        return None
    own = class_of(arguments.get("task")) if isinstance(arguments.get("task"), dict) else None
    task = own.name or own.__name__ if own else getattr(cls, "task_name", None)  # type: ignore[attr-defined]
    return f"val/{task or 'general'}/val/accuracy"


def _as_list(given: Any) -> list[Any]:
    """What may be given alone or as a list."""
    return given if isinstance(given, list) else [given] if given else []


def _configured(cls: type, **arguments: Any) -> Configured:
    """By the package that exports the class, and not by its file."""
    package = cls.__module__.rpartition(".")[0]
    return {"class_path": f"{package}.{cls.__qualname__}", "init_args": arguments}
