"""Real vLLM servers on the CPU, which tests start, kill and start again."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2

PYTHON = os.environ.get("VLLM_PYTHON", "")
"""The interpreter that vLLM is installed for."""

SECONDS = 300.0
"""Until a server answers; alone on two cores it takes 20."""

OPTIONS = {
    "--dtype": "float32",
    "--max-model-len": "1024",
    "--max-num-seqs": "64",
    "--kv-cache-memory-bytes": "64M",
    "--limit-mm-per-prompt": '{"image": 2, "video": 0}',
    "--logprobs-mode": "processed_logprobs",
    "--distributed-executor-backend": "uni",
    "--host": "127.0.0.1",
}
SWITCHES = ["--enforce-eager", "--skip-mm-profiling", "--enable-scale-out"]
ADAPTERS = ["--enable-lora", "--max-lora-rank", "8"]
ENVIRONMENT = {
    "VLLM_SERVER_DEV_MODE": "1",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    # The sampler would compile a few functions at the first request, which takes a compiler.
    "TORCHDYNAMO_DISABLE": "1",
    # Sampling in the engine's own process saves the start of another, and no server may bind its
    # threads to cores: all would choose the same.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}


class Server:
    """One server, on a port that it keeps."""

    def __init__(self, model: Path, log: Path, *options: str) -> None:
        self.log = log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        given = [*SWITCHES, *options, "--model", str(model), "--port", str(self.port)]
        for name, value in OPTIONS.items():
            given += [name, value]
        # Not by the command vllm, which looks for a package of that name.
        self._command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", *given]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return at once; `wait` waits."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=os.environ | ENVIRONMENT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        until = time.monotonic() + SECONDS
        while not self._answers():
            late = time.monotonic() > until
            if late or self._process.poll() is not None:
                said = self.log.read_text(errors="replace")[-4000:]
                raise AssertionError(f"the server {'is late' if late else 'ended'}:\n{said}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx2.HTTPError:
            return False

    def kill(self) -> None:
        """End it and its engine, without a chance to say goodbye."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def serve(model: Path, folder: Path, count: int, *options: str) -> Iterator[list[Server]]:
    """Servers of a model, started together and killed at the end."""
    servers = [Server(model, folder / f"server-{at}.log", *options) for at in range(count)]
    with ExitStack() as stack:
        for server in servers:
            server.start()
            stack.callback(server.kill)
        for server in servers:
            server.wait()
        yield servers
