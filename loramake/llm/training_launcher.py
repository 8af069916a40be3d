"""torchrun on one node, which has its processes save a checkpoint when it is asked to end (SIGTERM).

torchrun itself kills them 30 s after that signal, however long a step and its checkpoint take. Run once on each node
of a training: `python -P -m loramake.llm.training_launcher` and the arguments of `torchrun`, but for the node's rank.
"""

import contextlib
import os
import signal
import sys

import psutil

from loramake.llm.extra import import_training
from loramake.llm.training_process import TERMINATED


def launch(arguments: list[str]) -> None:
    """Run torchrun to its end; SystemExit with TERMINATED where it was asked to end before that."""
    is_asked = False

    def pass_on(*_: object) -> None:
        nonlocal is_asked
        is_asked = True
        for process in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the step, which asks this process to end
    os.environ["PYTHONSAFEPATH"] = "1"  # what -P is to this process
    own = [f"--node-rank={os.environ.get('SLURM_NODEID', 0)}", "--signals-to-handle=SIGHUP,SIGQUIT"]
    try:
        import_training("torch.distributed.run").main([*own, *arguments])
    except Exception:
        if is_asked:
            sys.exit(TERMINATED)
        raise


if __name__ == "__main__":
    launch(sys.argv[1:])
