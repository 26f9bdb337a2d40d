#!/usr/bin/env bash
# get.sh DEST: a real VS Code server with its workbench (code-server's build), Playwright and Chromium.
# Nothing is compiled. Exit code 75 with a reason when a download is refused.
set -euo pipefail
dest=$(realpath -m "$1")
version=4.100.3 # VS Code 1.100.3, runs on Node 20 and later

refused() { echo "$1" >&2; exit 75; }

command -v node >/dev/null || refused "Node is not installed"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || refused "Node 20 or later is needed"

if ! command -v chromium >/dev/null; then
    [ "$(id -u)" = 0 ] || refused "Chromium is not installed, and only root can install it"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } >/dev/null 2>&1 \
        || refused "Chromium could not be installed with apt-get"
fi

[ -e "$dest/.ready" ] && exit 0
rm -rf "$dest" && mkdir -p "$dest" && cd "$dest"
echo '{"private": true}' >package.json
npm="npm install --no-fund --no-audit --ignore-scripts --silent"
# Without scripts: the native modules that are left out are optional, the server then only logs that they are missing.
{ $npm "code-server@$version" playwright-core@1 && (cd node_modules/code-server/lib/vscode && $npm --omit=dev); } \
    || refused "VS Code could not be fetched with npm"
touch .ready
