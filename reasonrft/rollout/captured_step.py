"""A step as one CUDA graph: a GPU runs it as a whole, and waits for no launches in between."""

import warnings
from collections.abc import Callable

import torch


class CapturedStep:
    """Calls a step as it is at first, then captures it, then replays it; bit by bit the same.

    The step must do the same operations on the same memory each time, and must not wait for the
    device. Call `forget` when memory has changed.
    """

    WARM_UP = 1
    """Calls before a graph is captured: libraries prepare there what they need for its shapes."""

    def __init__(self, step: Callable[[], None]) -> None:
        self.step = step
        self.graph: torch.cuda.CUDAGraph | None = None
        self.graphs, self.capturable = 0, True
        self.stream = torch.cuda.Stream()
        self.forget()

    def forget(self) -> None:
        """Let the next calls run as they are, and capture anew after that."""
        self.calls, self.graph = 0, None

    def __call__(self) -> None:
        if self.graph is None and self.calls == self.WARM_UP and self.capturable:
            self.graph = self._capture()
        if self.graph is None:
            self.calls += 1
            self.step()
        else:
            self.graph.replay()

    def _capture(self) -> torch.cuda.CUDAGraph | None:
        """`torch.cuda.graph` would give all free memory back first, and take it again later."""
        graph = torch.cuda.CUDAGraph()
        self.stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(self.stream):
                # Other threads may go on: loaders pin memory, rewards are computed.
                graph.capture_begin(capture_error_mode="thread_local")
                try:
                    self.step()
                finally:
                    graph.capture_end()
        except RuntimeError as error:
            self.capturable = False
            _leave_capture()
            reason = str(error).partition("\n")[0]
            warnings.warn(
                f"tokens are decoded without a CUDA graph, because {reason}", stacklevel=2
            )
            return None
        torch.cuda.current_stream().wait_stream(self.stream)
        self.graphs += 1
        return graph


def _leave_capture() -> None:
    """After a capture that failed, a device refuses random numbers until their state is new."""
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    generator.graphsafe_set_state(generator.clone_state())
