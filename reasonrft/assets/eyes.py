"""Learning to see: what each cell of a picture shows, before there is any language.

N cells of all pictures in a batch, H width of the language model, W words.
"""

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from reasonrft.modules.base import ReasoningModule
from reasonrft.policy.encoding import PromptBatch

OFTEN = 50
"""Cells that a word must be in to be learned."""


class EyesModule(ReasoningModule):
    """Trains tower and projector to find the words of each cell, by one linear layer on top.

    Captions alone teach this slowly: until places are bound to words, most of what a caption's
    gradient says to the tower is noise.
    """

    learns_from = "prompts"

    def setup(self, stage: str) -> None:
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

    def training_step(self, batch: PromptBatch, batch_idx: int) -> Tensor:
        found = self.reader(self.see(batch))  # (N, W)
        true = self.told(batch).to(found)
        loss = binary_cross_entropy_with_logits(found, true, reduction="sum") / len(true)
        hits = ((found > 0) & (true > 0)).sum()
        self.log("train/loss", loss, prog_bar=True)
        self.log("train/recall", hits / true.sum(), prog_bar=True)
        self.log("train/precision", hits / (found > 0).sum().clamp_min(1), prog_bar=True)
        return loss

    def see(self, batch: PromptBatch) -> Tensor:  # (N, H)
        """The features of all cells, picture by picture and row by row."""
        pictures: dict[str, Any] = {
            name: torch.cat([prompt.inputs[name] for prompt in batch.prompts]).to(self.device)
            for name in ("pixel_values", "image_grid_thw")
        }
        seen = self.policy.model.model.get_image_features(**pictures, return_dict=True)
        return torch.cat(seen.pooler_output)

    def told(self, batch: PromptBatch) -> Tensor:  # (N, W)
        """Which words are in which cells."""
        merge = self.policy.model.config.vision_config.spatial_merge_size
        rows = []
        for prompt in batch.prompts:
            grids = prompt.inputs["image_grid_thw"].prod(-1) // merge**2
            for count, cells in zip(grids.tolist(), prompt.problem.meta["cells"], strict=True):
                true = torch.zeros(count, len(self.words))
                for cell, said in cells.items():
                    known = [self.words[word] for word in said.split() if word in self.words]
                    true[int(cell), known] = 1
                rows.append(true)
        return torch.cat(rows)
