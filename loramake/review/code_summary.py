"""What a person sees of generated code before approving it: its path, size, author and imports."""

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
"""Modules that preparing and balancing need."""
_HASH_SHOWN = 12

Line = tuple[str, str, bool]
"""A line's heading, its text, and whether it is highlighted."""


def summarize_code(script: str | Path, provider: str) -> list[Line]:
    """Lines about a script that a provider's agent wrote, from its text alone, without running it."""
    content = Path(script).read_bytes()
    count, digest = content.count(b"\n"), artifacts.sha256(script)[:_HASH_SHOWN]
    lines = [
        ("the code", f"{script}, {count:,} lines, sha256 {digest}…", False),
        ("  written by", f"the {provider} agent, or whoever edited it since", False),
    ]
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [*lines, ("  imports", "unknown: it is not valid Python", True)]
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    modules = sorted(_imports(tree))
    lines.append(("  functions", ", ".join(functions) or "none", False))
    lines.append(("  imports", ", ".join(modules) or "nothing", not {name.split(".")[0] for name in modules} <= _USUAL))
    text = content.decode("utf-8", errors="replace")
    hidden = [str(number) for number, line in enumerate(text.split("\n"), 1) if printable(line) != line]
    if hidden:
        lines.append(
            ("  hidden characters", f"in line {', '.join(hidden[:5])}: it may do something other than it seems", True)
        )
    return lines


def _imports(tree: ast.AST) -> set[str]:
    """The modules of every import statement, at any level."""
    modules = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add("." * node.level + (node.module or ""))
    return modules
