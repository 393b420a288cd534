"""What Lightning trains and evaluates."""

from reasonrft.modules.base import ReasoningModule
from reasonrft.modules.dpo import DPOModule
from reasonrft.modules.endpoint import EndpointModule
from reasonrft.modules.grpo import GRPOModule
from reasonrft.modules.schedules import WarmupCosine, WarmupLinear
from reasonrft.modules.sft import SFTModule

__all__ = [
    "DPOModule",
    "EndpointModule",
    "GRPOModule",
    "ReasoningModule",
    "SFTModule",
    "WarmupCosine",
    "WarmupLinear",
]
