#!/bin/sh
# Make the virtual environment and put the locked dependencies and the checkout itself into it.
# usage: venv.sh PYTHON VENV LOCKFILE
set -eu
python=$1 venv=$2 lock=$3

newest() {
    for candidate in "$python" python3.14 python3.13 python3.12 python3.11 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "provision needs Python 3.11 or newer, and none was found. Install one and run make again." >&2
    exit 1
}

# One that was cut short, was moved or has lost its Python is made anew.
if [ "$(cat "$venv/.place" 2>/dev/null)" != "$(pwd -P)" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    found=$(newest)
    echo "Setting up $venv, which takes a minute or two"
    rm -rf "$venv"
    if ! "$found" -c 'import ensurepip, venv' 2>/dev/null && command -v apt-get >/dev/null 2>&1; then
        # Debian ships it apart from Python.
        version=$("$found" -c 'import sys; print("{}.{}".format(*sys.version_info))')
        sh tools/debian.sh "Setting up $venv" "python$version-venv"
    fi
    "$found" -m venv "$venv"
fi
install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" || {
        echo "Installing into $venv failed for the reason above. Run make again when it is gone." >&2
        exit 1
    }
}
install --require-hashes -r "$lock"
# hatchling builds the editable install; its version is free, since nothing of it travels.
install --no-deps -e .
pwd -P >"$venv/.place"
