"""Whether completions can share a row with their prompt in a given model."""

from typing import Any


def sharing_fault(model: Any) -> str | None:
    """Why the model cannot be scored in shared rows, or None if it can."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or getattr(config, "sliding_window", None):
        return f"its layers are {', '.join(sorted(kinds | _window(config)))}"
    if getattr(config, "cross_attention_layers", None):
        return "its pictures come in by cross-attention, outside the row"
    if getattr(config, "attn_logit_softcapping", None):
        return "its attention is soft-capped"
    if getattr(config, "use_bidirectional_attention", None):
        return "its attention runs both ways"
    return None


def _window(config: Any) -> set[str]:
    window = getattr(config, "sliding_window", None)
    return {f"sliding windows of {window}"} if window else set()
