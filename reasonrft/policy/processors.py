"""A family's processor of text and images, which needs no torchvision."""

import sys
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from PIL import Image
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoProcessor,
    AutoTokenizer,
    ProcessorMixin,
)
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING, processor_class_from_name
from transformers.utils import is_torchvision_available

from reasonrft.errors import BadInput
from reasonrft.policy.hub_paths import opening, resolve


def load_processor(
    path: str,
    revision: str | None = None,
    min_pixels: int | None = None,
    max_pixels: int | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """Tokenizer, chat template and image processor in one, resizing to these pixel limits."""
    path = resolve(path)
    source = {"revision": revision, "trust_remote_code": trust_remote_code}
    with opening(path):
        processor = _load(path, source)
    processor.chat_template = processor.chat_template or processor.tokenizer.chat_template
    if not processor.chat_template:
        raise BadInput(
            f"{path} has no chat template, so it is not known how to ask it: give the instruct "
            "version, or add a chat_template.jinja"
        )
    if min_pixels is not None or max_pixels is not None:
        _limit(path, processor.image_processor, min_pixels, max_pixels)
    return processor


def _load(path: str, source: dict[str, Any]) -> Any:
    config = AutoConfig.from_pretrained(path, **source)
    if "AutoProcessor" in (getattr(config, "auto_map", None) or {}):
        return AutoProcessor.from_pretrained(path, **source)
    settings, _ = ProcessorMixin.get_processor_dict(path, revision=source["revision"])
    # Pillow resizes on every machine, for with torchvision there the pixels would differ.
    image_processor = AutoImageProcessor.from_pretrained(path, backend="pil", **source)
    tokenizer = AutoTokenizer.from_pretrained(path, **source)
    if tokenizer.vocab_size < 16:  # what transformers makes where the files are missing
        raise BadInput(f"{path} has no vocabulary: it needs a tokenizer.json or what it stands for")
    family = _family(path, config, settings, image_processor, tokenizer)
    given = {"image_processor": image_processor, "tokenizer": tokenizer}
    arguments = [given.get(name) for name in family.get_attributes()]
    return image_only(family).from_args_and_dict(arguments, settings)


def _family(path: str, config: Any, settings: Any, image_processor: Any, tokenizer: Any) -> Any:
    """The class that the checkpoint names; Pixtral's is not the one of its architecture."""
    name = (
        settings.get("processor_class")
        or getattr(image_processor, "_processor_class", None)
        or tokenizer.init_kwargs.get("processor_class")
    )
    kinds: Any = PROCESSOR_MAPPING
    found = processor_class_from_name(name) if name else kinds.get(type(config), None)
    if name == "PixtralProcessor" and not is_torchvision_available():
        found = _pixtral_processor()
    if found is None or not issubclass(found, ProcessorMixin):
        raise BadInput(f"{path} has no processor of text and images that transformers knows")
    return found


def _pixtral_processor() -> Any:
    """Pixtral's module wants one function of a torchvision module; its Pillow module has it too."""
    place = "transformers.models.pixtral"
    wanted = f"{place}.image_processing_pixtral"
    sys.modules[wanted] = import_module(f"{place}.image_processing_pil_pixtral")
    try:
        return import_module(f"{place}.processing_pixtral").PixtralProcessor
    finally:
        del sys.modules[wanted]


@cache
def image_only(family: Any) -> Any:
    """A processor class without its parts for video and sound, which want other libraries."""
    names = [name for name in family.get_attributes() if name in ("image_processor", "tokenizer")]
    content = {
        "get_attributes": classmethod(lambda cls: names),
        "__reduce__": lambda self: (_restore, (family, self.__dict__)),
        "__module__": family.__module__,
        "video_processor": SimpleNamespace(num_frames=None, fps=None),  # SmolVLM asks it
    }
    return type(family.__name__, (family,), content)


def _restore(family: Any, state: dict[str, Any]) -> Any:
    """Unpickle: a class that is made at run time has no name to be found by."""
    made = image_only(family)
    processor = made.__new__(made)
    processor.__dict__.update(state)
    return processor


def _limit(path: str, image_processor: Any, min_pixels: int | None, max_pixels: int | None) -> None:
    options = getattr(type(image_processor), "valid_kwargs", None)
    if "max_pixels" not in getattr(options, "__annotations__", {}):
        kind = type(image_processor).__name__
        raise BadInput(
            f"{path} cannot have min_pixels or max_pixels: its {kind} resizes by other rules, "
            "which its preprocessor_config.json sets"
        )
    size = image_processor.size
    least, most = min_pixels or size["shortest_edge"], max_pixels or size["longest_edge"]
    if not 0 < least <= most:
        raise BadInput(f"min_pixels {least:,} must be positive and at most max_pixels {most:,}")
    image_processor.size = {"shortest_edge": least, "longest_edge": most}


def seen_size(image_processor: Any, size: tuple[int, int]) -> tuple[int, int]:
    """To which width and height an image of this size is resized, the whole of it."""
    pixels = dict(image_processor(images=[Image.new("RGB", size)], return_tensors="pt"))
    if "image_grid_thw" in pixels:  # Qwen's: rows of patches
        _, rows, columns = pixels["image_grid_thw"][0].tolist()
        return columns * image_processor.patch_size, rows * image_processor.patch_size
    shape = tuple(pixels["pixel_values"].shape)
    altered = [name for name in ("do_center_crop", "do_pad") if getattr(image_processor, name, 0)]
    if len(shape) != 4 or shape[0] != 1 or altered:
        raise BadInput(
            f"{type(image_processor).__name__} cuts or pads images, so that its model has no "
            "pixels to count: ask for boxes in thousandths (--data.task GroundingTask "
            "--data.task.coordinates thousandths)"
        )
    return shape[3], shape[2]
