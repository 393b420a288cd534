"""The vLLM server engine: samples with servers that run beside training, on other devices.

    sync       policy ──adapter or weights in a folder──> every replica      rank 0, others wait
    check      a few tokens, sampled by the server and scored by the policy  first, after restarts
    generate   prompt ──ids and images──> the least busy replica ──> ids and log-probs    each rank

It is not exact: the same seed, step and prompt sample the same only where a server computes the
same, which depends on what else it computes at the time. The loss corrects by importance weights.
"""

import atexit
import secrets
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import final

from reasonrft.distributed.ranks import all_gather, is_first_rank, raise_on_all_ranks
from reasonrft.errors import BadInput, check_at_least
from reasonrft.policy.encoder import PromptBatch
from reasonrft.policy.policy import Policy
from reasonrft.policy.sharding import gathered
from reasonrft.rollout.admission import admit
from reasonrft.rollout.engine import Completion, Rollout, RolloutEngine
from reasonrft.rollout.engine_parity import default_tolerance
from reasonrft.rollout.replicas import doubtful, make_replicas
from reasonrft.rollout.sampling import Sampling
from reasonrft.rollout.served_weights import ServedWeights, fingerprint, make_weights
from reasonrft.rollout.server_pool import ServerPool
from reasonrft.rollout.vllm_client import Limits, Unreachable
from reasonrft.rollout.vllm_questions import Vocabulary, make_question

LEAST_TEMPERATURE = 0.01
"""What vLLM makes of lower temperatures above 0."""


