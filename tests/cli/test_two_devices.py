"""Several processes, as the command line starts them."""

from tests.starting import Started

OPTIONS = {
    "trainer.accelerator": "cpu",
    "trainer.devices": 2,
    "trainer.max_steps": 2,
    "trainer.enable_progress_bar": "false",
    "data.source.train": 6,
    "data.source.val": 1,
    "data.source.test": 1,
    "data.source.workers": 1,
    "data.batch_size": 2,
    "model.beta": 0.04,
    "model.group_size": 4,
    "model.sampling.max_tokens": 4,
    "model.answer_tokens": 2,
}


def test_two_processes_train_and_leave_all_that_one_does(tmp_path):
    configs = ("grpo.yaml", "lora.yaml", "fsdp.yaml")
    args = [word for config in configs for word in ("--config", config)]
    args += [f"--{name}={value}" for name, value in OPTIONS.items()]
    started = Started(["fit", *args], tmp_path)
    printed = started.result()
    assert "2 processes" in started.text() + printed and "OOD-operation" in printed
    home = tmp_path / "outputs/grpo/counting"
    left = {path.relative_to(home).as_posix() for path in home.rglob("*")}
    assert left >= {
        "adapter/adapter_model.safetensors",
        "policy/model.safetensors",
        "checkpoints/last.ckpt/state.pt",
        "summary.json",
        "samples.html",
        "curves.png",
    }
