"""Fits and evaluates a detector under several divisions of the same questions, since one division tests on few answers.

python3 divisions.py COLLECTION [--seeds 10] [--widedeep PROGRAM]

Prints, for each way to score, the median AUROC over the divisions with the least and the most, and in how many divisions the H-unit detector is ahead of
it. The divisions overlap in their questions, so this is no interval; it shows how much of a figure is the luck of the division.
"""

import argparse
import csv
import pathlib
import statistics
import subprocess
import tempfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("collection", help="folder of `widedeep detect collect`")
parser.add_argument("--seeds", type=int, default=10, help="divisions: seeds 1 to this number")
parser.add_argument("--widedeep", default="widedeep", help="the program")
arguments = parser.parse_args()

auroc = {}
with tempfile.TemporaryDirectory() as folder:
    for seed in range(1, arguments.seeds + 1):
        detector, out = pathlib.Path(folder, f"{seed}.json"), pathlib.Path(folder, str(seed))
        fit = ["fit", arguments.collection, "--seed", str(seed), "--permutations", "0", "--out", detector]
        evaluate = ["evaluate", arguments.collection, "--detector", detector, "--out", out]
        for command in (fit, evaluate):
            subprocess.run([arguments.widedeep, "detect", *command], check=True, stdout=subprocess.DEVNULL)
        with open(out / "evaluation.csv", newline="") as table:
            for row in csv.DictReader(table):
                auroc.setdefault(row["scorer"], {})[seed] = float(row["auroc"])

detector = auroc["H-unit detector"]
print("| scores by | AUROC, median [least, most] | detector ahead in |\n| --- | ---: | ---: |")
for scorer, values in auroc.items():
    figures = list(values.values())
    spread = f"{statistics.median(figures):.2f} [{min(figures):.2f}, {max(figures):.2f}]"
    ahead = sum(detector[seed] > value for seed, value in values.items())
    print(f"| {scorer} | {spread} | {'' if scorer == 'H-unit detector' else f'{ahead} of {len(figures)}'} |")
