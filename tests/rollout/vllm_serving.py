"""A real HTTP server that speaks vLLM's protocol, with a small policy behind it."""

import base64
import io
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from reasonrft.policy import Group, Lora, Policy, PromptBatch
from reasonrft.policy.adapters import SETTINGS, WEIGHTS
from reasonrft.policy.encoder import Prompt
from reasonrft.policy.loading import load_model
from reasonrft.policy.scoring import score
from reasonrft.problems import Problem
from reasonrft.rollout import Completion, LocalEngine, Sampling

Answer = tuple[int, Any]
NOT_FOUND: Answer = 404, {"detail": "Not Found"}

ONE_AT_A_TIME = threading.Lock()
"""For all servers of a process: transformers does not load two models at once."""


@cache
def base_model(path: str) -> Any:
    """Read once: servers start again and again."""
    policy = Policy(path)
    policy.load()
    return policy.model


@dataclass
class Manner:
    """How a server was started, and how it behaves."""

    lora: bool = True
    dev_mode: bool = True
    scale_out: bool = True
    scaled: bool = True
    """--logprobs-mode processed_logprobs"""
    longest: int = 4096
    delay: float = 0.0
    """Seconds before completions are answered."""
    silence: float = 0.0
    """Seconds before anything else is."""
    broken: int = 0
    """How many of the next completions are answered with 503."""
    key: str = ""
    pixels: dict[str, Any] | None = None
    """Other limits of its processor."""
    tower_adapters: bool = True
    """--enable-tower-connector-lora"""


class VLLMServer:
    """One server on a port of its own, which can be stopped and started again."""

    def __init__(self, folder: Path, manner: Manner | None = None) -> None:
        self.folder, self.manner = str(folder), manner or Manner()
        self.bodies: list[dict[str, Any]] = []
        """Of requests for completions."""
        self.calls: list[str] = []
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """As a process that begins: it knows the weights of its model alone."""
        self.base = self._serve(self.folder, base_model(self.folder))
        self.adapters: dict[str, Policy] = {}
        self.version = "default"
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._http.daemon_threads = True
        self.port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _serve(self, path: str, model: Any, adapter: Lora | None = None) -> Policy:
        policy = Policy(path, adapter, **(self.manner.pixels or {}))
        policy.prepare(model)
        return policy

    def get(self, path: str) -> Answer:
        time.sleep(self.manner.silence)
        if path == "/health":
            return 200, ""
        if path == "/v1/models":
            base = {"id": "base", "root": self.folder, "max_model_len": self.manner.longest}
            return 200, {"data": [base, *({"id": name} for name in self.adapters)]}
        if path == "/weight_info" and self.manner.dev_mode:
            return 200, {"weight_version": self.version}
        return NOT_FOUND

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        if path == "/inference/v1/generate":
            time.sleep(self.manner.delay)
        with ONE_AT_A_TIME:
            self.calls.append(path)
            if path == "/inference/v1/generate":
                return self._generate(body)
            if path == "/tokenize":
                tokenizer, special = self.base.processor.tokenizer, body["add_special_tokens"]
                return 200, {"tokens": tokenizer.encode(body["prompt"], add_special_tokens=special)}
            if path.endswith("lora_adapter"):
                return self._adapter(path, **body) if self.manner.lora else NOT_FOUND
            if self.manner.dev_mode:
                return self._develop(path, body)
        return NOT_FOUND

    def _adapter(self, path: str, lora_name: str, lora_path: str = "") -> Answer:
        if path == "/v1/unload_lora_adapter":
            there = self.adapters.pop(lora_name, None)
            return (200, "gone") if there else _error(404, f"'{lora_name}' cannot be found.")
        if lora_name in self.adapters:
            return _error(400, f"The lora adapter '{lora_name}' has already been loaded.")
        with TemporaryDirectory() as folder:
            copy_adapter(Path(lora_path), Path(folder))
            model = deepcopy(base_model(self.folder))
            served = self._serve(self.folder, model, Lora(path=folder))
        self.adapters[lora_name] = served
        if not self.manner.tower_adapters:
            for name, value in served.named_parameters():
                if "visual" in name and ".lora_B" in name:
                    value.data.zero_()
        return 200, "Success"

    def _develop(self, path: str, body: dict[str, Any]) -> Answer:
        if path == "/collective_rpc" and body["method"] == "reload_weights":
            path = body["kwargs"]["weights_path"]
            self.base = self._serve(path, load_model(path, "float32"))
        elif path == "/update_weight_version":
            self.version = body["new_version"]
        return 200, {"success": True}

    def _generate(self, body: dict[str, Any]) -> Answer:
        if not self.manner.scale_out:
            return _error(403, "Restart vllm serve with --enable-scale-out to enable them.")
        if self.manner.broken:
            self.manner.broken -= 1
            return _error(503, "busy")
        self.bodies.append(body)
        name = body["model"]
        policy = self.base if name == "base" else self.adapters.get(name)
        if policy is None:
            return _error(404, f"The model `{name}` does not exist.")
        prompt = _prompt(policy, body)
        if "prompt_logprobs" in body["sampling_params"]:
            choice = {"index": 0, "token_ids": [1], "logprobs": None, "finish_reason": "length"}
            return 200, {"choices": [choice], "prompt_logprobs": _of_prompt(policy, prompt)}
        completions = self._sample(policy, prompt, body["sampling_params"])
        choices = [_choice(*pair, self.version) for pair in enumerate(completions)]
        return 200, {"choices": choices, "prompt_token_ids": prompt.ids.tolist()}

    def _sample(self, policy: Policy, prompt: Prompt, params: dict[str, Any]) -> list[Completion]:
        engine = LocalEngine()
        engine.sync(policy, 0)
        names = ("temperature", "top_p", "top_k", "min_p", "max_tokens")
        sampling = Sampling(**{name: params[name] for name in names})
        batch = PromptBatch([prompt])
        (group,) = engine.generate(batch, params["n"], sampling, params["seed"]).completions
        if self.manner.scaled:
            return list(group)
        groups = [Group(prompt, [completion.ids for completion in group])]
        with torch.no_grad():
            raw = score(policy, groups, 1.0, as_sampled=False).log_probs
        lengths = [len(completion.ids) for completion in group]
        pairs = zip(group, raw.split(lengths), strict=True)
        return [replace(completion, log_probs=own) for completion, own in pairs]


