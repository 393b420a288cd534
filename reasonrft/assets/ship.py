"""Makes a trained policy small enough to ship: its weights in bfloat16.

python -m reasonrft.assets.ship --policy outputs/tiny/pretrain/policy --output FOLDER
"""

from pathlib import Path

import torch
from jsonargparse import CLI

from reasonrft.policy.export_model import save_merged
from reasonrft.policy.policy import Policy


def ship(policy: str, output: str) -> None:
    """Write the folder anew.

    Args:
        policy: Folder that ExportPolicy wrote.
        output: Folder to write to.
    """
    trained = Policy(policy)
    trained.load()
    save_merged(trained.model.to(torch.bfloat16), trained.processor, Path(output))


if __name__ == "__main__":
    CLI(ship, as_positional=False)
