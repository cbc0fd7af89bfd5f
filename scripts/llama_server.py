"""llama.cpp's HTTP server out of the PyPI wheel `xllamacpp`, with those of `llama-server`'s flags that the tests use.

It ends with the process that started it, however that one ends: a killed test leaves no server behind.
"""

import argparse
import os
import time

import xllamacpp


def flags():
    parser = argparse.ArgumentParser(prog="llama-server", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"xllamacpp {xllamacpp.__version__}")
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--api-key")
    parser.add_argument("-c", "--ctx-size", type=int, default=4096)
    parser.add_argument("-np", "--parallel", type=int, default=1)
    parser.add_argument("-kvu", "--kv-unified", action="store_true")
    parser.add_argument("-t", "--threads", type=int, default=1)
    parser.add_argument("--jinja", action="store_true")
    parser.add_argument("--lora", action="append", default=[])
    return parser


def main():
    parent = os.getppid()
    arguments = flags().parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.hostnames = [arguments.host]
    params.port = arguments.port
    params.api_keys = [arguments.api_key] if arguments.api_key else []
    params.n_ctx = arguments.ctx_size
    params.n_parallel = arguments.parallel
    params.kv_unified = arguments.kv_unified
    params.cpuparams.n_threads = arguments.threads
    params.cpuparams_batch.n_threads = arguments.threads
    params.use_jinja = arguments.jinja
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 1.0) for path in arguments.lora]
    # Small: it serves tests.
    params.n_threads_http = 4
    params.cache_ram_mib = 0
    params.warmup = False
    # Comes back when the model is loaded; the server goes on in threads of its own.
    server = xllamacpp.Server(params)
    print(f"listening on {server.listening_address}", flush=True)
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    main()
