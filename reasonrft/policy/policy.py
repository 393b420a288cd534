"""The vision-language model as this project sees it.

P prompts, B rows, L prompt tokens, C coordinates of a position, V vocabulary.
"""

import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, final

import torch
from torch import Tensor, nn

from reasonrft.errors import BadInput
from reasonrft.policy.adapter_folder import find_start
from reasonrft.policy.adapters import Lora, attach
from reasonrft.policy.attention import open_attention
from reasonrft.policy.base_digest import base_digest
from reasonrft.policy.batching import Inputs, Side, join
from reasonrft.policy.checkpoints import resolve
from reasonrft.policy.encoding import Encoder, Prompt
from reasonrft.policy.export import save_adapter, save_merged
from reasonrft.policy.loading import load_model
from reasonrft.policy.logits import scaled_logits
from reasonrft.policy.parts import Part, freeze, parts_of
from reasonrft.policy.pictures import (
    PIXELS,
    Sight,
    Sights,
    as_output,
    takes_features,
    without_pixels,
)
from reasonrft.policy.processors import load_processor
from reasonrft.policy.sharing import sharing_fault
from reasonrft.policy.tokens import placeholder_ids, stop_ids


@final
class Policy(nn.Module):
    """A Hugging Face image-text-to-text model, trained in full or through an adapter."""

    def __init__(
        self,
        path: str,
        adapter: Lora | None = None,
        quantize: Literal["nf4"] | None = None,
        dtype: Literal["auto", "float32", "bfloat16", "float16"] = "float32",
        attention: str = "sdpa",
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        revision: str | None = None,
        trust_remote_code: bool = False,
        train_parts: Sequence[Part] = ("language",),
        activation_checkpointing: bool = False,
        logit_chunk: int = 1024,
        picture_memory: int = 512,
    ) -> None:
        """
        Args:
            path: Name on the Hugging Face hub, folder, or tiny: the model that ships. The folder of
                an adapter stands for its base and for that adapter, which is trained further.
            adapter: Train LoRA weights instead of the model's own.
            quantize: Hold the language model's weights in 4 bits (QLoRA); needs an adapter.
            dtype: Type of the weights.
            attention: Implementation of attention: sdpa, which computes nothing for a group that a
                mask would hide, eager, flash_attention_2.
            min_pixels: Smaller pictures are enlarged to this many pixels.
            max_pixels: Larger pictures are reduced to this many pixels.
            revision: Branch, tag or commit on the hub.
            trust_remote_code: Run code that comes with the weights.
            train_parts: What is trained, or gets adapters: language, projector, tower.
            activation_checkpointing: Compute activations again in the backward pass.
            logit_chunk: Positions whose logits exist at the same time.
            picture_memory: Megabytes of pictures' features to remember over the whole run, where
                neither tower nor projector is trained.
        """
        super().__init__()
        start = find_start(path, adapter, revision)
        path, adapter, revision = start.path, start.adapter, start.revision
        if quantize and adapter is None:
            raise BadInput("quantize needs an adapter: weights in 4 bits cannot be trained")
        _check_sizes(min_pixels, max_pixels, logit_chunk, picture_memory)
        if not train_parts:
            raise BadInput("train_parts names no part to train: language, projector and tower are")
        resolve(path)  # before data is drawn for a model that is not there
        self.path, self.adapter, self.quantize, self.dtype = path, adapter, quantize, dtype
        self.attention = attention
        self.min_pixels, self.max_pixels = min_pixels, max_pixels
        self.revision, self.trust_remote_code = revision, trust_remote_code
        self.train_parts = tuple(train_parts)
        self.activation_checkpointing = activation_checkpointing
        self.logit_chunk = logit_chunk
        self.sights = Sights(picture_memory)
        self._seen_in_rows = 0
        self._open_attention = False
        self.model: Any = None

    @cached_property
    def processor(self) -> Any:
        return load_processor(
            self.path,
            self.revision,
            self.min_pixels,
            self.max_pixels,
            self.trust_remote_code,
        )

    @cached_property
    def encoder(self) -> Encoder:
        """The processor as loader workers use it; it needs no weights."""
        return Encoder(self.processor)

    def load(self) -> None:
        """Read the weights, once."""
        if self.model is not None:
            return
        self.model = load_model(
            self.path,
            self.dtype,
            self.attention,
            self.revision,
            self.trust_remote_code,
            self.quantize,
        )
        self._open_attention = open_attention(self.model)
        if self.adapter is None:
            freeze(self.model, self.train_parts)
        else:
            attach(self.model, self.adapter, self.train_parts)
        if self.activation_checkpointing:
            self.model.activation_checkpointing_enable()
            self.model.enable_input_require_grads()
        self.train()

    def train(self, mode: bool = True) -> "Policy":
        """Training mode; a tower that is not trained stays out of it, and its batch norms fixed."""
        super().train(mode)
        if mode and self.model is not None and "tower" not in self._trained:
            self.model.get_submodule(parts_of(self.model).tower).eval()
        return self

    @cached_property
    def base_digest(self) -> str:
        """A hash of the weights under an adapter, which checkpoints of the adapter keep."""
        return base_digest(self.model) if self.adapter else ""

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def head(self) -> nn.Module:
        """What turns hidden states into logits."""
        return self.model.get_output_embeddings()

    @property
    def counts_in_3d(self) -> bool:
        """Whether positions have three coordinates (multimodal RoPE)."""
        return hasattr(self.model.model, "get_rope_index")

    @cached_property
    def shares_rows(self) -> bool:
        """Whether completions can share a row with their prompt; says so where they cannot."""
        if fault := sharing_fault(self.model):
            warnings.warn(
                f"{self.path} takes a row for every completion, for {fault}", stacklevel=2
            )
            return False
        return True

    @property
    def shares_attention(self) -> bool:
        """Whether attention itself can tell prompts from completions, without a mask."""
        return self.shares_rows and self._open_attention

    def positions(self, prompt: Prompt) -> Tensor:  # (C, L)
        """The position of each token of a prompt, as the model itself counts."""
        if not self.counts_in_3d:
            return torch.arange(prompt.length)[None]
        wanted = ("input_ids", "mm_token_type_ids", "image_grid_thw")
        given = {name: prompt.inputs[name] for name in wanted if name in prompt.inputs}
        return self.model.model.get_rope_index(**given)[0][:, 0]

    def forward(self, **inputs: Any) -> Any:
        """Hidden states, without logits."""
        return self.model.model(**inputs)

    def look(self, prompts: Sequence[Prompt]) -> list[Sight | None] | None:
        """What is seen of each prompt's pictures, if that stays the same while training."""
        counts = [len(prompt.problem.images) for prompt in prompts]
        if not self._eyes_are_fixed:
            self._seen_in_rows += sum(counts)
            return None
        with torch.no_grad():
            return [
                self.sights.look(self.model, prompt.inputs, count)
                for prompt, count in zip(prompts, counts, strict=True)
            ]

    @property
    def pictures_seen(self) -> int:
        """How many pictures the tower has encoded so far."""
        return self.sights.encoded + self._seen_in_rows

    @cached_property
    def _trained(self) -> set[Part]:
        parts = parts_of(self.model)
        return {parts.part_of(n) for n, p in self.model.named_parameters() if p.requires_grad}

    @property
    def _eyes_are_fixed(self) -> bool:
        return takes_features(self.model) and self._trained <= {"language"}

    def join(
        self, rows: Sequence[Inputs], side: Side, sights: Sequence[Sight | None] | None = None
    ) -> dict[str, Any]:
        """Rows as one batch on the model's device, with what is seen in the place of pixels."""
        tokenizer = self.encoder.tokenizer
        pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        rows = [without_pixels(row) for row in rows] if sights is not None else rows
        joined: dict[str, Any] = {
            name: value.to(self.device) for name, value in join(rows, pad, side).items()
        }
        if PIXELS in joined:
            joined[PIXELS] = joined[PIXELS].to(self.model.dtype)
        if sights is not None and any(sights):
            joined["mm_encoder_outputs"] = as_output(sights)
        return joined

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a completion."""
        source = (self.path, self.processor, self.revision, self.trust_remote_code)
        return frozenset({*stop_ids(*source), self.encoder.end_of_turn[-1]})

    @cached_property
    def _placeholders(self) -> list[int]:
        return list(placeholder_ids(self.model, self.processor))

    def banned(self) -> Tensor:  # (V,)
        """Tokens that stand for pictures, which no completion may hold."""
        vocabulary = self.model.get_output_embeddings().weight.shape[0]
        banned = torch.zeros(vocabulary, dtype=torch.bool, device=self.device)
        banned[self._placeholders] = True
        return banned

    def next_log_probs(self, hidden: Tensor, temperature: float) -> Tensor:  # (B, V)
        """What may come after each of these hidden states (B, H)."""
        return scaled_logits(self.head(hidden), temperature, self.banned()).log_softmax(-1)

    def save(self, folder: Path) -> None:
        """Write an adapter for plain peft, or the whole model for plain transformers."""
        if self.adapter is None:
            save_merged(self.model, self.processor, folder)
        else:
            save_adapter(self.model, folder)


def _check_sizes(
    min_pixels: int | None, max_pixels: int | None, logit_chunk: int, picture_memory: int
) -> None:
    for name, pixels in (("min_pixels", min_pixels), ("max_pixels", max_pixels)):
        if pixels is not None and pixels < 1:
            raise BadInput(f"the policy's {name} must be at least 1, not {pixels}")
    if min_pixels and max_pixels and min_pixels > max_pixels:
        raise BadInput(f"min_pixels {min_pixels:,} must be at most max_pixels {max_pixels:,}")
    if logit_chunk < 1:
        raise BadInput(f"the policy's logit_chunk must be at least 1, not {logit_chunk}")
    if picture_memory < 0:
        raise BadInput(f"the policy's picture_memory must be at least 0, not {picture_memory}")
