#!/usr/bin/env bash
# Builds llama-server, llama-bench and llama-batched-bench into .tools/llama-tools/bin, for benchmarks/engine to measure against.
#
# The library in them (ggml/, src/, include/) is the one that widedeep is built with: the sources in the crate llama-cpp-sys-2. The crate leaves the
# programs themselves out; they, and the code that they share (tools/, common/, vendor/), are taken from the nearest release that a
# registry holds, the source archive of the PyPI package llama-cpp-python, whose llama.cpp is one minor version older.
# Compiled for this machine's CPU with the flags that the crate's build uses: `-O2` too, since with `-O3` gcc 12 loses part of the tile configuration
# of ggml's AMX kernels, and every program of llama.cpp ends with a segmentation fault on a CPU that has AMX.
# Takes about ten minutes; done once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$(pwd -P)
# shellcheck source=scripts/python.sh
. scripts/python.sh
# shellcheck source=/dev/null
. .tools/env
folder=$root/.tools/llama-tools
archive=llama_cpp_python-0.3.36.tar.gz

if "$folder/bin/llama-server" --version >/dev/null 2>&1 && [[ -x $folder/bin/llama-batched-bench && -x $folder/bin/llama-bench ]]; then
    exit 0
fi
find_python || { echo "tools: a Python with pip is needed to fetch $archive" >&2; exit 1; }
mkdir -p "$folder"
crate=$("$python" - <<'PY'
import json, subprocess
packages = json.loads(subprocess.check_output(["cargo", "metadata", "--locked", "--format-version", "1"]))["packages"]
print(next(p["manifest_path"] for p in packages if p["name"] == "llama-cpp-sys-2").removesuffix("/Cargo.toml"))
PY
)
if [[ ! -f $folder/$archive ]]; then
    echo "tools: fetching $archive (77 MB)"
    "$python" "$root/benchmarks/engine/fetch_sdist.py" llama-cpp-python "$archive" "$folder/$archive"
fi
rm -rf "$folder/source" "$folder/archive" "$folder/build"
mkdir -p "$folder/archive"
tar -xzf "$folder/$archive" -C "$folder/archive" --strip-components=3 --wildcards '*/vendor/llama.cpp'
cp -r "$folder/archive" "$folder/source"
for part in ggml src include; do
    rm -rf "${folder:?}/source/$part"
    cp -r "$crate/llama.cpp/$part" "$folder/source/$part"
done
echo "tools: building (log: .tools/llama-tools/build.log)"
{
    cmake -S "$folder/source" -B "$folder/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=ON \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=ON -DLLAMA_BUILD_TOOLS=ON -DLLAMA_BUILD_COMMON=ON \
        -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF
    cmake --build "$folder/build" --parallel "$(nproc)" --target llama-server llama-bench llama-batched-bench
} >"$folder/build.log" 2>&1 || { tail -n 30 "$folder/build.log" >&2; exit 1; }
mkdir -p "$folder/bin"
for program in llama-server llama-bench llama-batched-bench; do
    cp "$folder/build/bin/$program" "$folder/bin/"
done
rm -rf "$folder/archive" "$folder/build"
"$folder/bin/llama-server" --version