def copy_adapter(source: Path, target: Path) -> None:
    """Without what it says of its base: a server takes an adapter of any."""
    shutil.copyfile(source / SETTINGS, target / SETTINGS)
    save_file(load_file(source / WEIGHTS), target / WEIGHTS)


def _prompt(policy: Policy, body: dict[str, Any]) -> Prompt:
    """Tokens with one placeholder for each image, and the images, as a processor would have them.

    In the manner of Qwen's families.
    """
    images = [
        _image(part["image_url"]["url"] if "image_url" in part else part["url"])
        for part in body.get("content_parts", ())
    ]
    processor, ids = policy.processor, body["token_ids"]
    inputs: dict[str, Any] = {}
    if images:
        text = [processor.image_token * len(images)]
        inputs = dict(processor(text=text, images=[images], return_tensors="pt"))
        sizes = inputs["image_grid_thw"].prod(-1) // processor.image_processor.merge_size**2
        counts = iter(sizes.tolist())
        ids = [
            token
            for short in ids
            for token in [short] * (next(counts) if short == processor.image_token_id else 1)
        ]
    tokens = torch.tensor([ids])
    inputs["input_ids"], inputs["attention_mask"] = tokens, torch.ones_like(tokens)
    inputs["mm_token_type_ids"] = (tokens == processor.image_token_id).long()
    shown = tuple(b"" for _ in images)
    return Prompt(Problem("served", "general", shown, "", ""), "", inputs)


@torch.no_grad()
def _of_prompt(policy: Policy, prompt: Prompt) -> list[dict[str, Any] | None]:
    """How likely each token of a request is: at temperature 1, and nothing is banned."""
    _, *ids = prompt.ids.tolist()
    log_probs = policy.model(**prompt.inputs).logits[0].log_softmax(-1)
    rows = zip(log_probs, ids, strict=False)
    return [None, *({str(token): {"logprob": float(row[token])}} for row, token in rows)]


def _image(url: str) -> Image.Image:
    kind, _, data = url.partition(";base64,")
    assert kind == "data:image/png"
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def _choice(number: int, completion: Completion, version: str) -> dict[str, Any]:
    ids, log_probs = completion.ids.tolist(), completion.log_probs.tolist()
    content = [{"token_id": i, "logprob": p} for i, p in zip(ids, log_probs, strict=True)]
    return {
        "index": number,
        "token_ids": ids,
        "logprobs": {"content": content},
        "finish_reason": "stop" if completion.stopped else "length",
        "weight_versions": [{"version": version, "start": 0, "end": len(ids)}],
    }


def _error(status: int, message: str) -> Answer:
    return status, {"error": {"message": message, "code": status}}


def _handler(server: VLLMServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(server.get(self.path))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"] or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            self._answer(server.post(self.path, body or {}))

        def _answer(self, answer: Answer) -> None:
            status, content = answer
            if server.manner.key not in self.headers.get("Authorization", ""):
                status, content = 401, {"error": "Unauthorized"}
            data = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def handle(self) -> None:
            with suppress(OSError):  # whoever asked may have stopped listening
                super().handle()

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def vllm_server(folder: Path, **manner: Any) -> Iterator[VLLMServer]:
    """Serve until the block ends."""
    server = VLLMServer(folder, Manner(**manner))
    try:
        yield server
    finally:
        server.stop()
