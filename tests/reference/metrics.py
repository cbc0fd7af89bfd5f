"""Prints the reference values that the tests of `src/agreement/` and `tests/metrics_over_llmeval2.rs` hold as literals.

    python -m venv venv && venv/bin/pip install scikit-learn statsmodels
    venv/bin/python tests/reference/metrics.py ../shared/data/llmeval2/LLMEval2_benchmark.json

The literals were printed by scikit-learn 1.9.1, SciPy 1.17.1 and statsmodels 0.15.0.
"""

import json
import sys
import warnings

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score
from statsmodels.stats.multitest import multipletests

CLASSES = ["model1", "model2", "TIE"]
warnings.filterwarnings("ignore")


def labels(text):
    return [{"1": "model1", "2": "model2", "T": "TIE"}[c] for c in text]


def metrics(gold, predicted):
    return (
        accuracy_score(gold, predicted),
        f1_score(gold, predicted, labels=CLASSES, average="macro", zero_division=0),
        f1_score(gold, predicted, average="macro", zero_division=0),
        cohen_kappa_score(gold, predicted),
    )


def show(name, values):
    print(f"{name:34}", *(f"{v:.6f}" for v in values))


def expand(counts):
    rows = [(g, p) for g in range(3) for p in range(3) for _ in range(counts[g][p])]
    return [CLASSES[g] for g, _ in rows], [CLASSES[p] for _, p in rows]


print("accuracy, macro-F1 over three classes, macro-F1 over present classes, kappa")
K = "11112222TT"
K8 = [[30, 8, 2], [10, 25, 5], [6, 7, 7]]
for name, gold, predicted in [
    ("K1", K, "111222T1T1"),
    ("K2", K, K),
    ("K3", K, "1111111111"),
    ("K4", "12121212", "1222T211"),
    ("K5", "11111", "11111"),
    ("K6", "121212", "212121"),
    ("K7", "1111", "112T"),
]:
    show(name, metrics(labels(gold), labels(predicted)))
show("K8", metrics(*expand(K8)))

if len(sys.argv) > 1:
    rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    gold = [row["human"] for row in rows]

    def longer(size, margin=0):
        def predict(row):
            difference = size(row["response1"]) - size(row["response2"])
            return "TIE" if abs(difference) <= margin else "model1" if difference > 0 else "model2"

        return predict

    utf8 = lambda text: len(text.encode())
    shorter = {"model1": "model2", "model2": "model1", "TIE": "TIE"}
    for name, predict in [
        *((f"always {c}", lambda row, c=c: c) for c in CLASSES),
        ("longer, characters", longer(len)),
        ("longer, bytes", longer(utf8)),
        ("shorter, characters", lambda row: shorter[longer(len)(row)]),
        ("longer, margin of 20 characters", longer(len, 20)),
    ]:
        show(name, metrics(gold, [predict(row) for row in rows]))

print("\nWilson intervals at 95 % (SciPy) of successes / n")
for k, n in [(48, 80), (0, 10), (10, 10), (1532, 2553), (1, 3)]:
    interval = binomtest(k, n).proportion_ci(0.95, method="wilson")
    show(f"{k}/{n}", (interval.low, interval.high))

print("\nMcNemar, exact two-sided (SciPy's binomial test) of discordant counts")
for b, c in [(10, 3), (3, 10), (5, 5), (0, 6), (0, 0), (121, 90), (1000, 1100)]:
    print(f"{b},{c}", repr(float(binomtest(b, b + c).pvalue)) if b + c else 1.0)

print("\nHolm (statsmodels)")
for p in [[0.01, 0.04, 0.03, 0.005], [0.5, 0.6, 0.9], [0.02, 0.02, 0.02]]:
    show(str(p), multipletests(p, method="holm")[1])

print("\npercentile bootstrap at 95 % of K8, 200,000 resamples row by row (NumPy)")
g, p = (np.array([CLASSES.index(label) for label in side]) for side in expand(K8))
rng = np.random.default_rng(0)
draws = []
for _ in range(200_000):
    rows = rng.integers(0, len(g), len(g))
    table = np.bincount(g[rows] * 3 + p[rows], minlength=9).reshape(3, 3).astype(float)
    n, true, gold_n, predicted_n = table.sum(), np.diag(table), table.sum(1), table.sum(0)
    chance = (gold_n * predicted_n).sum() / n**2
    draws.append((true.sum() / n, (2 * true / (gold_n + predicted_n)).mean(), (true.sum() / n - chance) / (1 - chance)))
for name, column in zip(["accuracy", "macro-F1", "kappa"], np.array(draws).T):
    show(name, np.quantile(column, [0.025, 0.975]))

print("\npaired percentile bootstrap at 95 % of differences (first - second), 200,000 resamples row by row (NumPy)")
# 60 rows (gold, first, second), repeated blocks so that the test can write them down.
PAIRED = [("1", "1", "1", 14), ("1", "1", "2", 6), ("1", "2", "1", 3), ("2", "2", "2", 12), ("2", "2", "1", 7),
          ("2", "1", "2", 2), ("2", "T", "1", 2), ("T", "T", "1", 5), ("T", "1", "1", 5), ("T", "2", "T", 4)]
index = {"1": 0, "2": 1, "T": 2}
g, a, b = (np.array([index[row[k]] for row in PAIRED for _ in range(row[3])]) for k in range(3))


def both(gold, predicted):
    table = np.bincount(gold * 3 + predicted, minlength=9).reshape(3, 3).astype(float)
    n = table.sum()
    observed, chance = np.trace(table) / n, (table.sum(1) * table.sum(0)).sum() / n**2
    return observed, (observed - chance) / (1 - chance)


show("first: accuracy, kappa", both(g, a))
show("second: accuracy, kappa", both(g, b))
draws = []
for _ in range(200_000):
    rows = rng.integers(0, len(g), len(g))
    draws.append(np.subtract(both(g[rows], a[rows]), both(g[rows], b[rows])))
for name, column in zip(["accuracy", "kappa"], np.array(draws).T):
    show(name, np.quantile(column, [0.025, 0.975]))
    show(f"{name}: share ≤ 0", [(column <= 0).mean()])
