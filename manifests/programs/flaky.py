"""A job that works for a random while and then crashes, as real ones do."""

import os
import random
import sys
import time

if __name__ == "__main__":
    shortest, longest = float(os.environ.get("SHORTEST", "20")), float(os.environ.get("LONGEST", "40"))
    life = random.uniform(shortest, longest)
    print(f"flaky: started, and will crash in {life:.0f} s")
    time.sleep(life)
    sys.exit("flaky: something went wrong")
