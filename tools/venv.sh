#!/bin/sh
# Make the virtual environment and put the locked dependencies and the checkout itself into it.
# usage: venv.sh PYTHON VENV LOCKFILE
set -eu
python=$1 venv=$2 lock=$3

newest() {
    for candidate in "$python" python3.13 python3.12 python3.11 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "provision needs Python 3.11 or newer, and none was found. Install one and run make again." >&2
    exit 1
}

if [ ! -x "$venv/bin/python" ]; then
    found=$(newest)
    if ! "$found" -m venv "$venv" 2>/dev/null; then
        # Debian ships venv apart from Python.
        rm -rf "$venv"
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
            "$found" -m venv "$venv"
        else
            echo "Python's venv module is missing. On Debian: sudo apt-get install python3-venv" >&2
            exit 1
        fi
    fi
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
# hatchling builds the editable install; its version is free, since nothing of it travels.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -e .
