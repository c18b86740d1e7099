#!/bin/sh
# The second database's programs: wherever tests/postgres.py finds them, or Debian's package.
set -eu
if [ -n "${TEST_DATABASE_URL:-}" ] || .venv/bin/python -c "from tests import postgres; postgres.tools()" 2>/dev/null; then
    exit 0
fi
if command -v apt-get >/dev/null 2>&1; then
    echo "Installing PostgreSQL for the tests"
    exec sh tools/debian.sh "make test-postgres" postgresql
fi
echo "make test-postgres needs PostgreSQL. On macOS: brew install postgresql@17" >&2
exit 1
