"""`snakemake --lint`, with the one finding allowed that asks every `script:` rule for conda or a container."""

import re
import subprocess
import sys
from pathlib import Path

ALLOWED = "Specify a conda environment or container for each rule."


def findings() -> list[str]:
    """Every finding but the allowed one, under the rule it speaks of."""
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    done = subprocess.run([snakemake, "--lint"], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    if not any(line.startswith(("Lints for", "Congratulations")) for line in lines):
        return ["snakemake --lint did not run:", *lines]
    where, complaints = "", []
    for line in lines:
        where = line if line.startswith("Lints for") else where
        title = re.match(r" {4}\* (.*?):?$", line)
        if title and title[1] != ALLOWED:
            complaints.append(f"{where} {title[1]}")
    return complaints


if __name__ == "__main__":
    sys.exit("\n".join(findings()) or 0)
