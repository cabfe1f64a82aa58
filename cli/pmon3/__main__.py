"""`python -m pmon3` is `pmon3`."""

import sys

from pmon3.main import main

if __name__ == "__main__":
    sys.exit(main())
