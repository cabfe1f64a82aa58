"""`pmond`, and `python -m pmond`: the daemon."""

import gc

# Nearly all that is made until pmond is up stays (`runtime.resync` takes it from there): looking through
# it for garbage, again and again, took 50 ms of the start, and as many again with 1,000 processes.
gc.disable()

from pmond.main import main  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(main())
