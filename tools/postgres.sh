#!/bin/sh
# The second database's programs: Debian's package, or whatever pg_ctl is on the path.
set -eu
if [ -n "${TEST_DATABASE_URL:-}" ] || command -v pg_ctl >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1; then
    exit 0
fi
if command -v apt-get >/dev/null 2>&1; then
    as_root=""
    if [ "$(id -u)" != 0 ]; then as_root="sudo"; fi
    echo "Installing PostgreSQL for the tests"
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null
else
    echo "PostgreSQL's pg_ctl is not on the path. On macOS: brew install postgresql" >&2
    exit 1
fi
