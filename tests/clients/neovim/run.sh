#!/usr/bin/env bash
# The suite of the Neovim plugin, in Neovim 0.10 and 0.12: run.sh [pytest arguments], run.sh pictures [FOLDER nvim10], or run.sh measure
set -euo pipefail
source "$(dirname "$0")/../editors.sh"

get_python
get nvim12 forky neovim usr/bin/nvim
get nvim10 trixie neovim usr/bin/nvim
export IMPETUS_NVIM=$cache/nvim12/usr/bin/nvim:$cache/nvim10/usr/bin/nvim

cd "$root"
case ${1:-} in
    pictures | measure) exec "$python" -m "tests.clients.neovim.$1" "${@:2}" ;;
    *) suite tests/clients/neovim "$@" ;;
esac