@final
class VLLMServerEngine(RolloutEngine):
    """Samples with vLLM servers, whose weights follow the policy's."""

    runs_apart = True

    def __init__(
        self,
        urls: Sequence[str],
        folder: str = "outputs/served",
        tolerance: float | None = None,
        connect_seconds: float = 10.0,
        request_seconds: float = 600.0,
        patience: float = 600.0,
        key_variable: str = "VLLM_API_KEY",
    ) -> None:
        """
        Args:
            urls: Addresses of the servers, such as http://localhost:8000; each serves the model
                that the policy starts from.
            folder: Where adapters or weights are put for the servers, which see it by the same
                path; what is put there is deleted when it is replaced, and at the end.
            tolerance: Mean difference of log-probs between a server and the policy above which it
                is refused; if not given, 0.01 in float32 on a CPU and 0.05 elsewhere.
            connect_seconds: Seconds that a connection may take.
            request_seconds: Seconds that all completions of a prompt may take.
            patience: Seconds after which the run ends if no server answers; restarting one takes a
                minute or more.
            key_variable: Environment variable that holds the servers' key, if they want one.
        """
        check_at_least(0, tolerance=tolerance)
        positive = {"connect_seconds": connect_seconds, "request_seconds": request_seconds}
        for name, value in (positive | {"patience": patience}).items():
            if not value > 0:
                raise BadInput(f"the engine's {name} must be positive, not {value}")
        self.urls, self.folder, self.tolerance = list(urls), folder, tolerance
        self.replicas = make_replicas(urls, key_variable)
        limits = Limits(connect_seconds, request_seconds, patience)
        self.pool = ServerPool(self.replicas, limits, key_variable, lambda: self.should_stop())
        self.policy: Policy | None = None
        self.version = 0
        self._vocabulary: Vocabulary | None = None
        self._run = ""
        self._syncs = 0
        self._held: object = None
        """The state of the policy that servers hold."""

    def sync(self, policy: Policy, version: int) -> None:
        """The first rank gives servers the weights of now, and checks servers that are new."""
        begun = time.monotonic()
        state = version, fingerprint(policy)
        changed = any(all_gather(state != self._held))
        if not changed and not self._any_doubtful():
            return
        before = self.pool.weights
        if changed:
            self.policy, self._vocabulary = policy, Vocabulary.of(policy)
            self.pool.weights = self._write(policy)
        with raise_on_all_ranks():
            if is_first_rank():
                self.pool.deliver(before)
        if self._any_doubtful():
            with gathered(policy), raise_on_all_ranks():
                if is_first_rank():
                    self._admit(policy)
        self._share_findings()
        if changed and before and is_first_rank():
            before.delete()
        self._held, self.version = state, version
        if is_first_rank():
            self.pool.work["sync_seconds"] += time.monotonic() - begun

    def _write(self, policy: Policy) -> ServedWeights:
        """The policy's weights under a name that no other run uses; all ranks call this."""
        if not self._run:
            self._run = all_gather(secrets.token_hex(4))[0]
            if is_first_rank():
                atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self._syncs += 1
        if self._syncs & (self._syncs - 1) == 0:  # 1, 2, 4, 8: drift shows, and costs little
            for replica in self.replicas:
                replica.suspect = True
        weights = make_weights(policy, f"reasonrft-{self._run}-{self._syncs}", self._folder)
        weights.write(policy)
        return weights

    @property
    def _folder(self) -> Path:
        return Path(self.folder).expanduser().resolve() / self._run

    def _any_doubtful(self) -> bool:
        """Whether any rank knows of a server that is to be checked; all ranks call this."""
        by_rank = all_gather([replica.suspect for replica in self.replicas])
        for replica, *doubts in zip(self.replicas, *by_rank, strict=True):
            replica.suspect = any(doubts)
        return any(all_gather(bool(doubtful(self.replicas, time.monotonic()))))

    def _admit(self, policy: Policy) -> None:
        """Check servers that are new or were restarted, until one is in order."""
        tolerance = default_tolerance(policy) if self.tolerance is None else self.tolerance
        while True:
            for replica in doubtful(self.replicas, time.monotonic()):
                with suppress(Unreachable):
                    admit(self.pool, replica, policy, tolerance)
            if any(replica.admitted for replica in self.replicas):
                return
            self.pool.deliver()

    def _share_findings(self) -> None:
        """What the first rank has found is known to all."""
        of_rank = [(one.admitted, one.scaled, one.suspect) for one in self.replicas]
        for replica, found in zip(self.replicas, all_gather(of_rank)[0], strict=True):
            replica.admitted, replica.scaled, replica.suspect = found

    def generate(
        self,
        batch: PromptBatch,
        group_size: int,
        sampling: Sampling,
        seed: int | str = 0,
        step: int = 0,
    ) -> Rollout:
        """Sample a group of completions of each prompt, all prompts at the same time."""
        if self.policy is None or self._vocabulary is None:
            raise BadInput("the engine has no policy yet: call sync first")
        if not batch.prompts:
            return Rollout(batch, [], [], self.version)
        self._check_sampling(sampling)
        encoder = self.policy.encoder
        # All greedy completions of a prompt are one.
        count = group_size if sampling.temperature else 1
        questions = [
            make_question(encoder, self._vocabulary, prompt, sampling, count, seed, step)
            for prompt in batch.prompts
        ]
        tell = partial(self._tell, batch) if self.on_completion else None
        groups = [group * (group_size // count) for group in self.pool.ask(questions, told=tell)]
        texts = [[encoder.decode(one.content) for one in group] for group in groups]
        return Rollout(batch, groups, texts, self.version, self._work(batch, groups))

    def _tell(self, batch: PromptBatch, number: int, group: Sequence[Completion]) -> None:
        """Tell whoever listens of a prompt's completions."""
        if self.policy is None or self.on_completion is None:
            return
        for completion in group:
            text = self.policy.encoder.decode(completion.content)
            self.on_completion(batch.problems[number], text, len(completion.ids))

    def _check_sampling(self, sampling: Sampling) -> None:
        """Refuse sampling whose log-probs a server would not return as the scorer computes them."""
        if sampling.temperature in (0, 1):
            return
        if sampling.temperature < LEAST_TEMPERATURE:
            raise BadInput(
                f"a vLLM server takes temperature {sampling.temperature} as {LEAST_TEMPERATURE}: "
                f"give 0, or {LEAST_TEMPERATURE} and more"
            )
        for replica in self.replicas:
            if replica.admitted and not replica.scaled:
                raise BadInput(
                    f"{replica.url} returns log-probs of temperature 1 whatever the temperature "
                    "is: start it with --logprobs-mode processed_logprobs"
                )

    def _work(self, batch: PromptBatch, groups: Sequence[Sequence[Completion]]) -> dict[str, float]:
        """What was done since it was asked last."""
        done = dict(self.pool.work)
        self.pool.work.clear()
        return done | {
            "prompt_tokens": sum(prompt.length for prompt in batch.prompts),
            "decoded_tokens": sum(len(one.ids) for group in groups for one in group),
        }
