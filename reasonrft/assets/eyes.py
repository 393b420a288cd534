"""Learning to see: what each cell of a picture shows, before there is any language and beside it.

P pictures in a batch, N cells of each, S words of a cell, H width of the language model, W words.
"""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from reasonrft.errors import BadInput
from reasonrft.modules.base import ReasoningModule
from reasonrft.modules.sft import SFTModule
from reasonrft.policy.encoder import Example, Prompt, PromptBatch
from reasonrft.policy.scoring import pack

OFTEN = 50
"""Cells that a word must be in to be learned."""
SAID = 6
"""Words of a cell that are learned: as many as an object's place and attributes."""
UNTAUGHT = -100
"""What stands for a word that a cell lacks, or that is too rare to be learned."""


class CellReader(ReasoningModule):
    """Holds tower and projector to the words of each cell, by one linear layer on top.

    Words that stand at the same place of a cell's sentence, such as all colours, exclude each
    other. Cells that show nothing are not taught: where they were, the eyes learned within a few
    steps that most cells are empty, and little else for thousands of pictures.
    """

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
        if not often:
            raise BadInput(
                f"there is nothing to learn to see: no word is in {OFTEN} cells of the problems of "
                "train; draw more of them, of a perception world"
            )
        self.words = {word: number for number, word in enumerate(often)}

    def configure_model(self) -> None:
        super().configure_model()
        width = self.policy.model.config.get_text_config().hidden_size
        self.reader = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, SAID * len(self.words)))

    def cell_loss(self, features: Tensor, prompts: Sequence[Prompt]) -> Tensor:
        """How unlikely the words of all cells (P, N, H) are read; the mean over words."""
        found = self.reader(features).unflatten(-1, (SAID, -1))  # (P, N, S, W)
        true = self.told(prompts, features.shape[1]).to(found.device)
        loss = cross_entropy(found.flatten(0, 2), true.flatten(), ignore_index=UNTAUGHT)
        read = (found.argmax(-1) == true)[true != UNTAUGHT].float().mean()
        self.log("train/cells", loss, prog_bar=True)
        self.log("train/read", read, prog_bar=True)
        return loss

    def told(self, prompts: Sequence[Prompt], count: int) -> Tensor:  # (P, N, S)
        """Which words are in which of so many cells, in the order in which they are said."""
        pictures = [cells for prompt in prompts for cells in prompt.problem.meta["cells"]]
        true = torch.full((len(pictures), count, SAID), UNTAUGHT)
        for picture, cells in enumerate(pictures):
            for cell, said in cells.items():
                words = [self.words.get(word, UNTAUGHT) for word in said.split()[:SAID]]
                true[picture, int(cell), : len(words)] = torch.tensor(words)
        return true


class EyesModule(CellReader):
    """Learns to see, and nothing else.

    Captions alone teach this slowly: until places are bound to words, most of what a caption's
    gradient says to the tower is noise.
    """

    learns_from = "prompts"

    def training_step(self, batch: PromptBatch, batch_idx: int) -> Tensor:
        return self.cell_loss(self.see(batch.prompts), batch.prompts)

    def see(self, prompts: Sequence[Prompt]) -> Tensor:  # (P, N, H)
        """The features of all cells, picture by picture and row by row."""
        pixels = torch.cat([prompt.inputs["pixel_values"] for prompt in prompts])
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        seen = self.policy.model.model.get_image_features(pixels.to(self.device), return_dict=True)
        return seen.pooler_output


class CaptionsModule(CellReader, SFTModule):
    """Learns to tell what it sees, and goes on learning to see."""

    def training_step(self, batch: list[Example], batch_idx: int) -> Tensor:
        seen: list[Tensor] = []
        projector = self.policy.model.model.multi_modal_projector
        hook = projector.register_forward_hook(lambda *call: seen.append(call[-1]))
        told = super().training_step(batch, batch_idx)
        hook.remove()
        cells = self.cell_loss(torch.cat(seen), [example.prompt for example in self._rows(batch)])
        # The sum over tokens becomes their mean before the optimizer steps.
        tokens = sum(len(example.response) for example in batch)
        return told + tokens * cells

    def _rows(self, batch: list[Example]) -> list[Example]:
        """The examples in the order in which rows show their pictures."""
        if self.row_tokens is None:
            return batch
        rows = pack([example.length for example in batch], self.row_tokens)
        return [batch[item] for row in rows for item in row]
