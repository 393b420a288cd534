"""The trained policy as a folder that other tools load."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from reasonrft.callbacks.run_state import is_dry_run
from reasonrft.policy.export_model import save_adapter, save_merged
from reasonrft.policy.policy import Policy
from reasonrft.policy.sharding import reshard


class ExportPolicy(Callback):
    """Writes the trained policy for plain transformers, and an adapter for plain peft."""

    def __init__(self, merge: bool = True) -> None:
        """
        Args:
            merge: Write the whole model also where an adapter was trained, which is added in.
        """
        self.merge = merge

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        policy = getattr(pl_module, "policy", None)
        if is_dry_run(trainer) or not isinstance(policy, Policy):
            return
        reshard(policy)
        home = Path(trainer.default_root_dir)
        if policy.adapter is not None:
            save_adapter(policy.model, home / "adapter")
            rank_zero_info(f"adapter: {home / 'adapter'}")
        if policy.adapter is None or self.merge:
            save_merged(policy.model, policy.processor, home / "policy")
            rank_zero_info(f"policy: {home / 'policy'}")
