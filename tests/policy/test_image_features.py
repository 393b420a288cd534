import pytest
import torch

from reasonrft.policy import Policy, score
from reasonrft.policy.image_features import ImageFeatureCache, takes_features
from reasonrft.rollout import Sampling
from tests.policy.families import FAMILIES
from tests.policy.problems import generate, groups_of, ragged

SEEING = [name for name in FAMILIES if name != "mllama"]


@pytest.mark.parametrize("family", SEEING)
def test_features_stand_for_pixels(family, family_folder):
    folder = str(family_folder(family))
    frozen = Policy(folder)
    trained = Policy(folder, train_parts=("language", "projector"))
    frozen.load()
    trained.load()
    batch = ragged(frozen)
    groups = groups_of(batch, generate(frozen, batch, 2, Sampling(max_tokens=5)))
    assert (
        frozen.encode_images(batch.prompts) is not None
        and trained.encode_images(batch.prompts) is None
    )
    for shared in (False, True) if family != "gemma3" else (False,):
        remembered = score(frozen, groups, shared=shared).log_probs
        seen_anew = score(trained, groups, shared=shared).log_probs
        torch.testing.assert_close(remembered, seen_anew, atol=1e-5, rtol=0)


def test_families_that_take_pixels_alone_are_told_apart(family_folder):
    policy = Policy(str(family_folder("mllama")))
    policy.load()
    assert not takes_features(policy.model)


def test_the_oldest_is_forgotten_first(family_folder):
    policy = Policy(str(family_folder("qwen3-vl")))
    policy.load()
    prompts = ragged(policy).prompts
    policy.encode_images(prompts)
    needed = [features.bytes for features in policy.encode_images(prompts) if features is not None]
    assert policy.images_encoded == 6
    small = ImageFeatureCache(0)
    small.free_bytes = sum(needed) - 1
    for number in (0, 1, 2, 2, 1, 0):
        small.get(policy.model, prompts[number].inputs, 1)
    # Room for two of three: the third drives out the first, and that one comes back in the end.
    assert small.encoded == 4
    assert small.free_bytes >= 0
