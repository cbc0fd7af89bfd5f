"""Asks the prompts of a file through inspect_ai: with_inspect.py PROMPTS URL CONCURRENCY LOGS

One sample per prompt, both scores read by a scorer; the log, which is inspect_ai's record of a run, goes to the folder LOGS.
"""

import json
import re
import sys

from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.scorer import Score, mean, scorer
from inspect_ai.solver import generate

SCORE = re.compile(r"^Score of Assistant ([12]): (\d+)", re.MULTILINE)


@scorer(metrics={"1": [mean()], "2": [mean()]})
def both_scores():
    async def score(state, target):
        return Score(value={which: int(points) for which, points in SCORE.findall(state.output.completion)})

    return score


def main():
    prompts, url, concurrency, logs = sys.argv[1:]
    with open(prompts) as lines:
        samples = [
            Sample(input=[ChatMessageSystem(content=prompt["system"]), ChatMessageUser(content=prompt["user"])])
            for prompt in map(json.loads, lines)
        ]
    config = GenerateConfig(temperature=0, max_connections=int(concurrency))
    # Without `responses_api=False` it would ask OpenAI's newer API.
    model = get_model("openai/judge", base_url=url, api_key="none", responses_api=False, config=config)
    task = Task(dataset=MemoryDataset(samples), solver=generate(), scorer=both_scores())
    [log] = eval(task, model=model, log_dir=logs, display="none")
    if log.status != "success":
        sys.exit(f"inspect_ai: {log.error}")
    print(sum(len(sample.scores["both_scores"].value) == 2 for sample in log.samples))


if __name__ == "__main__":
    main()
