"""The vision-language model as this project sees it.

B rows, N completion tokens, L prompt tokens, H hidden width, C coordinates of a position,
V vocabulary.
"""

import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal, final

import torch
from torch import Tensor, nn

from reasonrft.errors import BadInput
from reasonrft.policy.adapter_folder import find_start
from reasonrft.policy.adapters import Lora, attach
from reasonrft.policy.base_digest import base_digest
from reasonrft.policy.collate import Inputs, Side, collate, to_device
from reasonrft.policy.encoder import Encoder, Prompt
from reasonrft.policy.fused_attention import is_fused
from reasonrft.policy.hub_paths import resolve
from reasonrft.policy.image_features import (
    PIXELS,
    ImageFeatureCache,
    ImageFeatures,
    as_encoder_output,
    takes_features,
    without_pixels,
)
from reasonrft.policy.last_layer import prune_last_layer
from reasonrft.policy.loading import load_model
from reasonrft.policy.parts import Part, freeze, parts_of, trained_on_images
from reasonrft.policy.processors import load_processor
from reasonrft.policy.scoring import scaled_logits, token_log_probs
from reasonrft.policy.sharding import join_weights
from reasonrft.policy.shared_prefix import register_attention, unsupported_reason
from reasonrft.policy.special_tokens import placeholder_ids, stop_ids

