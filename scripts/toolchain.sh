#!/usr/bin/env bash
# Provides what a build of widedeep needs beside Rust, a C and C++ compiler and Python with pip: CMake, which builds llama.cpp, and
# libclang, with which bindgen reads llama.cpp's headers. In this order: what is installed, Debian's packages where apt-get can
# run without asking for a password, the PyPI wheels in `.tools/python`.
#
# The decision is written to `.tools/env`, and stands until a path in it is gone. That is more than speed: bindgen's build script
# watches `LIBCLANG_PATH` and `BINDGEN_EXTRA_CLANG_ARGS`, so a cargo call that sees other values compiles llama.cpp anew.
#
# WIDEDEEP_NO_APT=1 skips Debian's packages. WIDEDEEP_PYTHON names the Python to use, as it does for `widedeep models pull`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$(pwd -P)
# shellcheck source=scripts/python.sh
. scripts/python.sh
env_file=.tools/env
wheels=$root/.tools/python
# Versions with which the build is known to work. libclang's wheel has no headers of its own: see find_libclang.
cmake_wheel=cmake==4.4.5
libclang_wheel=libclang==18.1.1
# From the `cmake_minimum_required` of llama.cpp.
cmake_minimum=3.14

say() { printf 'setup: %s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

# at_least HAVE WANT: whether the dotted version HAVE is WANT or newer.
at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

# ---- the decision of an earlier call -------------------------------------------------------------------------------------------

# Whether `.tools/env` exists and all that it names is still there.
decided_before() (
    [[ -f $env_file ]] || exit 1
    # Written by an older script.
    grep -qx '# form: 2' "$env_file" || exit 1
    while read -r path; do
        [[ -e $path ]] || { say "\`$path\` is gone: deciding anew"; exit 1; }
    done < <(sed -n 's/^# needs: //p' "$env_file")
    # shellcheck source=/dev/null
    . "$env_file"
    for tool in cargo "${CC:-cc}" "${CXX:-c++}"; do
        command -v "${tool%% *}" >/dev/null || exit 1
    done
    cmake --version >/dev/null 2>&1 || { say "\`cmake\` no longer runs: deciding anew"; exit 1; }
)

# ---- what must be there already ------------------------------------------------------------------------------------------------

cargo_bin='' # a folder to put on PATH, where rustup's is not on it
python=''

# rustup's folder is on PATH only in shells started after its installation, and not in every CI.
find_rustup() {
    local bin=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
    if ! command -v cargo >/dev/null && [[ -x $bin/cargo ]]; then
        cargo_bin=$bin
        PATH=$bin:$PATH
    fi
}

# This and the next print what is wrong, or nothing.
rust_problem() {
    local tool wanted version
    command -v cargo >/dev/null || { echo "there is no \`cargo\` on PATH"; return; }
    for tool in cargo rustc; do
        version=$("$tool" --version 2>&1) || { echo "\`$tool --version\` fails: ${version%%$'\n'*}"; return; }
    done
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    version=${version#rustc }
    at_least "${version%%[ -]*}" "$wanted" || echo "rustc ${version%% *} is older than $wanted"
}

# compiler_problem LANGUAGE HEADER COMMAND...
compiler_problem() {
    local language=$1 header=$2
    shift 2
    command -v "$1" >/dev/null || { echo "there is no \`$1\` on PATH"; return; }
    echo "#include <$header>" | "$@" -x "$language" -fsyntax-only - >/dev/null 2>&1 ||
        echo "\`$*\` cannot compile a file that includes <$header>"
}

check_prerequisites() {
    local problem missing=0 cc cxx
    read -ra cc <<<"${CC:-cc}"
    read -ra cxx <<<"${CXX:-c++}"

    find_rustup
    problem=$(rust_problem)
    if [[ -n $problem ]]; then
        missing=1
        complain "setup: Rust is missing or too old: $problem
  install or update it with rustup:
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y
    . \"\$HOME/.cargo/env\"
  where rustup is installed already:
    rustup default stable && rustup update stable"
    fi
    problem=$(compiler_problem c stdio.h "${cc[@]}")
    [[ -n $problem ]] || problem=$(compiler_problem c++ vector "${cxx[@]}")
    if [[ -n $problem ]]; then
        missing=1
        complain "setup: a C and C++ compiler is missing: $problem
  Debian, Ubuntu:  sudo apt-get install gcc g++ make
  Fedora:          sudo dnf install gcc gcc-c++ make"
    fi
    if ! find_python; then
        missing=1
        complain "setup: Python with pip is missing: \`${WIDEDEEP_PYTHON:-python3} -m pip --version\` fails
  (models that are published as Python packages are fetched with pip, and so are build tools that are not installed)
  Debian, Ubuntu:  sudo apt-get install python3 python3-pip
  Fedora:          sudo dnf install python3 python3-pip
  another Python:  export WIDEDEEP_PYTHON=/path/to/python3"
    fi
    if ((missing)); then
        complain 'setup: install what is missing, then run the same command again'
        exit 1
    fi
}

# ---- CMake and libclang --------------------------------------------------------------------------------------------------------

cmake=''         # the program
libclang=''      # the value for LIBCLANG_PATH
libclang_file='' # the library that was tried
clang_args=''    # the value for BINDGEN_EXTRA_CLANG_ARGS, often empty

find_cmake() {
    local candidate version
    for candidate in "$(command -v cmake || true)" "$wheels/cmake/data/bin/cmake"; do
        [[ -x $candidate ]] || continue
        version=$("$candidate" --version 2>/dev/null | sed -n 's/^cmake version \([0-9.]*\).*/\1/p') || continue
        if [[ -n $version ]] && at_least "$version" "$cmake_minimum"; then
            cmake=$candidate
            return
        fi
    done
    return 1
}

# The libclangs in the folder $1, or the file $1 itself. `libclang-cpp` is another library.
libclangs_in() {
    local file
    if [[ -f $1 ]]; then
        printf '%s\n' "$1"
        return
    fi
    for file in "$1"/libclang.so "$1"/libclang-*.so "$1"/libclang.so.* "$1"/libclang-*.so.* "$1"/libclang.dylib; do
        if [[ -f $file && $file != *-cpp.* ]]; then printf '%s\n' "$file"; fi
    done
}

libclang_candidates() {
    local folder
    {
        llvm-config --libdir 2>/dev/null || true
        printf '%s\n' /usr/lib/llvm-*/lib | sort -rV
        printf '%s\n' /usr/lib64 /usr/lib /usr/local/lib /Library/Developer/CommandLineTools/usr/lib
        # Outside root's PATH on Debian.
        { PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null || true; } | awk '/libclang[-.]/ && !/-cpp[.]/ { print $NF }'
        printf '%s\n' "$wheels/clang/native"
        # The PyPI package, where it is installed.
        "$python" -c 'import importlib.util as u; print(u.find_spec("clang").submodule_search_locations[0] + "/native")' 2>/dev/null || true
    } | while read -r folder; do
        libclangs_in "$folder"
    done
}

# Whether the library $1 parses C, with the user's BINDGEN_EXTRA_CLANG_ARGS or, failing that, with gcc's headers in place of its
# own: PyPI's wheel and Debian's libclang1 come without `stddef.h` and its like.
libclang_works() {
    local given=${BINDGEN_EXTRA_CLANG_ARGS:-} include compiler
    local -a args
    read -ra args <<<"$given"
    if "$python" scripts/libclang_parses.py "$1" ${args[@]+"${args[@]}"} 2>/dev/null; then
        clang_args=$given
        return
    fi
    compiler=$(command -v gcc || echo cc)
    include=$("$compiler" -print-file-name=include)
    if [[ -f $include/stddef.h ]] && "$python" scripts/libclang_parses.py "$1" ${args[@]+"${args[@]}"} "-I$include" 2>/dev/null; then
        clang_args="${given:+$given }-I$include"
        return
    fi
    return 1
}

find_libclang() {
    local file
    if [[ -n ${LIBCLANG_PATH:-} ]]; then
        while read -r file; do
            if libclang_works "$file"; then
                libclang=$LIBCLANG_PATH libclang_file=$file
                return
            fi
        done < <(libclangs_in "$LIBCLANG_PATH")
        say "no libclang that works in LIBCLANG_PATH=\`$LIBCLANG_PATH\`: looking elsewhere"
        unset LIBCLANG_PATH
    fi
    while read -r file; do
        if libclang_works "$file"; then
            libclang=$file libclang_file=$file
            return
        fi
    done < <(libclang_candidates)
    return 1
}

# ---- getting what is missing ---------------------------------------------------------------------------------------------------

missing=()          # of `cmake` and `libclang`
apt_result='' pip_result=''

look() {
    missing=()
    [[ -n $cmake ]] || find_cmake || missing+=(cmake)
    [[ -n $libclang ]] || find_libclang || missing+=(libclang)
    ((${#missing[@]} == 0))
}

# Installs Debian's packages for what is missing. Failing is no error here: the wheels come next.
from_debian() {
    local packages=("${missing[@]/#libclang/libclang-dev}") log=.tools/apt.log
    local as_root=()
    if [[ -n ${WIDEDEEP_NO_APT:-} ]]; then
        apt_result='not tried, WIDEDEEP_NO_APT is set'
        return
    elif ! command -v apt-get >/dev/null; then
        apt_result="not tried, there is no \`apt-get\` here"
        return
    elif (($(id -u) != 0)); then
        as_root=(sudo -n)
        if ! sudo -n true 2>/dev/null; then
            apt_result="not tried, it needs root or a \`sudo\` that asks for no password"
            return
        fi
    fi
    say "missing: ${missing[*]}; installing Debian's ${packages[*]} with apt-get (log: $log)"
    local apt=(${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q
        -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 -o Acquire::http::Timeout=30)
    # One broken repository fails `update` without being in the way of `install`.
    "${apt[@]}" update </dev/null >"$log" 2>&1 || true
    if "${apt[@]}" install -y --no-install-recommends "${packages[@]}" </dev/null >>"$log" 2>&1; then
        hash -r
        apt_result='installed, but what it installed does not work here'
    else
        apt_result="\`apt-get install ${packages[*]}\` failed: $(tail -n 1 "$log")"
    fi
}

from_pypi() {
    local wanted=() tool log=.tools/pip.log
    for tool in "${missing[@]}"; do
        case $tool in
            cmake) wanted+=("$cmake_wheel") ;;
            libclang) wanted+=("$libclang_wheel") ;;
        esac
    done
    say "missing: ${missing[*]} (apt-get: $apt_result); fetching the PyPI wheels ${wanted[*]} into .tools/python (log: $log)"
    install_wheels "$wheels" "$log" "${wanted[@]}" || true
}

give_up() {
    complain "setup: cannot provide: ${missing[*]}
  installed:  none that works (CMake $cmake_minimum or newer; a libclang that \`scripts/libclang_parses.py\` accepts)
  apt-get:    $apt_result
  PyPI:       $pip_result
do one of these, then run the same command again:
  Debian, Ubuntu:  sudo apt-get update && sudo apt-get install cmake libclang-dev
  Fedora:          sudo dnf install cmake clang-devel
  without root:    $python -m pip install --target .tools/python --no-deps $cmake_wheel $libclang_wheel
  by hand:         put \`cmake\` on PATH and export LIBCLANG_PATH=/the/folder/that/holds/libclang.so"
    exit 1
}

# What llama.cpp is compiled with where the CPU has AVX-512 FP16: without it. ggml takes half-precision vectors in strides of 128 there, and heads
# of 64 values, as SmolLM2's, are left to a loop that converts one value at a time: attention takes several times as long
# (benchmarks/README.md, "engine"). With plain AVX-512 the stride is 64.
without_half=''

# without WORD TEXT: the words of TEXT that are not WORD.
without() {
    local word kept=()
    for word in $2; do [[ $word == "$1" ]] || kept+=("$word"); done
    printf '%s' "${kept[*]-}"
}

find_half() {
    local -a cc
    read -ra cc <<<"${CC:-cc}"
    local macros flag=-mno-avx512fp16
    # Where an earlier `.tools/env` has been read they hold it already.
    CFLAGS=$(without "$flag" "${CFLAGS:-}") CXXFLAGS=$(without "$flag" "${CXXFLAGS:-}")
    macros=$("${cc[@]}" -march=native -dM -E -x c /dev/null 2>/dev/null) || return 0
    if [[ $macros == *__AVX512FP16__* ]] && "${cc[@]}" "$flag" -fsyntax-only -x c /dev/null 2>/dev/null; then
        without_half=$flag
    fi
}

write_decision() {
    local new=$env_file.$$ argument
    local -a arguments
    read -ra arguments <<<"$clang_args"
    {
        echo "# Written by scripts/toolchain.sh; \`make clean-tools\` forgets it. To call cargo by hand: . .tools/env"
        echo '# form: 2'
        printf '# needs: %s\n' "$cmake" "$libclang_file"
        for argument in ${arguments[@]+"${arguments[@]}"}; do
            # A folder of headers goes with the version of gcc that it belongs to.
            if [[ $argument == -I/* ]]; then printf '# needs: %s\n' "${argument#-I}"; fi
        done
        [[ -z $cargo_bin ]] || printf "export PATH=%q:\"\$PATH\"\n" "$cargo_bin"
        [[ $cmake != "$root"/.tools/* ]] || printf "export PATH=%q:\"\$PATH\"\n" "$(dirname "$cmake")"
        printf 'export LIBCLANG_PATH=%q\n' "$libclang"
        [[ -z $clang_args ]] || printf 'export BINDGEN_EXTRA_CLANG_ARGS=%q\n' "$clang_args"
        if [[ -n $without_half ]]; then
            printf 'export CFLAGS=%q CXXFLAGS=%q\n' "${CFLAGS:+$CFLAGS }$without_half" "${CXXFLAGS:+$CXXFLAGS }$without_half"
        fi
    } >"$new"
    mv "$new" "$env_file"
}

if decided_before; then
    exit 0
fi
check_prerequisites
mkdir -p .tools
look || { from_debian; look; } || { from_pypi; look; } || give_up
find_half
write_decision
say "using $(cargo --version), $cmake, $libclang_file (kept in $env_file)"
