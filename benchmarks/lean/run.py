"""Measures what a judgement costs beside the model: widedeep, Verdict and inspect_ai over one server that answers at once.

    python3 benchmarks/lean/run.py            # builds, installs the other two into .tools/lean, writes benchmarks/lean/RESULTS.md
    python3 benchmarks/lean/run.py --quick    # small sizes, to see that everything works; prints and writes nothing

benchmarks/README.md says how to read the result.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGES = ROOT / ".tools" / "lean"
# Each in a folder of its own: they want different versions of the same packages. Without the pin of litellm, pip fetches its releases one by one.
INSTALL = {
    "verdict": ["verdict==0.2.7", "litellm==1.61.20"],
    "inspect": ["inspect-ai==0.3.285", "openai"],
}
CONCURRENCY = 16
REPETITIONS = 3
STARTS = 20


class Server:
    """The process of loopback.rs."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def requests(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Client:
    """One row of the table. `command(size, folder)` gives what to run; it makes `calls(size)` requests."""

    def __init__(self, name, sizes, calls, command, environment=None):
        self.name, self.sizes, self.calls, self.command, self.environment = name, sizes, calls, command, environment or {}
        self.failures = 0


class Failed(Exception):
    """A client ended with an error."""


def spent(command, environment=None):
    """Runs a command in a folder of its own: seconds of CPU (user and system), peak memory in MiB, wall seconds, and what it printed."""
    with tempfile.TemporaryDirectory(prefix="lean-") as folder, open(Path(folder) / "printed", "w+b") as printed:
        began = time.monotonic()
        child = subprocess.Popen(
            [str(part) for part in command(Path(folder))],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read().decode(errors="replace")
    if child.returncode != 0:
        raise Failed(f"{child.args} failed ({child.returncode}):\n{text[-3000:]}")
    # KiB, but bytes on macOS.
    peak = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return usage.ru_utime + usage.ru_stime, peak, wall, text


def write_pairs(path, count):
    """Pairs of about 200 words, no two alike, so that no call can stand for another."""
    with open(path, "w") as file:
        for i in range(count):
            pair = {
                "id": str(i),
                "query": f"Question {i}: which of the two is better? " + "Some words of context follow here. " * 4,
                "response1": f"The first answer to {i}. " + "It goes on for a while with reasons. " * 12,
                "response2": f"The second answer to {i}. " + "It is a little longer and has details. " * 14,
                "label": ["model1", "model2", "tie"][i % 3],
                "dataset": "loopback",
            }
            file.write(json.dumps(pair) + "\n")


def write_prompts(opinions, path, count):
    """The first `count` prompts of a run of widedeep, for the others to ask: all three send the same text."""
    with open(opinions) as lines, open(path, "w") as file:
        for line in lines:
            record = json.loads(line)
            if record["kind"] == "opinion" and count > 0:
                messages = {message["speaker"]: message["content"] for message in record["prompt"]}
                file.write(json.dumps(messages) + "\n")
                count -= 1
    if count > 0:
        sys.exit(f"{opinions} lacks {count} prompts")


def slope(client, server):
    """CPU milliseconds per call, from the cheapest run of each size, and the largest peak at the larger size."""
    cpu, peak = {}, 0.0
    for size in client.sizes:
        done = 0
        while done < REPETITIONS:
            before = server.requests()
            try:
                seconds, memory, wall, _ = spent(lambda folder: client.command(size, folder), client.environment)
            except Failed as failure:
                # Threads race in some clients now and then. Told in the result, and measured anew.
                print(failure, file=sys.stderr)
                client.failures += 1
                if client.failures > REPETITIONS:
                    sys.exit(f"{client.name} failed {client.failures} times")
                continue
            done += 1
            made = server.requests() - before
            if made != client.calls(size):
                sys.exit(f"{client.name} made {made} requests where {client.calls(size)} were due")
            print(f"{client.name}, {made} calls: {seconds:.2f} s of CPU, {memory:.0f} MiB, {wall:.1f} s", file=sys.stderr)
            cpu[size] = min(seconds, cpu.get(size, seconds))
            if size == client.sizes[-1]:
                peak = max(peak, memory)
    small, large = client.sizes
    return 1000 * (cpu[large] - cpu[small]) / (client.calls(large) - client.calls(small)), peak


def start_up(command, environment=None):
    """Median wall milliseconds."""
    times = sorted(spent(lambda _: command, environment)[2] for _ in range(STARTS))
    return 1000 * (times[STARTS // 2 - 1] + times[STARTS // 2]) / 2


def install():
    for name, wanted in INSTALL.items():
        target = PACKAGES / name
        if not target.exists():
            print(f"installing {' '.join(wanted)} into {target}", file=sys.stderr)
            # Under another name until it is whole.
            part = PACKAGES / f"{name}.part"
            subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", part, *wanted], check=True)
            part.rename(target)


def versions(name):
    """Versions of the packages that matter, out of the folder they are installed in."""
    found = {}
    for info in (PACKAGES / name).glob("*.dist-info"):
        package, _, version = info.name.removesuffix(".dist-info").rpartition("-")
        found[package] = version
    return ", ".join(f"{package} {found[package]}" for package in ("verdict", "litellm", "inspect_ai", "openai") if package in found)


def build():
    script = "if [ -e .tools/env ]; then . .tools/env; fi; cargo build --release --locked --bin widedeep --example loopback"
    subprocess.run(["bash", "-c", script], cwd=ROOT, check=True)
    release = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    return release / "widedeep", release / "examples" / "loopback"


def machine():
    cpu = platform.processor() or "unknown CPU"
    try:
        with open("/proc/cpuinfo") as lines:
            cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, StopIteration, KeyError):
        system = platform.platform()
    return f"{cpu}, {os.cpu_count()} cores, {system}, Linux {platform.release()}" if sys.platform == "linux" else f"{cpu}, {os.cpu_count()} cores, {system}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes; prints the result and writes no file")
    parser.add_argument("--widedeep", type=Path, help="a built widedeep (with --loopback: nothing is built)")
    parser.add_argument("--loopback", type=Path, help="a built loopback server")
    options = parser.parse_args()
    load = os.getloadavg()[0]

    widedeep, loopback = options.widedeep, options.loopback
    if bool(widedeep) != bool(loopback):
        parser.error("--widedeep and --loopback go together")
    if not widedeep:
        widedeep, loopback = build()
    widedeep, loopback = widedeep.resolve(), loopback.resolve()
    install()
    pairs_sizes = (200, 1000) if options.quick else (2000, 10_000)
    prompt_sizes = (20, 60) if options.quick else (100, 400)
    large = 5000 if options.quick else 100_000
    server = Server(loopback)

    with tempfile.TemporaryDirectory(prefix="lean-inputs-") as kept:
        inputs = Path(kept)
        for count in (*pairs_sizes, large):
            write_pairs(inputs / f"{count}.jsonl", count)

        def judge(*flags):
            def command(pairs, folder):
                given = [folder / flag if flag == "CACHE" else flag for flag in flags]
                return [widedeep, "eval", inputs / f"{pairs}.jsonl", "--network", "single", "--model", "openai:judge", "--base-url", server.url,
                        "--api-key-env", "NONE_SUCH", "--out", folder / "run", *given]  # fmt: skip
            return command

        def script(name, *more):
            def command(count, folder):
                return [sys.executable, HERE / name, inputs / f"{count}.prompts", server.url, CONCURRENCY, *(folder / part for part in more)]
            return command

        def python(name):
            # LOG_LEVEL is Verdict's: without it an error goes to its log only.
            return {"PYTHONPATH": str(PACKAGES / name), "PYTHONDONTWRITEBYTECODE": "", "LOG_LEVEL": "ERROR"}

        # Not measured: it provides the prompts.
        with tempfile.TemporaryDirectory(prefix="lean-") as folder:
            subprocess.run([str(part) for part in judge("--limit", str(prompt_sizes[-1]))(pairs_sizes[-1], Path(folder))],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
            for count in prompt_sizes:
                write_prompts(Path(folder) / "run" / "opinions.jsonl", inputs / f"{count}.prompts", count)

        # Two orders per pair, and one probe of the endpoint.
        calls = lambda pairs: 2 * pairs + 1  # noqa: E731
        many = ["--concurrency", str(CONCURRENCY)]
        clients = [
            Client(f"widedeep, `--concurrency {CONCURRENCY}`", pairs_sizes, calls, judge(*many)),
            Client(f"widedeep, `--concurrency {CONCURRENCY} --cache FILE`", pairs_sizes, calls, judge(*many, "--cache", "CACHE")),
            Client("widedeep, one pair at a time (default)", pairs_sizes, calls, judge()),
            Client(f"Verdict, {CONCURRENCY} workers, its log off", prompt_sizes, int, script("with_verdict.py"), {**python("verdict"), "VERDICT_NO_LOG": "1"}),
            Client(f"Verdict, {CONCURRENCY} workers, its log on (default)", prompt_sizes, int, script("with_verdict.py"), python("verdict")),
            Client(f"inspect_ai, {CONCURRENCY} connections", prompt_sizes, int, script("with_inspect.py", "logs"), python("inspect")),
        ]
        measured = [(client, *slope(client, server)) for client in clients]

        before = server.requests()
        large_cpu, large_peak, large_wall, _ = spent(lambda folder: judge(*many)(large, folder))
        made = server.requests() - before
        if made != calls(large):
            sys.exit(f"the run of {large} pairs made {made} requests where {calls(large)} were due")
        starts = [
            ("`widedeep --help`", start_up([widedeep, "--help"])),
            ("`python -c 'import verdict'`", start_up([sys.executable, "-c", "import verdict"], python("verdict"))),
            ("`inspect --help`", start_up([sys.executable, PACKAGES / "inspect" / "bin" / "inspect", "--help"], python("inspect"))),
        ]
    server.stop()

    reference = measured[0][1]
    version = subprocess.run([widedeep, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if not options.widedeep:
        version += ", commit " + subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    failed = ", ".join(f"{client.name}: {client.failures}" for client in clients if client.failures)
    lines = [
        "# What a judgement costs beside the model",
        "",
        "Written by `python3 benchmarks/lean/run.py`; [how to read it](../README.md).",
        "",
        "| client | CPU ms per call | times the first row | calls measured | peak memory at the larger size |",
        "|---|---:|---:|---:|---:|",
    ]
    for client, cost, peak in measured:
        sizes = " and ".join(f"{client.calls(size):,}" for size in client.sizes)
        lines.append(f"| {client.name} | {cost:.3f} | {cost / reference:.1f} | {sizes} | {peak:.0f} MiB |")
    lines += [
        "",
        f"One run of {large:,} pairs ({made:,} calls, `--concurrency {CONCURRENCY}`): peak memory {large_peak:.0f} MiB, {large_cpu:.1f} s of CPU "
        f"({1000 * large_cpu / made:.3f} ms per call, start-up and report included), {large_wall:.0f} s of wall time.",
        "",
        f"| start-up | wall ms (median of {STARTS}) |",
        "|---|---:|",
        *(f"| {name} | {milliseconds:.0f} |" for name, milliseconds in starts),
        "",
        f"- Versions: {version}; {versions('verdict')}; {versions('inspect')}; Python {platform.python_version()}.",
        f"- Machine: {machine()}.",
        f"- Load average (one minute) when it started: {load:.1f}. Wall times suffer from other work on the machine, CPU times little.",
        f"- Date: {datetime.date.today().isoformat()}.",
        f"- {REPETITIONS} repetitions of every size; the cheapest counts. The server's count of requests was checked after every run.",
        f"- Runs that ended with an error and were repeated: {failed or 'none'}.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if not options.quick:
        (HERE / "RESULTS.md").write_text(text)


if __name__ == "__main__":
    main()
