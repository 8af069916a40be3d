"""What a person sees of generated code before approving it: where it is, how much, by whom, and what it uses."""

import ast
from pathlib import Path

from loramake import artifacts
from loramake.console import printable

_USUAL = {
    "argparse",
    "collections",
    "datetime",
    "imblearn",
    "itertools",
    "json",
    "math",
    "numpy",
    "pandas",
    "random",
    "re",
    "scipy",
    "sklearn",
    "statistics",
    "string",
    "unicodedata",
}
"""Modules that preparing and balancing are in need of."""
_HASH_SHOWN = 12

Line = tuple[str, str, bool]
"""What a line is about, its text, and whether it is to stand out."""


def summarize_code(script: str | Path, provider: str) -> list[Line]:
    """Lines about a script that the agent of a provider wrote, found by reading it and without running it."""
    content = Path(script).read_bytes()
    count, digest = content.count(b"\n"), artifacts.sha256(script)[:_HASH_SHOWN]
    lines = [
        ("the code", f"{script}, {count:,} lines, sha256 {digest}…", False),
        ("  written by", f"the {provider} agent, or whoever has edited it since", False),
    ]
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [*lines, ("  it uses", "what cannot be told: it is not valid Python", True)]
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    modules = sorted(_imports(tree))
    lines.append(("  functions", ", ".join(functions) or "none", False))
    lines.append(("  imports", ", ".join(modules) or "nothing", not {name.split(".")[0] for name in modules} <= _USUAL))
    text = content.decode("utf-8", errors="replace")
    hidden = [str(number) for number, line in enumerate(text.split("\n"), 1) if printable(line) != line]
    if hidden:
        lines.append(("  hidden characters", f"in line {', '.join(hidden[:5])}: it may not read as it runs", True))
    return lines


def _imports(tree: ast.AST) -> set[str]:
    """The modules of every import statement, wherever it stands."""
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return found
