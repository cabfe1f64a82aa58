"""Run the benchmarks: `python benchmarks/run.py --help`. README.md beside this file says what is measured."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # A script has its own folder on the import path; the package `benchmarks` lies one above.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from benchmarks.cli import main

    sys.exit(main())
