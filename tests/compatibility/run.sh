#!/usr/bin/env bash
# Other people's clients against a real server process: run.sh [pytest arguments]. Fetches the clients, about 1 GB.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv/bin/python}
here=tests/compatibility
cache=${IMPETUS_CLIENTS_CACHE:-.venv/compatibility}
mkdir -p "$cache"
for kind in "" -aider; do
    if ! cmp -s "$here/requirements$kind.txt" "$cache/requirements$kind.txt"; then
        "$python" -m uv venv --quiet --clear --python "$python" "$cache/python$kind"
        "$python" -m uv pip install --quiet --python "$cache/python$kind/bin/python" -r "$here/requirements$kind.txt"
        cp "$here/requirements$kind.txt" "$cache/"
    fi
done
if ! cmp -s "$here/package.json" "$cache/package.json"; then
    cp "$here/package.json" "$cache/"
    npm --prefix "$cache" install --silent --no-fund --no-audit
fi
IMPETUS_COMPATIBILITY=$(realpath "$cache") exec "$python" -m pytest "$here" -v "$@"
