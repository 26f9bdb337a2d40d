#!/usr/bin/env bash
# Emacs eglot with the configuration of docs/editors.md: run.sh [pytest arguments]
set -euo pipefail
source "$(dirname "$0")/../editors.sh"

get_python
get emacs trixie emacs-nox usr/bin/emacs-nox
export IMPETUS_EMACS=$cache/emacs
cd "$root"
suite tests/clients/emacs "$@"
