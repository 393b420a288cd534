"""A module around a policy: weights, optimizer, schedule, checkpoints and answers."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from reasonrft.checkpoints.loop_position import begin_epoch_anew, straighten
from reasonrft.distributed.local_optimizer import make_optimizer
from reasonrft.distributed.master_weights import MasterWeights, check_dtypes
from reasonrft.distributed.ranks import raise_on_all_ranks
from reasonrft.errors import BadInput
from reasonrft.evaluation.answers import Answers
from reasonrft.evaluation.weights import weights_digest
from reasonrft.modules.evaluation import EvaluatedModule
from reasonrft.modules.policy_checks import check_images_matter
from reasonrft.modules.schedules import Warmup
from reasonrft.policy.encoder import Encoder, PromptBatch
from reasonrft.policy.policy import Policy
from reasonrft.policy.scoring import Group
from reasonrft.policy.sharding import gather, reshard, shard
from reasonrft.rollout import LocalEngine, RolloutEngine, Sampling


class ReasoningModule(EvaluatedModule):
    """Trains a policy; what it learns from, and how, a subclass says in `training_step`."""

    def __init__(
        self,
        policy: Policy,
        optimizer: OptimizerCallable = lambda params: torch.optim.AdamW(params, lr=1e-5),
        scheduler: LRSchedulerCallable | None = None,
        master_weights: bool = False,
        engine: RolloutEngine | None = None,
        answer_tokens: int = 512,
        results: str | None = None,
        seed: int = 0,
        blind: bool = False,
        swap: bool = False,
    ) -> None:
        """
        Args:
            policy: The model to train or to test.
            optimizer: Class of the optimizer, and its arguments but the parameters.
            scheduler: Class of the learning rate's schedule, stepped with the optimizer.
            master_weights: Update float32 copies of weights that are held in bfloat16.
            engine: The rollout engine that answers in evaluation; the local one if not given.
            answer_tokens: Most tokens of an answer.
            results: Folder for answers and report; if not given, one below the trainer's
                default_root_dir, named after the policy and a hash of its weights.
            seed: Another seed is other randomness in training, such as dropout.
            blind: Let `test` also ask every question without its images.
            swap: Let `test` also ask every question with another problem's images.
        """
        super().__init__(answer_tokens, results, blind, swap)
        self.policy, self.optimizer, self.scheduler = policy, optimizer, scheduler
        self.engine, self.seed = engine or LocalEngine(), seed
        self.master_weights = master_weights
        if master_weights and (policy.adapter is not None or policy.dtype == "float32"):
            check_dtypes({torch.float32})  # before anything is loaded
        # Frozen weights are not in checkpoints; on_load_checkpoint makes sure of the others.
        self.strict_loading = False
        self._images_checked = False

    @property
    def encoder(self) -> Encoder:
        return self.policy.encoder

    def setup(self, stage: str) -> None:
        if self.trainer.precision in ("bf16-true", "16-true"):
            raise BadInput(
                f"precision {self.trainer.precision} converts batches, and prompts are none of "
                "numbers alone: use bf16-mixed"
            )

    def configure_model(self) -> None:
        self.policy.load()
        if self.device_mesh is not None:  # the strategy's, if it spreads weights over ranks
            shard(self.policy, self.device_mesh)
        self.policy.train()

    def configure_optimizers(self) -> Any:
        groups = weight_decay_groups(self)
        optimizer = make_optimizer(self.optimizer, groups, self.master_weights)
        if self.scheduler is None:
            return optimizer
        return [optimizer], [{"scheduler": self.scheduler(optimizer), "interval": "step"}]

    def on_train_start(self) -> None:
        # Lightning's own steps undo the scale before they clip; those of `take_step` do not.
        if not self.automatic_optimization and self.trainer.precision == "16-mixed":
            raise BadInput("16-mixed scales gradients before they are clipped: use bf16-mixed")
        begin_epoch_anew(self.trainer)
        # Asked for any earlier, the number of steps keeps Lightning from restoring the loader.
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, Warmup):
            scheduler.plan(int(self.trainer.estimated_stepping_batches))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Dropout is a function of seed and step, so that a resumed run drops the same.
        place = f"{self.seed}/{self.current_epoch}/{batch_idx}/{self.global_rank}"
        torch.manual_seed(int.from_bytes(hashlib.sha256(place.encode()).digest()[:7], "big"))

    def discard_step(self) -> None:
        """Forget what was added up since the last optimizer step, which is not taken."""
        self.zero_grad()

    def check_images(self, groups: Sequence[Group]) -> None:
        """Before the first update on images: the policy is not blind to them."""
        if self._images_checked:
            return
        gap = check_images_matter(self.policy, groups)
        if gap is not None:
            self._images_checked = True
            self.log("train/image_gap", gap, batch_size=max(1, len(groups)))

    def fill_gradients(self) -> list[nn.Parameter]:
        """All that the optimizer updates: trained weights, or their master weights.

        What nothing used has a gradient of zero: momentum goes on.
        """
        trained = [value for value in self.parameters() if value.requires_grad]
        for value in trained:
            if value.grad is None:
                value.grad = torch.zeros_like(value)
        for optimizer in self.trainer.optimizers:
            if isinstance(optimizer, MasterWeights):
                return optimizer.take_gradients()
        return trained

    def take_step(
        self, losses: Sequence[Tensor], ids: Sequence[str], max_grad_norm: float
    ) -> float:
        """One step of optimizer and schedule, with finite loss and gradient or not at all.

        For modules that do their own backward; returns the norm of the gradient.

        Args:
            losses: Those of this rank's micro-batches.
            ids: The problems of each.
            max_grad_norm: What the gradient is scaled down to.
        """
        optimizer: Any = self.optimizers()
        scheduler: Any = self.lr_schedulers()
        # A gathered weight would hide the update from the next forward.
        reshard(self.policy)
        trained = self.fill_gradients()
        clipped = gather(torch.nn.utils.clip_grad_norm_(trained, max_grad_norm))
        # The device is waited for here, and nowhere else in an update.
        *values, norm = torch.stack([*losses, clipped.to(self.device)]).tolist()
        with raise_on_all_ranks():
            for problems, value in zip(ids, values, strict=True):
                if not abs(value) < float("inf"):
                    raise self.stopped_by(f"the loss is {value}", [problems])
        if not abs(norm) < float("inf"):
            raise self.stopped_by(f"the norm of the gradient is {norm}", ids)
        optimizer.step()
        optimizer.zero_grad()
        if scheduler is not None:
            scheduler.step()
        return norm

    def stopped_by(self, what: str, ids: Sequence[str]) -> BadInput:
        return BadInput(
            f"step {self.global_step}: {what} on problems {', '.join(ids)}; the policy was not "
            "updated"
        )

    def answering(self) -> AbstractContextManager[None]:
        return self.engine.ready(self.policy, self.global_step)

    def answer(self, batch: PromptBatch, max_tokens: int) -> Answers:
        greedy = Sampling(temperature=0.0, max_tokens=max_tokens)
        rollout = self.engine.generate(batch, 1, greedy)
        return Answers(
            [texts[0] for texts in rollout.texts],
            rollout.lengths[:, 0].tolist(),
            (~rollout.stopped[:, 0]).tolist(),
        )

    def identity(self) -> dict[str, Any]:
        """The policy's path, a hash of the weights that it has now, and how it computes."""
        policy, engine = self.policy, self.engine
        identity = {
            "policy": policy.path,
            "weights": weights_digest(policy),
            "pixels": [policy.min_pixels, policy.max_pixels],
            "arithmetic": [policy.dtype, policy.quantize, self.trainer.precision],
        }
        return identity | ({} if engine.is_scorer else {"engine": type(engine).__name__})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep weights that are frozen out: they are those that the policy starts from.

        An adapter's checkpoint knows them by their digest.
        """
        # Statistics of batch norms are no weights, and move while they are trained.
        kept = {*trained_names(self), *(name for name, _ in self.named_buffers())}
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: state[name] for name in state if name in kept}
        checkpoint["base_digest"] = self.policy.base_digest

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        straighten(checkpoint["loops"]["fit_loop"], self.trainer.accumulate_grad_batches)
        trained = set(trained_names(self))
        if missing := sorted(trained - checkpoint["state_dict"].keys()):
            raise BadInput(
                f"the checkpoint does not hold {len(missing)} of the {len(trained)} weights that "
                f"this policy trains, such as {missing[0]}: it is another policy's"
            )
        for name, value in self.named_parameters():
            there = checkpoint["state_dict"].get(name, value).shape
            if name in trained and there != value.shape:
                raise BadInput(
                    f"the checkpoint's {name} has the shape {tuple(there)} and this policy's "
                    f"{tuple(value.shape)}: it is another policy's"
                )
        base = checkpoint.get("base_digest")
        if base and self.policy.base_digest and base != self.policy.base_digest:
            raise BadInput(
                f"the checkpoint holds an adapter of other weights than those of "
                f"{self.policy.path}: give the policy that it was trained with"
            )


def trained_names(module: nn.Module) -> Iterator[str]:
    """Names of the parameters that are trained; a weight that has two names has the first."""
    return (name for name, value in module.named_parameters() if value.requires_grad)


def weight_decay_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Trained parameters, those without weight decay apart: biases and scales of norms."""
    trained = [value for value in module.parameters() if value.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [value for value in trained if value.ndim > 1]},
        {"params": [value for value in trained if value.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
