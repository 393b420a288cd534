"""The process that runs math-verify: reads pairs as JSON lines, answers true, false or null."""

import json
import logging
import signal
import sys
from types import FrameType

MEMORY_LIMIT = 4 << 30


def main() -> None:
    logging.disable(logging.WARNING)  # math-verify warns on every call that its own timer is off
    from math_verify import parse, verify

    limit_memory()
    signal.signal(signal.SIGALRM, _give_up)
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, first, second = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            gold, target = parse(first, parsing_timeout=None), parse(second, parsing_timeout=None)
            agree = bool(verify(gold, target, timeout_seconds=None))
        except TimeoutError:
            agree = None
        except Exception:  # whatever a parser or sympy makes of hostile text, it does not agree
            agree = False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(agree), flush=True)


def limit_memory() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, hard))


def _give_up(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError


if __name__ == "__main__":
    main()
