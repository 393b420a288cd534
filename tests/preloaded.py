"""What takes long to import, for tests.starting to fork from; nothing here computes anything."""

import bitsandbytes  # noqa: F401
import peft  # noqa: F401
import pytest  # noqa: F401
import transformers.models.qwen3_vl.modeling_qwen3_vl
import transformers.models.qwen3_vl.processing_qwen3_vl  # noqa: F401

import reasonrft.cli.training_cli  # noqa: F401
import tests.starting  # noqa: F401
