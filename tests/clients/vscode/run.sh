#!/usr/bin/env bash
# run.sh: tests of the VS Code extension. Unit tests, then the packaged extension in a real editor with the real server,
# then the same against a server that answers wrongly, which has to fail.
# Environment: PYTHON (with impetus's dependencies) and IMPETUS (the program), by default those of .venv.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
root=$(realpath "$here/../../..")
cache=$root/.cache/clients/vscode
export IMPETUS=${IMPETUS:-$root/.venv/bin/impetus}
python=${PYTHON:-$root/.venv/bin/python}

skip() { echo "SKIP VS Code: $1"; exit 0; }

cd "$root/clients/vscode"
command -v npm >/dev/null || skip "Node is not installed"
npm ci --no-fund --no-audit --silent >/dev/null 2>&1 || skip "the extension's libraries could not be fetched with npm"
npm run --silent package | tail -1
npm run --silent test

reason=$("$here/get.sh" "$cache" 2>&1) || { [ $? = 75 ] && skip "$reason"; echo "$reason" >&2; exit 1; }
export VSCODE=$cache VSIX=$PWD/impetus.vsix

cd "$here"
node suite.mjs "$@"
[ $# = 0 ] || exit 0

echo "The same with a server that answers wrongly:"
if out=$(WRONG_PYTHON=$python IMPETUS=$here/wrong/impetus TIMEOUT=15000 node suite.mjs activation ask explain search complete); then
    echo "$out"; echo "FAIL: the suite passes on a wrong server" >&2; exit 1
fi
echo "$out"
grep -q "^1 passed, 4 failed$" <<<"$out" || { echo "FAIL: each check has to fail on a wrong server" >&2; exit 1; }
