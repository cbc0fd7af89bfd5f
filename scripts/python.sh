# shellcheck shell=bash
# Sourced by the scripts that fetch something from PyPI.

# Sets `python` to a Python with pip: WIDEDEEP_PYTHON, or what is on PATH.
find_python() {
    local candidate
    for candidate in ${WIDEDEEP_PYTHON:-python3 python}; do
        if "$candidate" -m pip --version >/dev/null 2>&1; then
            python=$candidate
            return
        fi
    done
    return 1
}

# install_wheels FOLDER LOG WHEEL...: puts wheels, and nothing that they depend on, into a folder. Sets `pip_result` to what went wrong.
install_wheels() {
    local folder=$1 log=$2
    shift 2
    # `--upgrade` replaces what an interrupted call left behind. The variables keep a user's own pip settings from refusing `--target`.
    if PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 "$python" -m pip install --no-input --upgrade \
        --target "$folder" --no-deps --only-binary :all: "$@" </dev/null >"$log" 2>&1; then
        pip_result='installed, but what it installed does not work here'
    else
        pip_result="\`pip install\` failed: $({ grep -i '^error' "$log" || cat "$log"; } | tail -n 1)"
        return 1
    fi
}
