from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from reasonrft.assets import initial_model
from reasonrft.assets.tower_pretraining import (
    CELL_WORDS,
    IGNORED,
    CaptionPretraining,
    TowerPretraining,
)
from reasonrft.datamodules import DrawnProblems, GeneralDataModule, MixedProblems
from reasonrft.errors import BadInput
from reasonrft.policy import Policy
from reasonrft.worlds.perception.cells import COLUMNS, ROWS
from tests.datamodules.reading import quiet

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """A model like the one that ships, and smaller."""
    folder = tmp_path_factory.mktemp("start")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(initial_model, "_PROBLEMS", 1)
        initial_model.build(
            str(folder), hidden=32, layers=1, heads=2, stem=8, stages=(8, 16, 32), depth=1
        )
    return folder


@pytest.fixture(scope="module")
def problems(tmp_path_factory) -> Callable[..., MixedProblems]:
    folder = tmp_path_factory.mktemp("drawn")

    def mixed(count: int = 24) -> MixedProblems:
        tasks = ("counting", "structure", "transformation")
        options = {"folder": str(folder), "workers": 1}
        return MixedProblems(
            {
                task: DrawnProblems(f"perception-{task}", "tiny", count, 0, 1, **options)
                for task in tasks
            }
        )

    return mixed


def test_the_tower_learns_what_cells_show(start, problems, monkeypatch):
    monkeypatch.setattr("reasonrft.assets.tower_pretraining.MIN_CELLS", 5)
    policy = Policy(str(start), train_parts=("projector", "tower"))
    module = TowerPretraining(policy, lambda params: torch.optim.AdamW(params, 1e-2))
    losses = []
    module.on_before_optimizer_step = lambda optimizer: losses.append(
        float(module.trainer.callback_metrics.get("train/cell_loss", torch.tensor(float("nan"))))
    )
    data = GeneralDataModule(problems(), batch_size=12)
    before = {n: p.detach().clone() for n, p in _named(start)}
    quiet(max_epochs=8).fit(module, data)
    # One epoch is six batches; the very first loss is not yet logged.
    assert sum(losses[-6:]) < 0.9 * sum(losses[1:7])
    assert {"red", "cube", "metal"} <= module.words.keys()
    changed = {n for n, p in policy.named_parameters() if not torch.equal(p, before[n])}
    assert changed and all("vision_tower" in name or "projector" in name for name in changed)


def test_too_few_problems_are_refused(start, problems):
    module = TowerPretraining(Policy(str(start), train_parts=("projector", "tower")))
    with pytest.raises(BadInput, match="no word is in 50 cells"):
        quiet(max_steps=1).fit(module, GeneralDataModule(problems(2), batch_size=6))


def test_cells_are_the_models_own(start, problems):
    policy = Policy(str(start))
    policy.load()
    module = TowerPretraining(policy)
    source = problems(2)
    source.prepare(["train"])
    train = list(source.problems("train"))
    module.words = {"red": 0, "cube": 1, "A0": 2}
    batch = policy.encoder.prompts(train, ["?" for _ in train])
    # Two problems of each task, and two images for each transformation.
    assert module.encode_images(batch.prompts).shape == (8, ROWS * COLUMNS, 32)
    labels = module.cell_labels(batch.prompts, ROWS * COLUMNS)
    assert labels.shape == (8, ROWS * COLUMNS, CELL_WORDS)
    images = [cells for problem in train for cells in problem.meta["cells"]]
    for image, cells in zip(labels, images, strict=True):
        for cell in range(ROWS * COLUMNS):
            words = cells.get(str(cell), "").split()[:CELL_WORDS]
            known = [module.words.get(word, IGNORED) for word in words]
            assert image[cell].tolist() == known + [IGNORED] * (CELL_WORDS - len(words))


@pytest.mark.parametrize("row_tokens", [None, 500])
def test_captions_and_cells_train_the_tower(row_tokens, start, problems, monkeypatch):
    monkeypatch.setattr("reasonrft.assets.tower_pretraining.MIN_CELLS", 5)
    policy = Policy(str(start), train_parts=("language", "projector", "tower"))
    module = CaptionPretraining(
        policy, lambda params: torch.optim.AdamW(params, 0.0), row_tokens=row_tokens
    )
    seen = []
    cell_loss = module.cell_loss

    def watched(features, prompts):
        seen.append((features.detach(), prompts))
        return cell_loss(features, prompts)

    module.cell_loss = watched
    gradients = {}
    step = module.on_before_optimizer_step

    def kept(optimizer):
        step(optimizer)
        gradients.update({n: p.grad.clone() for n, p in module.named_parameters()})

    module.on_before_optimizer_step = kept
    quiet(max_steps=1).fit(module, GeneralDataModule(problems(), batch_size=6))
    features, prompts = seen[0]
    # The features are those of these prompts, in their order.
    tower = TowerPretraining(policy)
    assert torch.allclose(features, tower.encode_images(prompts), atol=1e-5)
    # The gradient is that of the mean over cells, beside the mean over tokens.
    module.zero_grad()
    log_probs = module.reader(features).unflatten(-1, (CELL_WORDS, -1)).log_softmax(-1)
    labels = module.cell_labels(prompts, ROWS * COLUMNS)
    chosen = log_probs.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    (-chosen[labels != IGNORED].mean()).backward()
    assert torch.allclose(module.reader[1].weight.grad, gradients["reader.1.weight"], atol=1e-6)
    assert gradients["policy.model.model.language_model.norm.weight"].norm() > 0


def _named(folder: Path):
    policy = Policy(str(folder))
    policy.load()
    return policy.named_parameters()
