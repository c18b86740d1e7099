#!/bin/sh
# The journeys need a Chromium, the system's own or the one that Playwright brings on macOS and elsewhere, and a Playwright
# that starts: its driver wants a library that a bare Debian lacks.
set -eu
python=.venv/bin/python

found() {
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

if command -v apt-get >/dev/null 2>&1; then
    missing=""
    found || missing="chromium fonts-noto-core"
    $python -m playwright --version >/dev/null 2>&1 || missing="$missing libatomic1"
    if [ -n "$missing" ]; then
        echo "Installing what the browser journeys need"
        # shellcheck disable=SC2086 # several packages
        sh tools/debian.sh "make test" $missing
    fi
elif ! found && ! $python -m playwright install chromium; then # does nothing when it is there already
    echo "make test needs a Chromium, and Playwright could not fetch one. Install Chromium or Google Chrome." >&2
    exit 1
fi
