"""A worker that asks a web server again and again and prints what it is told."""

import os
import time
from urllib.error import URLError
from urllib.request import urlopen


def ask(url: str) -> str:
    """The answer, or why there is none: a server that restarts is no reason to crash."""
    try:
        with urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except (URLError, OSError) as error:
        return f"no answer: {error}"


if __name__ == "__main__":
    while True:
        print(f"worker: {ask(os.environ['URL'])}")
        time.sleep(float(os.environ.get("EVERY", "1")))
