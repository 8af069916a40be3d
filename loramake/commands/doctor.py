"""loramake doctor."""

import json
import sys
from typing import Annotated

import typer
from rich.text import Text

_MARKS = {"ok": ("✓", "green"), "optional": ("–", "dim"), "missing": ("!", "yellow"), "broken": ("✗", "red")}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Check what this machine has for loramake, and how to install what is missing.

    If an endpoint is configured, its model is sent a short question.
    """
    from loramake.console import SafeConsole, printable
    from loramake.workflow.doctor import examine, exit_code

    console, findings = SafeConsole(), []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            mark, colour = _MARKS[finding.severity]
            line = Text.assemble(
                (mark, colour), " ", (printable(f"{finding.what}: "), "bold"), printable(finding.detail)
            )
            console.print(line, soft_wrap=not console.is_terminal, highlight=False)
    if as_json:
        listed = [finding.as_dict() for finding in findings]
        sys.stdout.write(json.dumps({"exit_code": exit_code(findings), "findings": listed}, indent=2) + "\n")
    raise typer.Exit(exit_code(findings))
