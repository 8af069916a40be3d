"""What goes wrong when a model is downloaded, loaded or trained, and what to do next: one table, matched by text.

Knows the messages of huggingface_hub, transformers, safetensors and torch; each pattern is from a real one.
"""

import re

_FAILURES: tuple[tuple[str, str], ...] = (
    (
        r"GatedRepo|access a gated repo|access gated repo",
        "model: {model} is gated: accept its licence at https://huggingface.co/{model} and set the environment "
        "variable HF_TOKEN to a token of your account",
    ),
    (
        r"Invalid user token|Invalid credentials|Invalid username or password|Illegal header value",
        "the hub does not accept HF_TOKEN: create a new one at https://huggingface.co/settings/tokens, or unset it",
    ),
    (
        r"RepositoryNotFound|Repository Not Found|not a valid model identifier|HFValidationError",
        "model: {model} is not on the hub, or is private: check the id at https://huggingface.co/models, and set "
        "HF_TOKEN if the model is private",
    ),
    (
        r"(contains|references) custom code",
        "model: {model} needs its own code to be loaded, which is not run: read it, and set trust_remote_code: true "
        "in your own config.yaml (loramake predict: --trust-remote-code), or name another model",
    ),
    (
        r"No space left on device|os error 28|Disk quota exceeded|inline_container\.cc.*unexpected pos"
        r"|PytorchStreamWriter failed writing",
        "no space is left on the disk of {where}: free some, or {elsewhere}, and run the same command again",
    ),
    (
        r"CUDA out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED",
        "the GPU's memory is too small: {smaller}",
    ),
    (
        r"exit code (-9|137)\b|Signal 9 \(SIGKILL\)",
        "the training was killed, probably by the kernel because memory ran out (see dmesg): {smaller}",
    ),
    (
        r"\bMemoryError|DefaultCPUAllocator: can't allocate memory|Cannot allocate memory",
        "the machine's memory is too small: {smaller}",
    ),
    (
        r"ConnectError|ConnectTimeout|ConnectionError|ReadTimeout|ProxyError|Connection refused"
        r"|Name or service not known|Temporary failure in name resolution|LocalEntryNotFound|couldn't connect to"
        r"|outgoing traffic has been disabled|OfflineModeIsEnabled",
        "the hub cannot be reached for the model {model}: check the network (and HF_ENDPOINT and HF_HUB_OFFLINE), or "
        "set model to a folder that contains it",
    ),
)
"""(pattern, sentence), the first match wins: a cause precedes its consequences."""


def explain(
    text: str, model: str, where: str, elsewhere: str, smaller: str = "set quantization_bit: 4, or use a smaller model"
) -> str | None:
    """The sentence for a failure's text, without its full stop, or None if no pattern matches.

    `model` is the base model; `where` the folder that is written to and `elsewhere` how to use another one; `smaller`
    what to set to use less memory.
    """
    for pattern, sentence in _FAILURES:
        if re.search(pattern, text):
            return sentence.format(model=model, where=where, elsewhere=elsewhere, smaller=smaller)
    return None


def text_of(error: BaseException) -> str:
    """The names and messages of an error and its causes, newest first."""
    lines: list[str] = []
    current: BaseException | None = error
    while current is not None:
        lines.append(f"{type(current).__name__}: {current}")
        current = current.__cause__ or current.__context__
    return "\n".join(lines)


def first_line(error: BaseException) -> str:
    """An error's message up to its first line break, without its full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
