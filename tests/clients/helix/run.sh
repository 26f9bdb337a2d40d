#!/usr/bin/env bash
# Helix with the configuration of docs/editors.md: run.sh [pytest arguments]
set -euo pipefail
source "$(dirname "$0")/../editors.sh"

get_python
get helix forky hx usr/lib/hx/hx
export IMPETUS_HELIX=$cache/helix
cd "$root"
suite tests/clients/helix "$@"
