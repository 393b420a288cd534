"""`distill`: sample a policy's own answers, and keep those that it is to learn from."""

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from reasonrft.cli.exit_codes import exit_code
from reasonrft.cli.interrupts import ended_by_signals
from reasonrft.cli.quiet import silence
from reasonrft.distillation.choose_chains import Choice
from reasonrft.errors import BadInput, check_at_least, printable

BASE = "configs/distill.yaml"


def run_distill(args: Sequence[str]) -> int:
    """`distill --policy NAME --config FILE --output FILE`; returns the exit code."""
    silence()
    chosen, options = _parser().parse_known_args(list(args))
    with ended_by_signals():
        return exit_code(_distill, chosen, options)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """In one sentence, without the usage."""
        print(f"reasonrft: {printable(message)}; --help lists the options", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="reasonrft distill",
        description="Sample answers to every problem, keep right, short and diverse ones, and "
        "write a file to fine-tune on. One process samples.",
        usage="reasonrft distill --policy NAME --config FILE --output FILE [options] "
        "[options of fit, such as --data.limit 100]",
        allow_abbrev=False,
    )
    add, yes = parser.add_argument, argparse.BooleanOptionalAction
    add("--output", metavar="FILE", help="of chains, one JSON line each; samples stay beside it")
    add("--pairs", metavar="FILE", help="write right answers against wrong ones too, for DPO")
    add("--samples", type=int, default=8, help="answers to each problem (default 8)")
    add("--split", default="train", help="whose problems are asked (default train)")
    add("--seed", type=int, default=0, help="another seed is other samples (default 0)")
    add("--temperature", type=float, help="default 1, or that of the config's sampling")
    add("--top-p", type=float, help="default 1, or that of the config's sampling")
    add("--max-tokens", type=int, help="default 512, or that of the config's sampling")
    add("--keep", type=int, default=2, help="most chains of a problem (default 2)")
    share = "choose from this share of a problem's right answers, the shortest (default 0.5)"
    add("--shortest", metavar="SHARE", type=float, default=0.5, help=share)
    add("--longest", metavar="TOKENS", type=int, help="keep no longer chains than this")
    same = "leave out chains that share so many of their runs of three words (default 0.8)"
    add("--similar", metavar="SHARE", type=float, default=0.8, help=same)
    add("--blind", action=yes, default=True, help="sample as often without the images")
    lucky = "leave out problems that are right without images as often, or if so given, at all"
    modes = ("as-often", "any")
    add("--drop-lucky", nargs="?", const="as-often", choices=modes, help=lucky)
    add("--image-root", metavar="FOLDER", help="name images by their path there, and copy none")
    return parser


def _distill(chosen: argparse.Namespace, options: list[str]) -> int:
    output, pairs = _outputs(chosen)
    check_at_least(1, samples=chosen.samples)
    if chosen.drop_lucky and not chosen.blind:
        raise BadInput("--drop-lucky needs answers without images: leave --no-blind out")
    choice = Choice(chosen.keep, chosen.shortest, chosen.longest, chosen.similar, chosen.drop_lucky)
    _check_names(options)
    _check_alone()
    from reasonrft.distillation.distill import beside, distill
    from reasonrft.distillation.distill_report import told

    sampler = _sampler(chosen, options)
    root = Path(chosen.image_root) if chosen.image_root else None
    report = distill(sampler, choice, output, pairs, root)
    if sampler.too_long:
        ids = ", ".join(problem.id for problem in sampler.too_long[:3])
        limit = f"data.max_tokens={sampler.data.max_tokens:,}"
        print(f"{len(sampler.too_long):,} problems are longer than {limit} and left out: {ids}")
    print(told(report))
    written = [output, *([pairs] if pairs else []), beside(output, "report.json")]
    samples = beside(output, "samples.jsonl")
    print(f"written: {', '.join(map(str, written))} (all samples: {samples})")
    return 0


def _outputs(chosen: argparse.Namespace) -> tuple[Path, Path | None]:
    if not chosen.output:
        raise BadInput("give --output FILE, such as chains.jsonl")
    output, pairs = Path(chosen.output), Path(chosen.pairs) if chosen.pairs else None
    for flag, path in (("--output", output), ("--pairs", pairs)):
        if path is not None and (path.suffix != ".jsonl" or path.is_dir()):
            raise BadInput(f"{flag} is {path}: name a file that ends in .jsonl")
    if pairs is not None and pairs.resolve() == output.resolve():
        raise BadInput(f"--output and --pairs are both {output}: name two files")
    if pairs is not None and pairs.parent.resolve() != output.parent.resolve():
        raise BadInput(f"--pairs is {pairs}: images are shared, so name a file beside {output}")
    return output, pairs


def _check_names(options: Sequence[str]) -> None:
    """A name that is nearly one of this command's is not one of fit's."""
    own = [flag for action in _parser()._actions for flag in action.option_strings]
    for option in options:
        name = option.partition("=")[0]
        near = difflib.get_close_matches(name, own, 1, 0.8) if "." not in name else []
        if name.startswith("--") and near and name not in _OF_FIT:
            raise BadInput(f"there is no option {name}; did you mean {near[0]}?")


_OF_FIT = ("--config", "--policy", "--problems", "--name", "--endpoint", "--model", "--data")


def _check_alone() -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise BadInput(
            "distill is one process: start it without torchrun, and for several devices start "
            "vLLM servers (docs/engines.md)"
        )


def _sampler(chosen: argparse.Namespace, options: Sequence[str]) -> Any:
    """What samples, made of a configuration as fit makes its own."""
    from reasonrft.cli.fit_options import made
    from reasonrft.distillation.sample_problems import ProblemSampler

    cli = made(["fit", f"--config={BASE}", *options])
    return ProblemSampler(
        _who(cli, chosen),
        cli.datamodule,
        chosen.split,
        chosen.samples,
        chosen.seed,
        chosen.blind,
    )


def _who(cli: Any, chosen: argparse.Namespace) -> Any:
    from reasonrft.distillation.samplers import EndpointSampler, PolicySampler
    from reasonrft.modules import EndpointModule, GRPOModule
    from reasonrft.rollout import Sampling

    module, names = cli.model, ("temperature", "top_p", "max_tokens")
    given = {name: getattr(chosen, name) for name in names if getattr(chosen, name) is not None}
    if isinstance(module, EndpointModule):
        sampling = Sampling(max_tokens=module.answer_tokens)
        return EndpointSampler(module.endpoint, _of(sampling, given, chosen.samples))
    if not isinstance(module, GRPOModule):
        raise BadInput(
            f"distill samples as stage 2 does, and {type(module).__name__} does not: give a config "
            "of data alone, or overlays of grpo.yaml"
        )
    module.sampling = _of(module.sampling, given, chosen.samples)
    return PolicySampler(module, str(cli.config_init["fit"]["trainer"].get("accelerator")))


def _of(sampling: Any, given: dict[str, Any], samples: int) -> Any:
    changed = replace(sampling, **given)
    if changed.temperature == 0 and samples > 1:
        raise BadInput(f"at temperature 0 all {samples} samples are the same: raise it")
    return changed
