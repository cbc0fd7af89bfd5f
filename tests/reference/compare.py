"""Prints the reference values that the tests of `src/agreement/repeated.rs` and `tests/compare/` hold as literals.

    python -m venv venv && venv/bin/pip install scikit-learn statsmodels
    venv/bin/python tests/reference/compare.py

The literals were printed by scikit-learn 1.9.1, SciPy 1.17.1 and statsmodels 0.15.0.
"""

import numpy as np
from scipy.stats import binomtest, entropy
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score
from statsmodels.stats.multitest import multipletests

CLASSES = ["1", "2", "T"]
rng = np.random.default_rng(1)


def rows_of(text):
    rows = []
    for line in text.split():
        gold, first, second, times = line.split(",")
        rows += [(gold, first, second)] * int(times)
    return rows


def flat(rows, judge):
    gold = [r[0] for r in rows for _ in r[judge]]
    return gold, [v for r in rows for v in r[judge]]


def measures(rows, judge):
    gold, said = flat(rows, judge)
    return np.array([
        accuracy_score(gold, said),
        f1_score(gold, said, labels=CLASSES, average="macro", zero_division=0),
        cohen_kappa_score(gold, said),
    ])


# A judge with three runs, and one with a single run: gold, verdicts, verdict, times.
REPEATED = rows_of("1,111,1,9 1,112,2,7 1,2T1,1,4 2,222,1,8 2,121,2,6 T,T1T,1,5 T,222,T,3")
print("repeated: accuracy, macro-F1, kappa")
first, second = measures(REPEATED, 1), measures(REPEATED, 2)
print(" first     ", first)
print(" second    ", second)
draws_first, draws = [], []
for _ in range(20_000):
    drawn = [REPEATED[i] for i in rng.integers(0, len(REPEATED), len(REPEATED))]
    a, b = measures(drawn, 1), measures(drawn, 2)
    draws_first.append(a)
    draws.append(a - b)
print(" first, 95 %", *np.quantile(draws_first, [0.025, 0.975], axis=0))
print(" difference ", first - second, *np.quantile(draws, [0.025, 0.975], axis=0))
right = lambda gold, said: said.count(gold) / len(said)
signs = [np.sign(right(g, a) - right(g, b)) for g, a, b in REPEATED]
up, down = signs.count(1), signs.count(-1)
print(" sign test  ", up, down, binomtest(up, up + down).pvalue)

# Four judges over the twelve pairs of tests/compare/grid.rs.
GOLD = "112212T121T2"
JUDGES = {
    "always-model1": "111111111111",
    "longer": "121212121212",
    "one": "112211T12112",
    "two": "122112T111T1",
}
print("\njudges: accuracy, macro-F1, kappa")
for name, said in JUDGES.items():
    print(f" {name:14}", accuracy_score(list(GOLD), list(said)),
          f1_score(list(GOLD), list(said), labels=CLASSES, average="macro", zero_division=0),
          cohen_kappa_score(list(GOLD), list(said)))
names = list(JUDGES)
p_values, labels = [], []
for i, a in enumerate(names):
    for b in names[i + 1:]:
        only_a = sum(x == g != y for g, x, y in zip(GOLD, JUDGES[a], JUDGES[b]))
        only_b = sum(y == g != x for g, x, y in zip(GOLD, JUDGES[a], JUDGES[b]))
        p_values.append(binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0)
        labels.append((a, b, only_a, only_b))
holm = multipletests(p_values, method="holm")[1]
print("McNemar: only first, only second, p, p (Holm)")
for label, p, adjusted in zip(labels, p_values, holm):
    print("", *label, p, adjusted)
print("entropies of 1:3, 2:2, 1:1:2 and 0:4:", [entropy(c) for c in ([1, 3], [2, 2], [1, 1, 2], [4])])