KEPT_LOGITS = 2**24
"""So many logits are kept for the backward pass; more are computed again."""


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
        image_memory: int = 512,
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
            min_pixels: Smaller images are enlarged to this many pixels.
            max_pixels: Larger images are reduced to this many pixels.
            revision: Branch, tag or commit on the hub.
            trust_remote_code: Run code that comes with the weights.
            train_parts: What is trained, or gets adapters: language, projector, tower.
            activation_checkpointing: Compute activations again in the backward pass.
            logit_chunk: Positions whose logits exist at the same time.
            image_memory: Megabytes of image features to keep over the whole run, where neither
                tower nor projector is trained.
        """
        super().__init__()
        start = find_start(path, adapter, revision)
        path, adapter, revision = start.path, start.adapter, start.revision
        if quantize and adapter is None:
            raise BadInput("quantize needs an adapter: weights in 4 bits cannot be trained")
        _check_sizes(min_pixels, max_pixels, logit_chunk, image_memory)
        if not train_parts:
            raise BadInput("train_parts names no part to train: language, projector and tower are")
        resolve(path)  # before data is drawn for a model that is not there
        self.path, self.adapter, self.quantize, self.dtype = path, adapter, quantize, dtype
        self.attention = attention
        self.min_pixels, self.max_pixels = min_pixels, max_pixels
        self.revision, self.trust_remote_code = revision, trust_remote_code
        self.train_parts = tuple(train_parts)
        self.activation_checkpointing = activation_checkpointing
        self.logit_chunk, self.image_memory = logit_chunk, image_memory
        self.image_features = ImageFeatureCache(image_memory)
        self._encoded_in_rows = 0
        self._attention_registered = False
        self._placeholder_mask: Tensor | None = None
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
        if self.model is None:
            self.prepare(load_model(*self.source, self.quantize))

    @property
    def source(self) -> tuple[str, str, str, str | None, bool]:
        """What the model is made from: path, type of weights, attention, revision, remote code."""
        return self.path, self.dtype, self.attention, self.revision, self.trust_remote_code

    def prepare(self, model: Any) -> None:
        """Take a model, and say what of it is trained."""
        self.model = model
        self._attention_registered = register_attention(self.model)
        # cuDNN plans its attention anew for every shape, and shapes are new in every step.
        torch.backends.cuda.enable_cudnn_sdp(False)
        if self.adapter is None:
            freeze(self.model, self.train_parts)
        else:
            attach(self.model, self.adapter, self.train_parts)
        if self.activation_checkpointing:
            self.model.activation_checkpointing_enable()
            self.model.enable_input_require_grads()
        if self._attention_registered:
            prune_last_layer(self.model)
        join_weights(self.model, trained_on_images(self.model))
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
    def head(self) -> Any:
        """The LM head, from hidden states to logits."""
        return self.model.get_output_embeddings()

    @property
    def uses_mrope(self) -> bool:
        """Whether positions have three coordinates (multimodal RoPE)."""
        return hasattr(self.model.model, "get_rope_index")

    @cached_property
    def supports_shared_prefix(self) -> bool:
        """Whether a prompt can be computed once for its completions; warns where it cannot."""
        if reason := unsupported_reason(self.model):
            warnings.warn(
                f"{self.path} is scored with one row for every completion, because {reason}",
                stacklevel=2,
            )
            return False
        return True

    @property
    def splits_attention(self) -> bool:
        """Whether attention itself can tell prompts from completions, without a mask."""
        return self.supports_shared_prefix and self._attention_registered

    @property
    def scores_in_parts(self) -> bool:
        """Whether scoring needs no mask over rows: fused kernels return what merges them."""
        decoder = self.model.get_decoder()
        drops = self.training and any(
            getattr(part, "attention_dropout", 0.0) for part in decoder.modules()
        )
        config = decoder.config
        width = getattr(config, "head_dim", 0) or config.hidden_size // config.num_attention_heads
        return self.splits_attention and not drops and is_fused(self.device, width)

    def positions(self, prompt: Prompt) -> Tensor:  # (C, L)
        """The position of each token of a prompt, as the model itself counts."""
        if not self.uses_mrope:
            return torch.arange(prompt.length)[None]
        wanted = ("input_ids", "mm_token_type_ids", "image_grid_thw")
        given = {name: prompt.inputs[name] for name in wanted if name in prompt.inputs}
        return self.model.model.get_rope_index(**given)[0][:, 0]

    def forward(self, **inputs: Any) -> Any:
        """Hidden states, without logits."""
        return self.model.model(**inputs)

    def encode_images(self, prompts: Sequence[Prompt]) -> list[ImageFeatures | None] | None:
        """The image features of each prompt, if they stay the same while training, else None."""
        counts = [len(prompt.problem.images) for prompt in prompts]
        if not self.vision_frozen:
            self._encoded_in_rows += sum(counts)
            return None
        with torch.no_grad():
            return [
                self.image_features.get(self.model, prompt.inputs, count, prompt.transient)
                for prompt, count in zip(prompts, counts, strict=True)
            ]

    @property
    def images_encoded(self) -> int:
        """How many images the vision tower has encoded so far."""
        return self.image_features.encoded + self._encoded_in_rows

    @cached_property
    def _trained(self) -> set[Part]:
        parts = parts_of(self.model)
        return {parts.part_of(n) for n, p in self.model.named_parameters() if p.requires_grad}

    @property
    def vision_frozen(self) -> bool:
        """Whether image features stay the same while training, and can be passed to the model."""
        return takes_features(self.model) and self._trained <= {"language"}

    def collate(
        self,
        rows: Sequence[Inputs],
        side: Side,
        features: Sequence[ImageFeatures | None] | None = None,
    ) -> dict[str, Any]:
        """Rows as one batch on the model's device, with image features in the place of pixels."""
        tokenizer = self.encoder.tokenizer
        pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        rows = [without_pixels(row) for row in rows] if features is not None else rows
        batch: dict[str, Any] = to_device(collate(rows, pad, side), self.device)
        if PIXELS in batch:
            batch[PIXELS] = batch[PIXELS].to(self.model.dtype)
        if features is not None and any(features):
            batch["mm_encoder_outputs"] = as_encoder_output(features)
        return batch

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a completion."""
        source = (self.path, self.processor, self.revision, self.trust_remote_code)
        return frozenset({*stop_ids(*source), self.encoder.end_of_turn[-1]})

    @cached_property
    def placeholders(self) -> list[int]:
        """Tokens that stand for images, which no completion may hold."""
        return list(placeholder_ids(self.model, self.processor))

    def placeholder_mask(self) -> Tensor:  # (V,)
        """Where in the vocabulary placeholders are."""
        if self._placeholder_mask is None or self._placeholder_mask.device != self.device:
            # What is made in inference mode could not be kept for a backward pass.
            with torch.inference_mode(False):
                mask = torch.zeros(self.head.weight.shape[0], dtype=torch.bool)
                mask[self.placeholders] = True
                self._placeholder_mask = mask.to(self.device)
        return self._placeholder_mask

    def token_log_probs(
        self, hidden: Tensor, targets: Tensor, temperature: float, as_sampled: bool = True
    ) -> tuple[Tensor, Tensor]:  # (N,), (N,)
        """Log-prob of each target after its hidden state (N, H), and the entropy there."""
        excluded = self.placeholder_mask() if as_sampled else None
        many = len(hidden) * self.head.weight.shape[0] > KEPT_LOGITS
        return token_log_probs(
            hidden, targets, self.head, temperature, excluded, self.logit_chunk, recompute=many
        )

    def next_log_probs(self, hidden: Tensor, temperature: float) -> Tensor:  # (B, V)
        """Log-probs of the token after each of these hidden states (B, H)."""
        mask = self.placeholder_mask()
        return scaled_logits(self.head(hidden), temperature, mask).log_softmax(-1)


def _check_sizes(
    min_pixels: int | None, max_pixels: int | None, logit_chunk: int, image_memory: int
) -> None:
    for name, pixels in (("min_pixels", min_pixels), ("max_pixels", max_pixels)):
        if pixels is not None and pixels < 1:
            raise BadInput(f"the policy's {name} must be at least 1, not {pixels}")
    if min_pixels and max_pixels and min_pixels > max_pixels:
        raise BadInput(f"min_pixels {min_pixels:,} must be at most max_pixels {max_pixels:,}")
    if logit_chunk < 1:
        raise BadInput(f"the policy's logit_chunk must be at least 1, not {logit_chunk}")
    if image_memory < 0:
        raise BadInput(f"the policy's image_memory must be at least 0, not {image_memory}")
