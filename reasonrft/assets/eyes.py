"""Learning to see: what each cell of a picture shows, before there is any language and beside it.

N cells of all pictures in a batch, H width of the language model, W words.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from reasonrft.modules.base import ReasoningModule
from reasonrft.modules.sft import SFTModule
from reasonrft.policy.encoding import Example, Prompt, PromptBatch

OFTEN = 50
"""Cells that a word must be in to be learned."""


class CellReader(ReasoningModule):
    """Holds tower and projector to the words of each cell, by one linear layer on top."""

    def setup(self, stage: str) -> None:
        super().setup(stage)
        counts = Counter(
            word
            for problem in self.trainer.datamodule.problems["train"]  # type: ignore[attr-defined]
            for cells in problem.meta["cells"]
            for said in cells.values()
            for word in said.split()
        )
        often = sorted(word for word, count in counts.items() if count >= OFTEN)
        self.words = {word: number for number, word in enumerate(often)}

    def configure_model(self) -> None:
        super().configure_model()
        width = self.policy.model.config.get_text_config().hidden_size
        self.reader = nn.Linear(width, len(self.words))
        nn.init.constant_(self.reader.bias, -4.0)  # most words are in few cells

    def cell_loss(self, features: Tensor, prompts: Sequence[Prompt]) -> Tensor:
        """How far the words that are read in all cells (N, H) are from those that are there."""
        found = self.reader(features)  # (N, W)
        true = self.told(prompts).to(found)
        loss = binary_cross_entropy_with_logits(found, true, reduction="sum") / len(true)
        hits = ((found > 0) & (true > 0)).sum()
        self.log("train/cells", loss, prog_bar=True)
        self.log("train/recall", hits / true.sum())
        self.log("train/precision", hits / (found > 0).sum().clamp_min(1))
        return loss

    def told(self, prompts: Sequence[Prompt]) -> Tensor:  # (N, W)
        """Which words are in which cells."""
        merge = self.policy.model.config.vision_config.spatial_merge_size
        rows = []
        for prompt in prompts:
            grids = prompt.inputs["image_grid_thw"].prod(-1) // merge**2
            for count, cells in zip(grids.tolist(), prompt.problem.meta["cells"], strict=True):
                true = torch.zeros(count, len(self.words))
                for cell, said in cells.items():
                    known = [self.words[word] for word in said.split() if word in self.words]
                    true[int(cell), known] = 1
                rows.append(true)
        return torch.cat(rows)


class EyesModule(CellReader):
    """Learns to see, and nothing else.

    Captions alone teach this slowly: until places are bound to words, most of what a caption's
    gradient says to the tower is noise.
    """

    learns_from = "prompts"

    def training_step(self, batch: PromptBatch, batch_idx: int) -> Tensor:
        return self.cell_loss(self.see(batch.prompts), batch.prompts)

    def see(self, prompts: Sequence[Prompt]) -> Tensor:  # (N, H)
        """The features of all cells, picture by picture and row by row."""
        pictures: dict[str, Any] = {
            name: torch.cat([prompt.inputs[name] for prompt in prompts]).to(self.device)
            for name in ("pixel_values", "image_grid_thw")
        }
        seen = self.policy.model.model.get_image_features(**pictures, return_dict=True)
        return torch.cat(seen.pooler_output)


class CaptionsModule(CellReader, SFTModule):
    """Learns to tell what it sees, and goes on learning to see; a row for every example."""

    def training_step(self, batch: list[Example], batch_idx: int) -> Tensor:
        seen: list[Tensor] = []
        tower = self.policy.model.model.visual
        hook = tower.register_forward_hook(lambda *call: seen.append(call[-1].pooler_output))
        told = super().training_step(batch, batch_idx)
        hook.remove()
        cells = self.cell_loss(torch.cat(seen), [example.prompt for example in batch])
        # The sum over tokens becomes their mean before the optimizer steps.
        tokens = sum(len(example.response) for example in batch)
        return told + tokens * cells
