"""R3 by hand, and held to a plain implementation."""

import math

import pytest
import torch
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.modules.policy_rewards import Scorer, compute_policy_rewards
from reasonrft.policy import Policy
from reasonrft.rewards import ReasoningReflectionReward
from reasonrft.rewards.reasoning_reflection import reflection_rewards
from reasonrft.rollout import Completion, Rollout
from tests.conftest import problem as asked
from tests.policy.plain_scoring import plain_log_probs
from tests.policy.problems import ragged

CHAINS = {
    # With its chain, and what is put before the true answer.
    "<think>\none\n</think>\n<answer>\n9\n</answer>": "<think>\none\n</think>\n<answer>\n",
    "<THINK>a</THINK> so <answer>9</answer>": "<THINK>a</THINK>\n<answer>\n",
    "a </think> b </think><answer>9": "a </think> b </think>\n<answer>\n",
    "<think>the <answer>9</answer>": "<think>the \n</think>\n<answer>\n",
    "It is nine.\n": "It is nine.\n</think>\n<answer>\n",
    "naïve ★": "naïve ★\n</think>\n<answer>\n",
    "": "\n</think>\n<answer>\n",
}


@pytest.fixture(scope="module")
def policy(family_folder) -> Policy:
    policy = Policy(str(family_folder("qwen3-vl")))
    policy.load()
    return policy


def rollout_of(policy: Policy, texts: list[str]) -> Rollout:
    """The same completions of prompts with 0 to 3 images."""
    batch = ragged(policy)
    ids = [policy.encoder.response_ids(text) for text in texts]
    completions = [Completion(own, torch.zeros(len(own)), True) for own in ids]
    count = len(batch)
    return Rollout(batch, [completions] * count, [texts] * count, 0)


def test_tokens_weigh_as_they_deviate():
    # Deviations: log 2 (of +-log 2), 0 and 2 log 2: weights 1/3, 0, 2/3.
    log2 = math.log(2)
    log_probs = torch.tensor([[-log2, -9.0, -log2], [-3 * log2, -9.0, -5 * log2]])
    expected = [-log2, (-3 - 10) / 3 * log2]
    assert reflection_rewards(log_probs).tolist() == pytest.approx(expected)
    # The largest deviation is 2 log 2 = 1.39.
    assert reflection_rewards(log_probs, 1.38).tolist() == pytest.approx(expected)
    alike = reflection_rewards(log_probs, 1.39)
    assert alike.tolist() == pytest.approx([sum(expected) / 2] * 2) and alike[0] == alike[1]


def test_without_deviation_all_tokens_weigh_the_same():
    assert reflection_rewards(torch.tensor([[-1.0, -2.0]])).tolist() == [-1.5]
    assert reflection_rewards(torch.tensor([[-1.0, -2.0]] * 3)).tolist() == [-1.5] * 3


def test_the_true_answer_takes_the_place_of_the_own_one(policy):
    encoder, reward = policy.encoder, ReasoningReflectionReward()
    ids = [torch.tensor(encoder.text_ids(text), dtype=torch.long) for text in CHAINS]
    found = reward.continuations(encoder, "47 cm", ids, list(CHAINS))
    assert [encoder.decode(one.given) for one in found] == list(CHAINS.values())
    assert {encoder.decode(one.asked) for one in found} == {"47 cm\n</answer>"}
    assert all(torch.equal(one.asked, found[0].asked) for one in found)
    # What was sampled of the chain stays as it was sampled.
    assert torch.equal(found[0].given[:20], ids[0][:20])


def test_a_chain_ends_in_the_middle_of_a_token():
    """Tokenizers join what ends a tag to the line that follows."""

    class Joining:
        """A token for each word, with the spaces and the sign before it."""

        words = ("a", "</think", ">\n", "<answer", ">", "\n", ">\n4", "4", "</answer>")

        def decode(self, ids: Tensor) -> str:
            return "".join(self.words[token] for token in ids)

        def text_ids(self, text: str) -> list[int]:
            ids = []
            while text:
                token = max((w for w in self.words if text.startswith(w)), key=len)
                ids.append(self.words.index(token))
                text = text.removeprefix(token)
            return ids

    encoder, reward = Joining(), ReasoningReflectionReward()
    (one,) = reward.continuations(
        encoder, "4", [torch.tensor([0, 1, 2, 3, 4, 5])], ["a</think>\n<answer>\n"]
    )
    # The lead's ">\n" is one token with the answer.
    assert encoder.decode(one.given) == "a</think>\n<answer"
    assert encoder.decode(one.asked) == ">\n4\n</answer>"
    assert one.given[:2].tolist() == [0, 1]


def test_rewards_equal_those_of_a_plain_implementation(policy):
    texts = list(CHAINS)[:5]
    rollout, reward = rollout_of(policy, texts), ReasoningReflectionReward()
    for budget in (10_000, 1):
        scorer = Scorer(policy, 1.0, budget)
        shared = compute_policy_rewards({"r3": reward}, rollout, scorer, 0)["r3"]
        assert shared.shape == (4, 5) and not policy.model.lm_head.weight.grad
        for row, (prompt, values) in enumerate(zip(rollout.batch.prompts, shared, strict=True)):
            answer = policy.encoder.text_ids("1\n</answer>")
            chains = [policy.encoder.text_ids(CHAINS[text]) for text in texts]
            with torch.no_grad():
                dense = [
                    plain_log_probs(policy, prompt, torch.tensor(chain + answer))[-len(answer) :]
                    for chain in chains
                ]
            log_probs = torch.stack(dense).double()
            centered = log_probs - log_probs.mean(0)
            deviations = centered.square().mean(0).sqrt()
            expected = (log_probs * deviations / deviations.sum()).sum(1)
            assert expected.std() > 0.01
            assert (values - expected).abs().max() < 1e-5, row
        lengths = [len(chain) + len(answer) for chain in chains]
        prompts = sum(prompt.length for prompt in rollout.batch.prompts)
        assert scorer.tokens == prompts + 4 * sum(lengths)


def test_it_asks_the_policy_and_nobody_else():
    with pytest.raises(BadInput, match="asks the policy, which is there in training alone"):
        ReasoningReflectionReward()([["a"]], [asked("3")])


class Infinite(ReasoningReflectionReward):
    def reward_rollout(self, rollout, scorer, step):
        return [torch.tensor([0.0, -torch.inf])] * len(rollout.problems)


def test_what_is_no_number_is_named(policy):
    rollout = rollout_of(policy, ["a", "b"])
    with pytest.raises(BadInput, match=r"reward 'r3' must give each of 2 .* 'p0' .*\[0.0, -inf\]"):
        compute_policy_rewards({"r3": Infinite()}, rollout, Scorer(policy, 1.0, 100), 0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"template": "answer"}, "the template 'answer' has no {answer} for the true answer"),
        ({"min_deviation": -1.0}, "min_deviation must be a number of at least 0, not -1.0"),
        ({"weight": math.nan}, "weight of ReasoningReflectionReward must be a finite number"),
    ],
)
def test_what_makes_no_sense_is_refused(options, sentence):
    with pytest.raises(BadInput, match=sentence):
        ReasoningReflectionReward(**options)
