"""`llamafactory-cli train` on one device, which saves a checkpoint when it is asked to end (SIGTERM).

A cluster sends that signal before a time limit, on preemption and on scancel. Run as a process of its own:
`python -P -m loramake.llm.training_process train.yaml key=value …`, the arguments of `llamafactory-cli train`.
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

    Before the first step, and after the last, SIGTERM ends the process at once: there is nothing to save.
    """
    base = import_training("transformers").TrainerCallback

    class SaveOnTerm(base):  # type: ignore[misc,valid-type]
        def __init__(self) -> None:
            self.is_asked = False

        def ask(self, _signal: int, _frame: FrameType | None) -> None:
            self.is_asked = True

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            signal.signal(signal.SIGTERM, self.ask)

        def on_step_end(self, _args: Any, _state: Any, control: Any, **_: Any) -> Any:
            control.should_save = control.should_save or self.is_asked
            return control

        def on_save(self, _args: Any, _state: Any, control: Any, **_: Any) -> Any:
            if self.is_asked:
                sys.exit(TERMINATED)
            return control

        def on_train_end(self, *_: Any, **__: Any) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    return SaveOnTerm()


if __name__ == "__main__":
    import_training("llamafactory.train.tuner").run_exp(callbacks=[save_on_term()])
