#!/bin/sh
# The journeys need a Chromium: the system's own, or the one that Playwright brings on macOS and elsewhere.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if command -v apt-get >/dev/null 2>&1; then
    echo "Installing Chromium for the browser journeys"
    exec sh tools/debian.sh "make test" chromium fonts-noto-core
fi
# Does nothing when it is there already.
if ! .venv/bin/python -m playwright install chromium; then
    echo "make test needs a Chromium, and Playwright could not fetch one. Install Chromium or Google Chrome." >&2
    exit 1
fi
