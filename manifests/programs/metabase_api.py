"""Stands in for an application that is configured by its environment."""

import os
import signal

if __name__ == "__main__":
    print(f"metabase-api: NODE_ENV={os.environ['NODE_ENV']}")
    signal.pause()
