#!/usr/bin/env bash
# Provides the server that tests/llama_server asks: llama.cpp's own, at `.tools/llama-server/llama-server`. In this order: the one that
# WIDEDEEP_LLAMA_SERVER names (the tests are then given that path), the server in the PyPI wheel `xllamacpp` (llama.cpp's, compiled; see
# scripts/llama_server.py), a `llama-server` on PATH. Says nothing where all is there already.
#
# WIDEDEEP_PYTHON names the Python to use, as it does for `widedeep models pull`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$(pwd -P)
# shellcheck source=scripts/python.sh
. scripts/python.sh
folder=.tools/llama-server
server=$folder/llama-server
# The version with which the tests are known to pass: 33 MB to fetch, 102 MB on disk.
wheel=xllamacpp==2026.10.11549

say() { printf 'setup: %s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

works() { [[ -x $1 ]] && "$1" --version >/dev/null 2>&1; }

if [[ -n ${WIDEDEEP_LLAMA_SERVER:-} ]]; then
    if ! works "$WIDEDEEP_LLAMA_SERVER"; then
        complain "setup: \`$WIDEDEEP_LLAMA_SERVER --version\` fails: set WIDEDEEP_LLAMA_SERVER to the path of a llama-server, or unset it"
        exit 1
    fi
    exit 0
fi
# A launcher of another version is replaced.
if works "$server" && grep -q "^# $wheel or " "$server"; then
    exit 0
fi

# write_launcher COMMAND...: what `.tools/llama-server/llama-server` runs.
write_launcher() {
    local new=$server.$$
    {
        printf '#!/usr/bin/env bash\n# %s or what was found in its place. Written by scripts/llama-server.sh.\n' "$wheel"
        printf 'exec'
        printf ' %q' "$@"
        printf ' "$@"\n'
    } >"$new"
    chmod +x "$new"
    mv "$new" "$server"
}

mkdir -p "$folder"
pip_result='not tried, there is no Python with pip'
if find_python; then
    say "fetching llama.cpp's server, the PyPI wheel $wheel, for the tests (log: $folder/pip.log)"
    if install_wheels "$root/$folder/python" "$folder/pip.log" "$wheel"; then
        # The interpreter itself: what is on PATH may be a script that looks for one.
        write_launcher env "PYTHONPATH=$root/$folder/python" "$("$python" -c 'import sys; print(sys.executable)')" \
            "$root/scripts/llama_server.py"
        if works "$server"; then
            exit 0
        fi
    fi
fi
if found=$(command -v llama-server) && works "$found"; then
    write_launcher "$found"
    say "the PyPI wheel: $pip_result; using $found"
    exit 0
fi
rm -f "$server"
complain "setup: cannot provide llama.cpp's server, which the tests of API models ask
  PyPI:     $wheel: $pip_result
  on PATH:  no llama-server that works
do one of these, then run the same command again:
  with pip:  ${python:-python3} -m pip install --target $folder/python $wheel    (says what is wrong; it needs Python 3.10 or newer and libgomp)
  macOS:     brew install llama.cpp
  by hand:   build llama-server from https://github.com/ggml-org/llama.cpp, and export WIDEDEEP_LLAMA_SERVER=/path/to/llama-server"
exit 1
