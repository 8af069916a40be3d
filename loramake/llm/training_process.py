"""`llamafactory-cli train` in this process, which saves a checkpoint when it is asked to end (SIGTERM).

A cluster sends that signal before a time limit, on preemption and on scancel. Run as a process of its own:
`python -P -m loramake.llm.training_process train.yaml key=value …`, the arguments of `llamafactory-cli train`; several
such processes are one training where loramake.llm.training_launcher starts them.
"""

import signal
import sys
from types import FrameType
from typing import Any

from loramake.llm.extra import import_training

TERMINATED = 128 + signal.SIGTERM
"""Exit code after the checkpoint is saved. LlamaFactory must not go on: it would write train_results.json, by which a
training counts as finished."""

ASKED_TO_END = "the training was asked to end (SIGTERM):"
"""How the sentence begins that the step says then."""


def save_on_term() -> Any:
    """A callback of the trainer: after SIGTERM the step is finished, its checkpoint saved, and the process exits.

    Where several processes train, all of them do so after the same step, whichever got the signal first. Before the
    first step, and after the last, SIGTERM ends the process at once: there is nothing to save.
    """
    base = import_training("transformers").TrainerCallback

    class SaveOnTerm(base):  # type: ignore[misc,valid-type]
        def __init__(self) -> None:
            self.is_asked = False
            self.is_last_step = False

        def ask(self, _signal: int, _frame: FrameType | None) -> None:
            self.is_asked = True

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            signal.signal(signal.SIGTERM, self.ask)

        def on_step_end(self, args: Any, _state: Any, control: Any, **_: Any) -> Any:
            self.is_last_step = _anywhere(self.is_asked, args.device)
            control.should_save = control.should_save or self.is_last_step
            return control

        def on_save(self, _args: Any, _state: Any, control: Any, **_: Any) -> Any:
            if self.is_last_step:
                _wait_for_all()
                sys.exit(TERMINATED)
            return control

        def on_train_end(self, *_: Any, **__: Any) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    return SaveOnTerm()


def _anywhere(is_so: bool, device: Any) -> bool:
    """Whether it is so in any process of this training; each has to ask."""
    distributed = import_training("torch.distributed")
    if not distributed.is_initialized():
        return is_so
    votes = import_training("torch").tensor(int(is_so), device=device)
    distributed.all_reduce(votes)
    return bool(votes.item())


def _wait_for_all() -> None:
    """Until every process of this training has come here: the first that exits has the others ended."""
    distributed = import_training("torch.distributed")
    if distributed.is_initialized():
        distributed.barrier()


def load_to_cpus() -> None:
    """Have torch load a checkpoint to cpu:0, as accelerate calls the CPU of one among several processes."""
    import_training("torch.serialization").register_package(
        0, lambda _: None, lambda storage, location: storage if location.startswith("cpu:") else None
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the step, which asks this process to end
    load_to_cpus()
    import_training("llamafactory.train.tuner").run_exp(callbacks=[save_on_term()])
