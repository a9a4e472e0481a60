"""Figures for papers, drawn by matplotlib as PDF and PNG: accuracy against speed, and rank under each protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scopedepth.report.front import candidates, front
from scopedepth.report.html.parts.svg import log_ticks, tick_text
from scopedepth.report.results import Results
from scopedepth.report.words import higher_is_better, metric_label, metric_unit

# The page's colours on white, so that a paper's figure and the page agree.
PALETTE = (
    "#1463a5",
    "#c2491d",
    "#047857",
    "#a03f84",
    "#9a6700",
    "#2a86b8",
    "#6a58c4",
    "#7d5230",
    "#5d771f",
    "#b23a4c",
)
BASELINE = "#79828a"
MARKS = ("o", "s", "^", "D", "v", "P", "p", "h")
RESOLUTION = 300  # dots an inch

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "scopedepth",
    # Titles are users' text: a dollar sign is a dollar sign.
    "text.usetex": False,
    "text.parse_math": False,
}

_MARK = {"markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.6}


def styles(results: Results) -> dict[str, tuple[str, str]]:
    """Return colour and marker of every model, as on the page."""
    found = {
        name: (PALETTE[i % len(PALETTE)], MARKS[i % len(MARKS)]) for i, name in enumerate(results.networks)
    }
    for i, name in enumerate(model for model in results.model_names if results.is_baseline(model)):
        found[name] = (BASELINE, MARKS[(i + 4) % len(MARKS)])
    return found


def plain(text: str) -> str:
    """Return text that fits beside a figure, on one line."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return shown if len(shown) <= 34 else shown[:33].rstrip() + "…"


@contextmanager
def figure(width: float, height: float) -> Iterator[tuple[Any, Any]]:
    """Yield a figure and its axes (inches), drawn without a display."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        drawn = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(drawn)
        yield drawn, drawn.add_subplot()


def save(drawn: Any, out: Path, name: str) -> list[Path]:
    """Write a figure as PDF and PNG without dates or versions, so that its bytes follow from its content."""
    pdf, png = out / f"{name}.pdf", out / f"{name}.png"
    drawn.savefig(pdf, metadata={"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None})
    drawn.savefig(png, dpi=RESOLUTION, metadata={"Software": None})
    return [pdf, png]


def speed_figure(results: Results, dataset: str, out: Path) -> list[Path]:
    """Draw accuracy against speed on one dataset; nothing where no model has both."""
    found = candidates(results, dataset)
    if not found:
        return []
    style = styles(results)
    upwards = higher_is_better(results.metric)
    with figure(5.6, 3.3) as (drawn, axes):
        baseline = results.best_baseline(dataset)
        level = results.value(dataset, baseline) if baseline else None
        if baseline and level is not None:
            label = plain(results.model_title(baseline))
            axes.axhline(level, color=BASELINE, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1, label=label)
        steps = front(results, found)
        axes.step(
            [p.ms for p in steps],
            [p.value for p in steps],
            where="post",
            color="#9aa2a9",
            linewidth=0.8,
            zorder=1,
        )
        for p in found:
            colour, marker = style[p.model]
            if p.low is not None and p.high is not None:
                axes.plot([p.ms, p.ms], [p.low, p.high], color=colour, linewidth=1.4, alpha=0.5, zorder=2)
            if p.ms_low is not None and p.ms_high is not None:
                axes.plot(
                    [p.ms_low, p.ms_high],
                    [p.value, p.value],
                    color=colour,
                    linewidth=1.4,
                    alpha=0.5,
                    zorder=2,
                )
            label = plain(p.title) + (f" {p.seen}" if p.seen else "")
            axes.plot(p.ms, p.value, marker, color=colour, linestyle="none", zorder=3, label=label, **_MARK)
        axes.set_xscale("log")
        low, high = min(p.ms for p in found) / 1.5, max(p.ms for p in found) * 1.5
        axes.set_xlim(low, high)
        ticks = log_ticks(low, high)
        axes.set_xticks(ticks, [tick_text(tick) for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("time a frame, ms (logarithmic)")
        unit = metric_unit(results.metric)
        better = "higher" if upwards else "lower"
        axes.set_ylabel(f"{metric_label(results.metric)}{f' ({unit})' if unit else ''}, {better} is better")
        axes.set_title(plain(results.dataset_title(dataset)), loc="left", fontsize=9)
        axes.grid(axis="y", color="#e8e5de", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=7)
        return save(drawn, out, f"speed-{dataset}")


def protocols_figure(results: Results, dataset: str, out: Path) -> list[Path]:
    """Draw each model's rank under each protocol as lines that cross where the order flips."""
    protocols = results.protocol_names
    ranks = {
        model: [
            (row["rank_by_value"] if (row := results.rank(dataset, model, protocol)) else None)
            for protocol in protocols
        ]
        for model in results.model_names
    }
    ranks = {model: places for model, places in ranks.items() if any(place is not None for place in places)}
    if not ranks:
        return []
    style = styles(results)
    most = max(place for places in ranks.values() for place in places if place is not None)
    with figure(2.6 + 1.2 * len(protocols), 1.1 + 0.3 * most) as (drawn, axes):
        for model, places in ranks.items():
            colour, marker = style[model]
            at = [float("nan") if place is None else place for place in places]
            label = plain(results.model_title(model))
            axes.plot(
                range(len(protocols)), at, marker=marker, color=colour, linewidth=1.4, label=label, **_MARK
            )
        axes.set_xticks(
            range(len(protocols)),
            [plain(name) for name in protocols],
            rotation=20,
            ha="right",
        )
        axes.set_yticks(range(1, most + 1))
        axes.set_ylim(most + 0.5, 0.5)
        axes.set_xlim(-0.3, len(protocols) - 0.7)
        axes.set_ylabel(f"rank by {metric_label(results.metric)}")
        axes.set_title(plain(results.dataset_title(dataset)), loc="left", fontsize=9)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=7)
        return save(drawn, out, f"protocols-{dataset}")
