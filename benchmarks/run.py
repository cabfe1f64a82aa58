"""Run the benchmarks: `python benchmarks/run.py --help`. README.md beside this file says what is measured."""

import compileall
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    root = Path(__file__).resolve().parents[1]
    # A script has its own folder on the import path; the package `benchmarks` lies one above.
    sys.path.insert(0, str(root))
    # As an installation has it; some environments forbid Python to keep what it compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for folder in ("schema", "controller", "cli"):
        compileall.compile_dir(root / folder, quiet=1)
    from benchmarks.cli import main

    sys.exit(main())
