"""`plan`: how much memory a run will take on each device, before weights are loaded."""

import argparse
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from reasonrft.cli.exit_codes import exit_code
from reasonrft.cli.fit_options import made
from reasonrft.cli.quiet import silence
from reasonrft.cli.training_cli import ReasonRFTCLI
from reasonrft.errors import BadInput
from reasonrft.planning.knobs import Knob, advice, knobs
from reasonrft.planning.plan_run import Plan, plan_run
from reasonrft.policy.hub_paths import without_weights

GIB = 2**30
ROOM = 0.95
"""Share of a device's memory that a plan may fill: allocators lose some between tensors."""
MOST_TRIED = 6
"""Knobs whose effect is computed; each takes as long as the plan itself."""
LEAST_GAIN = 0.98
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"([\d.]+)\s*([kmgt]?)i?b?", re.IGNORECASE)


@dataclass(frozen=True)
class Device:
    """What a run is planned for."""

    name: str
    gpu: bool
    memory: int


def run_plan(args: Sequence[str]) -> int:
    """`plan --config FILE ...`; returns the exit code."""
    silence()
    chosen, options = _parser().parse_known_args(list(args))
    return exit_code(_plan, chosen, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reasonrft plan",
        description="Predict the memory that fit will take, with the same configs and options.",
        usage="reasonrft plan --config FILE [options of fit] [--memory SIZE] [--json]",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--memory", metavar="SIZE", help="of each GPU, such as 80GiB; this machine's if not given")
    add("--worst-case", action="store_true", help="what limits allow, not what the data has")
    add("--json", action="store_true", help="print one JSON object instead of the table")
    return parser


def _plan(chosen: argparse.Namespace, options: list[str]) -> int:
    memory = None if chosen.memory is None else parse_size(chosen.memory)
    cli, plan, device = planned(options, memory, chosen.worst_case)
    fits = plan.peak <= ROOM * device.memory
    if not chosen.json:
        print(_table(plan, device, fits), flush=True)
    tried = [] if fits else _try(cli, plan, options, memory, chosen.worst_case)
    if chosen.json:
        print(json.dumps(_report(plan, device, fits, tried)))
    elif not fits:
        print(_advice(tried))
    return 0


def planned(
    options: Sequence[str], memory: int | None, worst_case: bool
) -> tuple[ReasonRFTCLI, Plan, Device]:
    """What the options make, its plan, and the device that this is for."""
    with without_weights():
        cli = made(["fit", *options])
        trainer = cli.config_init["fit"]["trainer"].as_dict()
        device = _device(str(trainer.get("accelerator") or "auto"), memory)
        plan = plan_run(cli.model, cli.datamodule, trainer, device.gpu, worst_case)
    if not device.gpu:
        # Processes of a machine share its memory.
        device = Device(device.name, False, device.memory // plan.ranks.devices)
    return cli, plan, device


def _device(accelerator: str, memory: int | None) -> Device:
    if accelerator != "cpu" and memory is not None:
        return Device("GPU", True, memory)
    if accelerator != "cpu" and torch.cuda.is_available():
        found = torch.cuda.get_device_properties(0)
        return Device(found.name, True, found.total_memory)
    here = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Device("CPU", False, here if memory is None else memory)


def parse_size(text: str) -> int:
    """Bytes in a size as people write it."""
    found = _SIZE.fullmatch(text.strip())
    try:
        size = float(found[1]) * _UNITS[found[2].lower()] if found else 0.0
    except ValueError:
        size = 0.0
    if not size > 0:
        raise BadInput(f"--memory is {text}: give a size such as 80GiB")
    return int(size)


def _try(
    cli: ReasonRFTCLI, plan: Plan, options: Sequence[str], memory: int | None, worst_case: bool
) -> list[tuple[Knob, int, bool]]:
    """Knobs turned one after the other until all fits: each with the peak then, and whether.

    One that brings next to nothing is left as it is.
    """
    turned: list[tuple[Knob, int, bool]] = []
    options, seen = list(options), set()
    for _ in range(MOST_TRIED):
        knob = next((knob for knob in _knobs(cli, plan) if knob not in seen), None)
        if knob is None:
            break
        seen.add(knob)
        other_cli, other, device = planned([*options, *knob.options], memory, worst_case)
        if other.peak > LEAST_GAIN * plan.peak:
            continue
        cli, plan, options = other_cli, other, [*options, *knob.options]
        turned.append((knob, plan.peak, plan.peak <= ROOM * device.memory))
        if turned[-1][2]:
            break
    return turned


def _knobs(cli: ReasonRFTCLI, plan: Plan) -> list[Knob]:
    accumulated = cli.config_init["fit"]["trainer"].get("accumulate_grad_batches") or 1
    data: Any = cli.datamodule
    sizes = (data.batch_size, data.eval_batch_size, plan.micro_batch, accumulated)
    return knobs(plan.peak_phase, cli.model, *sizes)


def _table(plan: Plan, device: Device, fits: bool) -> str:
    """Markdown: parts by phase, and the verdict."""
    phases = list(plan.phases)
    names = dict.fromkeys(name for parts in plan.phases.values() for name in parts)
    shown = sorted(names, key=lambda name: -max(p.get(name, 0) for p in plan.phases.values()))
    rows = [["GiB on each device", *phases]]
    rows += [[name, *(_gib(plan.phases[phase].get(name, 0)) for phase in phases)] for name in shown]
    rows.append(["**together**", *(_gib(sum(plan.phases[phase].values())) for phase in phases)])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---|" + "---:|" * len(phases))
    verdict = "fits" if fits else "does not fit"
    return "\n".join(
        [
            f"{plan.policy}: {_sizes(plan)} ({plan.prompts})",
            f"ranks: {_ranks(plan)}",
            "",
            *lines,
            "",
            f"The peak is {_gib(plan.peak)} GiB, in the phase {plan.peak_phase}. "
            f"On a {device.name} of {_gib(device.memory)} GiB it {verdict}.",
        ]
    )


def _gib(size: int) -> str:
    return f"{size / GIB:.2f}" if size < 100 * GIB else f"{size / GIB:,.0f}"


def _sizes(plan: Plan) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in plan.step.items())


def _ranks(plan: Plan) -> str:
    ranks = plan.ranks
    if ranks.total == 1:
        return "1"
    how = f"weights over {ranks.shards}" if ranks.kind == "fsdp" else "weights on each"
    return f"{ranks.total} ({ranks.nodes} x {ranks.devices}), {how}"


def _advice(turned: Sequence[tuple[Knob, int, bool]]) -> str:
    """What was turned, each on top of those before."""
    lines = [f"{knob}: then {_gib(peak)} GiB ({knob.effect})" for knob, peak, _ in turned]
    if turned and turned[-1][2]:
        return "\n".join([*lines, "With that it fits."])
    return "\n".join([*lines, f"That is not enough: {advice(None)}."])


def _report(
    plan: Plan, device: Device, fits: bool, tried: Sequence[tuple[Knob, int, bool]]
) -> dict[str, Any]:
    return {
        "policy": plan.policy,
        "prompts": plan.prompts,
        "step": dict(plan.step),
        "ranks": asdict(plan.ranks),
        "phases": {phase: dict(parts) for phase, parts in plan.phases.items()},
        "peak_phase": plan.peak_phase,
        "peak_bytes": plan.peak,
        "device": asdict(device),
        "fits": fits,
        "knobs": [
            {"options": list(knob.options), "peak_bytes": peak, "fits": enough}
            for knob, peak, enough in tried
        ],
    }
