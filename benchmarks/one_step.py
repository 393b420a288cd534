"""Prints one GRPO step of the tiny model, part by part: shapes and numbers of docs/method.md.

    python benchmarks/one_step.py

P prompts, G completions per prompt, N completion tokens in all.
"""

import torch

from reasonrft.losses import GRPOLoss, group_advantages
from reasonrft.modules.micro_batches import split
from reasonrft.policy import Policy, score
from reasonrft.policy.prefix_attention import plan_attention
from reasonrft.policy.scoring import lay_out
from reasonrft.rewards import AccuracyReward, FormatReward
from reasonrft.rewards.compute_rewards import compute_rewards, weighted_sum
from reasonrft.rollout import LocalEngine, Sampling
from reasonrft.tasks import find_task
from reasonrft.worlds import make_world

PROBLEMS = (0, 1)
GROUP_SIZE = 4


def main() -> None:
    torch.set_printoptions(precision=3, sci_mode=False, linewidth=100)
    policy = Policy("tiny-counting")
    policy.load()
    world, task = make_world("counting", "tiny", level=2), find_task("counting")
    problems = [world.problem("train", number) for number in PROBLEMS]
    batch = policy.encoder.prompts(problems, [task.prompt(problem) for problem in problems])
    show("prompt tokens", [prompt.length for prompt in batch.prompts])
    show("pixel_values", [list(prompt.inputs["pixel_values"].shape) for prompt in batch.prompts])

    sampling, engine = Sampling(max_tokens=128), LocalEngine()
    engine.sync(policy, version=0)
    rollout = engine.generate(batch, GROUP_SIZE, sampling, seed=0, step=0)
    show("work", dict(rollout.work))
    show("lengths (P, G)", rollout.lengths)
    for text, length in zip(rollout.texts[0], rollout.lengths[0].tolist(), strict=True):
        show(f"completion of {length} tokens", text if len(text) < 90 else f"{text[:87]}...")

    rewards = {"accuracy": AccuracyReward(), "format": FormatReward(weight=0.1)}
    values = compute_rewards(rewards, rollout, step=0)
    for name, value in values.items():
        show(f"reward {name} (P, G)", value)
    total = weighted_sum(values, rewards)
    show("total (P, G)", total)
    advantages = group_advantages(total)
    show("advantages (P, G)", advantages)

    loss = GRPOLoss()
    weights = loss.token_weights(rollout.lengths, torch.ones_like(total).bool(), 128)
    show("token weights (P, G)", weights)
    learned = (advantages != 0).any(1).nonzero().flatten().tolist()
    show("groups that are learned from", learned)
    (micro_batch,) = split(rollout, advantages, weights, learned, budget=4096)
    groups = micro_batch.groups
    layout = lay_out(
        groups, [policy.positions(group.prompt) for group in groups], [range(len(groups))]
    )
    show("shared row (B, S)", list(layout.completions.shape))
    show(
        "one row for each completion would be tokens",
        sum(len(g.completions) * g.prompt.length + sum(map(len, g.completions)) for g in groups),
    )
    show("predictors (N,)", list(layout.predictors.shape))
    attention = plan_attention(
        [group.prompt.length for group in groups],
        [[len(ids) for ids in group.completions] for group in groups],
        layout.starts,
        layout.completions.shape,
    )
    show("places of completions (P x G, T)", list(attention.completions.shape))
    show("rows of the last layer that are needed", list(attention.needed.shape))

    scores = score(policy, groups)
    show("log-probs (N,)", list(scores.log_probs.shape))
    difference = (scores.log_probs.detach() - micro_batch.rollout_log_probs).abs().max()
    show("largest difference from the rollout's", f"{difference.item():.1e}")
    output = loss(micro_batch.inputs(scores.log_probs))
    output.total.backward()
    trained = [value for value in policy.parameters() if value.requires_grad]
    norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
    show("loss", f"{output.total.item():.4f}")
    show("clip fraction", output.clip_fraction.item())
    show("norm of the gradient", f"{norm.item():.3f}")


def show(name: str, value: object) -> None:
    text = str(value)
    print(f"{name}:", f"\n{text}" if "\n" in text else text)


if __name__ == "__main__":
    main()
