"""Pretraining of the tiny model's vision tower: what each cell of an image shows, in words.

Shapes: P images in a batch, N cells of each, S words of a cell, H width of the language model,
W words that can be learned.
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

MIN_CELLS = 50
"""A word is learned if at least so many cells of the training problems hold it."""
CELL_WORDS = 6
"""Words of a cell that are learned: enough for an object's position and attributes."""
IGNORED = -100
"""Label of a word that a cell lacks, or that is too rare to be learned."""


class CellReader(ReasoningModule):
    """Trains tower and projector to predict the words of each cell with one linear layer.

    Words at the same place in a cell's sentence, such as all colours, are the classes of one
    softmax. Empty cells are not in the loss: with them, the model learned within a few steps that
    most cells are empty, and little else for thousands of images.
    """

    def setup(self, stage: str) -> None:
        super().setup(stage)
        counts = Counter(
            word
            for problem in self.trainer.datamodule.problems["train"]  # type: ignore[attr-defined]
            for cells in problem.meta["cells"]
            for words in cells.values()
            for word in words.split()
        )
        frequent = sorted(word for word, count in counts.items() if count >= MIN_CELLS)
        if not frequent:
            raise BadInput(
                f"no word is in {MIN_CELLS} cells of the train problems: draw more problems of a "
                "perception world"
            )
        self.words = {word: number for number, word in enumerate(frequent)}

    def configure_model(self) -> None:
        super().configure_model()
        width = self.policy.model.config.get_text_config().hidden_size
        outputs = CELL_WORDS * len(self.words)
        self.reader = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))

    def cell_loss(self, features: Tensor, prompts: Sequence[Prompt]) -> Tensor:
        """Cross entropy of the cells' words given their features (P, N, H); mean over words."""
        logits = self.reader(features).unflatten(-1, (CELL_WORDS, -1))  # (P, N, S, W)
        labels = self.cell_labels(prompts, features.shape[1]).to(logits.device)
        loss = cross_entropy(logits.flatten(0, 2), labels.flatten(), ignore_index=IGNORED)
        accuracy = (logits.argmax(-1) == labels)[labels != IGNORED].float().mean()
        self.log("train/cell_loss", loss, prog_bar=True)
        self.log("train/cell_accuracy", accuracy, prog_bar=True)
        return loss

    def cell_labels(self, prompts: Sequence[Prompt], count: int) -> Tensor:  # (P, N, S)
        """The words of each of `count` cells per image, as numbers, in their order."""
        images = [cells for prompt in prompts for cells in prompt.problem.meta["cells"]]
        labels = torch.full((len(images), count, CELL_WORDS), IGNORED)
        for image, cells in enumerate(images):
            for cell, words in cells.items():
                numbers = [self.words.get(word, IGNORED) for word in words.split()[:CELL_WORDS]]
                labels[image, int(cell), : len(numbers)] = torch.tensor(numbers)
        return labels


class TowerPretraining(CellReader):
    """Trains on the words of cells alone.

    Captions alone train the tower slowly: until positions are bound to words, most of the gradient
    of a caption is noise to the tower.
    """

    learns_from = "prompts"

    def training_step(self, batch: PromptBatch, batch_idx: int) -> Tensor:
        return self.cell_loss(self.encode_images(batch.prompts), batch.prompts)

    def encode_images(self, prompts: Sequence[Prompt]) -> Tensor:  # (P, N, H)
        """The features of all cells, image by image and row by row."""
        pixels = torch.cat([prompt.inputs["pixel_values"] for prompt in prompts])
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        model = self.policy.model.model
        return model.get_image_features(pixels.to(self.device), return_dict=True).pooler_output


class CaptionPretraining(CellReader, SFTModule):
    """Trains on captions and answers, and on the words of cells beside them."""

    def training_step(self, batch: list[Example], batch_idx: int) -> Tensor:
        caption_loss = super().training_step(batch, batch_idx)
        prompts = [example.prompt for example in self._in_row_order(batch)]
        cell_loss = self.cell_loss(self.features, prompts)
        # SFTModule returns a sum over tokens and divides by their number before the optimizer step.
        tokens = sum(len(example.response) for example in batch)
        return caption_loss + tokens * cell_loss

    def negative_log_likelihood(self, examples: list[Example]) -> Tensor:  # (N,)
        """As in SFTModule; keeps the projected image features of this forward pass."""
        features: list[Tensor] = []
        projector = self.policy.model.model.multi_modal_projector
        hook = projector.register_forward_hook(lambda *call: features.append(call[-1]))
        losses = super().negative_log_likelihood(examples)
        hook.remove()
        self.features = torch.cat(features)
        return losses

    def _in_row_order(self, batch: list[Example]) -> list[Example]:
        """The examples in the order in which packed rows hold their images."""
        if self.row_tokens is None:
            return batch
        rows = pack([example.length for example in batch], self.row_tokens)
        return [batch[item] for row in rows for item in row]
