"""Labelled texts for `widedeep inside bricks --functions FOLDER`, from the data beside the project.

    python3 benchmarks/inside/functions.py ../shared/data functions

Seven functions, at most 120 texts each of at most 600 characters, in the order of their files: code (problems of Code Contests, then parts of this
project's own sources), mathematics (MGSM in English, then arithmetic), stories (OpenMEVA), explanations (ELI5), dialogue (HH-RLHF), russian and chinese (reward
data in these languages). The texts are not copied into the project.
"""

import json
import pathlib
import re
import sys

MOST, CHARACTERS = 120, 600


def pairs(data, dataset):
    with open(data / "llmeval2/LLMEval2_benchmark.json", encoding="utf-8") as file:
        for line in file:
            pair = json.loads(line)
            if pair["dataset"] == dataset:
                yield pair


def code(data):
    yield from (pair["query"] + "\n" + pair["response1"] for pair in pairs(data, "code-contests"))
    root = pathlib.Path(__file__).resolve().parents[2]
    for path in sorted((root / "src").rglob("*.rs")):
        # Without the documentation, which is prose.
        lines = [line for line in path.read_text().splitlines() if not line.strip().startswith("//")]
        yield "\n".join(lines[:24])


def mathematics(data):
    questions = json.loads((data / "multilingual/mgsm_parallel.json").read_text())["en"]
    yield from (question["question"] for question in questions)
    with open(data / "qa/templated_facts.jsonl", encoding="utf-8") as file:
        for line in file:
            fact = json.loads(line)
            if fact["template"] in ("mul_2x2", "add_3"):
                yield fact["question"] + " " + fact["aliases"][0]


def main():
    data, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    both = lambda pair: pair["query"] + "\n" + pair["response1"]
    reply = lambda pair: pair["response1"]
    functions = {
        "code": code(data),
        "mathematics": mathematics(data),
        "stories": (both(pair) for pair in pairs(data, "openmeva")),
        "explanations": (reply(pair) for pair in pairs(data, "eli5")),
        "dialogue": (both(pair) for pair in pairs(data, "hh-rlhf")),
        "russian": (reply(pair) for pair in pairs(data, "rlhf-reward-russian")),
        "chinese": (reply(pair) for pair in pairs(data, "rlhf-reward-chinese")),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, texts in functions.items():
        seen = {}
        for text in texts:
            text = re.sub(r"\n{3,}", "\n\n", text.strip())[:CHARACTERS].strip()
            if len(text) >= 20 and len(seen) < MOST:
                seen.setdefault(text)
        lines = [json.dumps({"prompt": text}, ensure_ascii=False) for text in seen]
        (out / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{name}: {len(seen)} texts, {sum(map(len, seen)) // max(1, len(seen))} characters on average")


main()
