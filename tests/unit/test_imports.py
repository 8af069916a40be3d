import subprocess
import sys

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
import loramake
for module in pkgutil.walk_packages(loramake.__path__, "loramake."):
    importlib.import_module(module.name)
print(sorted({"torch", "transformers", "llamafactory", "snakemake"} & set(sys.modules)))
"""


def test_the_library_imports_without_the_training_stack_and_without_snakemake() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_EVERYTHING], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
