"""Intervals for a mean over sequences of unlike length: how estimators of its variance compare.

    python benchmarks/interval_candidates.py [--studies 4000]

Only the sequences' means are simulated: a level of each sequence's own, and noise whose variance falls with its
frames as under a correlation of 0.9 between neighbours. Of each candidate stand the coverage of its 95 % interval
and how wide that is in the middle, 1 being the interval of one who knows the standard error. The candidates:

own         distances to the weighted mean, S - 1 degrees of freedom (a ratio over clusters)
own, S_eff  the same with 1 / sum(w^2) - 1 degrees of freedom
CR2         distances rescaled to be unbiased for equally variable sequences, Satterthwaite's degrees of freedom
            (Bell and McCaffrey, "Bias Reduction in Standard Errors for Linear Regression with Multi-Stage Samples",
            Survey Methodology 28, 2002)
boot-t      quantiles of the studentized cluster bootstrap, on `own`
alike       plain variance of the sequences' means, S - 1 degrees of freedom
larger      the larger of `own` and `alike`: what scopedepth.statistics.bootstrap takes

A second table has the coverage of `larger` where lengths are drawn anew with the sequences, and correlate with their
levels: the mean over frames is then another than that over sequences.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow_scripts"))

from bootstrap_coverage import HAMLYN, Case, mean_of_shape, shape, size_of
from scopedepth.statistics.bootstrap import new_variance

RESAMPLES = 399
# Studies in which the bootstrap is repeated, which is the slow one.
BOOTSTRAPPED = 1000
LENGTHS = (
    (100,) * 8,
    HAMLYN,
    (100,) * 7 + (1000,),
    (100,) * 4 + (1000,),
    (100,) * 19 + (1000,),
    (100,) * 30 + (2000,) * 3,
)
KINDS = (
    (0.0, "normal", 1.0),
    (0.3, "normal", 1.0),
    (1.0, "normal", 1.0),
    (1.0, "skewed", 1.0),
    (1.0, "normal", 2.0),
)


def means_of(case: Case, count: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return sequences' means (study, sequence) and the mean over sequences taken anew."""
    lengths = np.array(case.lengths, np.float64)
    noise = np.sqrt((1 + case.correlation) / (1 - case.correlation) / lengths)
    levels = case.levels * rng.standard_normal((count, len(lengths)))
    levels[:, np.argmax(lengths)] *= case.longest
    means = shape(levels, case.shape) + noise * rng.standard_normal(levels.shape) * (
        1.0 if case.shape == "normal" else 0.3
    )
    return means, float(mean_of_shape(np.zeros(1), case.levels**2, case.shape)[0])


def candidates(
    means: np.ndarray, w: np.ndarray, lengths: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the ends of each candidate's intervals about the weighted mean, (2, study), as distances from it."""
    n = means.shape[1]
    gaps = means - (means @ w)[:, None]
    own = n / (n - 1) * (w**2 * gaps**2).sum(axis=1)
    alike = means.var(axis=1, ddof=1) * (w**2).sum()
    unbiased = w**2 / (1 - 2 * w + (w**2).sum())
    centre = np.eye(n) - w
    form = centre.T @ (unbiased[:, None] * centre)
    satterthwaite = np.trace(form) ** 2 / np.trace(form @ form)
    found = {}
    for name, variance, df in (
        ("own", own, n - 1.0),
        ("own, S_eff", own, 1 / (w**2).sum() - 1),
        ("CR2", (unbiased * gaps**2).sum(axis=1), satterthwaite),
        ("alike", alike, n - 1.0),
        ("larger", new_variance(means, w), n - 1.0),
    ):
        half = stats.t.ppf(0.975, df) * np.sqrt(variance)
        found[name] = np.stack([-half, half])
    some = slice(None, BOOTSTRAPPED)
    low, high = studentized(means[some], w, lengths, rng)
    found["boot-t"] = np.stack([-high, -low]) * np.sqrt(own[some])
    return found


def studentized(
    means: np.ndarray, w: np.ndarray, lengths: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2.5 and 97.5 % quantiles of t over resampled sequences, (study,)."""
    n = means.shape[1]
    picks = rng.integers(0, n, (len(means), RESAMPLES, n))
    drawn, weights = means[np.arange(len(means))[:, None, None], picks], lengths[picks]
    weights = weights / weights.sum(axis=2, keepdims=True)
    value = (weights * drawn).sum(axis=2)
    error = np.sqrt(n / (n - 1) * (weights**2 * (drawn - value[:, :, None]) ** 2).sum(axis=2))
    gap = value - (means @ w)[:, None]
    t = np.divide(gap, error, out=np.sign(gap) * 1e9, where=error > 0)
    low, high = np.quantile(t, [0.025, 0.975], axis=1)
    return low, high


def informative(n: int, spread: float, correlation: float, studies: int, rng: np.random.Generator) -> float:
    """Return the coverage of `larger` with log-normal lengths of this spread and correlation with the levels."""
    logs = rng.standard_normal((studies, n))
    levels = correlation * logs + np.sqrt(1 - correlation**2) * rng.standard_normal((studies, n))
    w = np.exp(spread * logs)
    w /= w.sum(axis=1, keepdims=True)
    variance = np.array([new_variance(one[None], weights)[0] for one, weights in zip(levels, w, strict=True)])
    # E(length level) / E(length) of standard normal logarithms.
    off = (levels * w).sum(axis=1) - correlation * spread
    return float(np.mean(np.abs(off) <= stats.t.ppf(0.975, n - 1) * np.sqrt(variance)))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    names = ("own", "own, S_eff", "CR2", "boot-t", "alike", "larger")
    print("sequences x frames      S_eff  levels longest shape  " + "".join(f"{name:>15}" for name in names))
    for lengths in LENGTHS:
        for levels, kind, longest in KINDS:
            case = Case(lengths, 0.9, levels, kind, "frames", longest=longest)
            means, truth = means_of(case, arguments.studies, rng)
            count = np.array(lengths, np.float64)
            w = count / count.sum()
            value = means @ w
            found = candidates(means, w, count, rng)
            cells = []
            for name in names:
                low, high = found[name]
                off = truth - value[: len(low)]
                width = np.median(high - low) / (2 * 1.96 * value.std())
                cells.append(f"{np.mean((low <= off) & (off <= high)):>9.1%} {width:>5.2f}")
            head = f"{size_of(lengths):<22}{case.effective:>7.1f}{levels:>8.1f}{longest:>8.1f} {kind:<8}"
            print(head + "".join(cells), flush=True)
    print("\nsequences  spread of ln(length)  correlation of level and ln(length)  coverage")
    for n in (8, 20):
        for spread in (0.5, 0.9):
            for correlation in (0.0, 0.5, 0.9):
                covered = informative(n, spread, correlation, arguments.studies, rng)
                print(f"{n:>9}{spread:>22.1f}{correlation:>37.1f}{covered:>10.1%}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
