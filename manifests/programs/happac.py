"""Stands in for a proxy of a database: takes its options and waits to be stopped."""

import argparse
import signal

if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-h", dest="host", required=True)
    parser.add_argument("-p", dest="port", type=int, required=True)
    parser.add_argument("-r", dest="report", type=int, required=True)
    options = parser.parse_args()
    print(f"happac: would pass port {options.port} on to {options.host}, and report on port {options.report}")
    signal.pause()
