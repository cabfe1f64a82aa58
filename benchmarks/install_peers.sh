#!/bin/sh
# Installs what the benchmarks compare pmon3 with. Nothing here is needed to use or to test pmon3.
#   supervisor, circus   from PyPI, into benchmarks/.peers (ignored by git)
#   s6, runit            from the distribution's packages; needs root and apt-get
# A peer that cannot be installed is left out: the benchmarks then report it as "not installed".
set -u
here=$(cd "$(dirname "$0")" && pwd)
failed=0

note() { echo "install_peers: $*" >&2; }

python=${PYTHON:-python3}
if "$python" -m venv "$here/.peers"; then
    for package in "supervisor==4.3.0" "circus==0.19.0"; do
        "$here/.peers/bin/pip" install --quiet --disable-pip-version-check "$package" setuptools ||
            { note "cannot install $package: see the message above"; failed=1; }
    done
else
    note "cannot make $here/.peers: $python has no venv module (install python3-venv)"
    failed=1
fi

if ! command -v apt-get >/dev/null; then
    note "cannot install s6 and runit: no apt-get here (install them by your own package manager)"
    failed=1
elif [ "$(id -u)" -ne 0 ]; then
    note "cannot install s6 and runit: not root (run: sudo apt-get install s6 runit)"
    failed=1
else
    apt-get update --quiet --quiet
    for package in s6 runit; do
        DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends "$package" ||
            { note "cannot install $package: see the message above"; failed=1; }
    done
fi
exit "$failed"
