"""Asks the prompts of a file through Verdict: with_verdict.py PROMPTS URL CONCURRENCY

One unit per prompt, both scores read with Verdict's own RegexExtractor, no rate limit.
"""

import json
import sys

import pandas
from verdict import Pipeline, config
from verdict.core.primitive import Unit
from verdict.dataset import DatasetWrapper
from verdict.extractor import RegexExtractor
from verdict.model import vLLMModel
from verdict.schema import Schema


class Judge(Unit):
    class InputSchema(Schema):
        system: str
        user: str

    class ResponseSchema(Schema):
        score1: int
        score2: int


def main():
    prompts, url, concurrency = sys.argv[1:]
    config.state.rate_limiter_disabled = True
    judge = (
        Judge()
        .prompt("@system\n{input.system}\n@user\n{input.user}")
        .extract(RegexExtractor({f"score{n}": rf"(?<=Score of Assistant {n}: )\d+" for n in (1, 2)}))
        # Verdict's way to another server; it sends the prompt as it is, where an OpenAI model's would begin with random letters.
        .via(vLLMModel(name="judge", api_base=url, api_key="none"), temperature=0)
    )
    with open(prompts) as lines:
        # A data frame rather than a list: lists go through the package `datasets`, which the newest PyArrow breaks.
        inputs = DatasetWrapper(pandas.DataFrame(map(json.loads, lines)))
    rows, columns = (Pipeline("judge") >> judge).run_from_dataset(inputs, max_workers=int(concurrency))
    scores = rows[[column for column in columns if column.endswith(("score1", "score2"))]].dropna()
    print(len(scores))


if __name__ == "__main__":
    main()
