"""LaTeX tables for papers: booktabs, best and second best, intervals, and in the caption what a reader must know."""

from __future__ import annotations

import re
import unicodedata

from scopedepth.report.html.sections.scores import best_two, complete, metrics_of
from scopedepth.report.results import Results
from scopedepth.report.words import (
    higher_is_better,
    metric_label,
    metric_unit,
    metric_value,
    number,
    parameters,
    significant,
)
from scopedepth.vocabulary.intervals import FEW_SEQUENCES_CAUTION, THESE_SEQUENCES

_ESCAPED = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\textbraceleft{}", "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}",
    "−": "$-$", "–": "--", "—": "---", "’": "'", "‘": "`", "“": "``", "”": "''", "…": r"\ldots{}", "\u00a0": "~",
    "δ": r"$\delta$", "τ": r"$\tau$", "×": r"$\times$", "²": "$^2$", "³": "$^3$", "°": r"$^\circ$", "µ": r"$\mu$",
    "μ": r"$\mu$", "±": r"$\pm$", "≤": r"$\leq$", "≥": r"$\geq$", "†": r"\dag{}",
    "‡": r"\ddag{}", "§": r"\S{}", "¶": r"\P{}", "‖": r"$\|$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$",
}  # fmt: skip

# Units as they stand in a table's head.
_UNITS = {"1/mm": "mm$^{-1}$"}

# Names of more characters than this are broken into lines.
LONG = 45

DOCUMENT = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage[margin=2cm]{geometry}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage{url}
\begin{document}
%s
\end{document}
"""


def escape(text: str) -> str:
    """Return text that LaTeX prints as it is. Characters that its usual fonts lack are named instead."""
    return "".join(_character(character) for character in str(text))


def _character(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    if character in "\n\t\r":
        return " "
    if ord(character) < 32:
        return ""
    if ord(character) < 0x17F and not 0x7F <= ord(character) < 0xA1:  # what T1 has accents for
        return character
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return "".join(_ESCAPED.get(c, c) for c in plain) or f"[U+{ord(character):04X}]"


def metric_head(metric: str, label: str) -> str:
    """Return a metric's column head with unit and direction."""
    unit = metric_unit(metric)
    arrow = r"$\uparrow$" if higher_is_better(metric) else r"$\downarrow$"
    return escape(label) + (f" ({_UNITS.get(unit, unit)})" if unit else "") + f" {arrow}"


def model_name(results: Results, model: str, dataset: str | None = None) -> str:
    """Return a model's title, with the mark of what it has seen of `dataset` in training."""
    seen = escape(results.mark(dataset, model)) if dataset else ""
    return escape(results.model_title(model)) + (rf"\textsuperscript{{{seen}}}" if seen else "")


def table(
    caption: str,
    label: str,
    alignment: str,
    head: list[str],
    rows: list[list[str]],
    rule: int | None = None,
    per_row: int = 99,
) -> str:
    """Return a table environment. `rule`: the row before which a thin rule stands.

    More than `per_row` columns beside the first are broken into tabulars one below the other.
    """
    if max((len(row[0]) for row in rows), default=0) > LONG:
        alignment = "p{4cm}" + alignment[1:]
    columns = re.findall(r"p\{.*?\}|.", alignment)
    lines = [
        r"\begin{table}[htbp]", r"\centering", rf"\caption{{{caption}}}", rf"\label{{tab:{label}}}", r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
    ]  # fmt: skip
    for start in range(1, max(2, len(head)), per_row):
        part = [0, *range(start, min(start + per_row, len(head)))]
        if start > 1:
            lines.append(r"\par\medskip")
        lines += [rf"\begin{{tabular}}{{{''.join(columns[i] for i in part)}}}", r"\toprule"]
        lines += [" & ".join(head[i] for i in part) + r" \\", r"\midrule"]
        for index, row in enumerate(rows):
            if index and index == rule:
                lines.append(r"\midrule")
            lines.append(" & ".join(row[i] for i in part) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*lines, r"\end{table}", ""])


def scores_table(results: Results, dataset: str, protocol: str) -> str:
    """Return all metrics of a dataset under a protocol: a model's values, its intervals below; baselines last."""
    metrics = metrics_of(results, protocol)
    models = results.model_names
    leaders = {
        metric: best_two(
            {model: complete(results, dataset, model, protocol, metric) for model in models},
            higher_is_better(metric),
        )
        for metric in metrics
    }
    rows: list[list[str]] = []
    first_baseline = None
    for model in models:
        cells, below = [model_name(results, model, dataset)], [""]
        for metric in metrics:
            row = results.score(dataset, model, protocol, metric)
            if not row or row["value"] is None:
                cells.append("--")
                below.append("")
                continue
            text = escape(metric_value(row["value"], metric))
            best, second = leaders[metric]
            if row["value"] == best:
                text = rf"\textbf{{{text}}}"
            elif row["value"] == second:
                text = rf"\underline{{{text}}}"
            if row["status"] == "incomplete":
                text += r"\textsuperscript{*}"
            cells.append(text)
            ends = [
                escape(metric_value(row[key], metric))
                for key in ("ci_low", "ci_high")
                if row[key] is not None
            ]
            below.append(rf"\scriptsize [{', '.join(ends)}]" if len(ends) == 2 else "")
        if model == next(iter(models[len(results.networks) :]), None):
            first_baseline = len(rows)
        rows.append(cells)
        if any(below):
            rows.append(below)
    head = ["Model", *(metric_head(metric, metric_label(metric)) for metric in metrics)]
    return table(
        scores_caption(results, dataset, protocol),
        f"{dataset}-{protocol}",
        "l" + "r" * len(metrics),
        head,
        rows,
        first_baseline,
        5,
    )


def scores_caption(results: Results, dataset: str, protocol: str) -> str:
    spec = results.protocols[protocol]
    rows = [row for row in results.summary if row["dataset"] == dataset and row["protocol"] == protocol]
    parts = [
        f"{escape(results.dataset_title(dataset))} under the protocol {escape(protocol)} "
        f"(version {escape(str(spec.get('version', '?')))}).",
        r"Best in bold, second best underlined, 95\,\% intervals below.",
    ]
    if not rows:
        parts.append("No result.")
    scopes = {row["ci_scope"] for row in rows if row["ci_low"] is not None}
    if THESE_SEQUENCES in scopes:
        parts.append("The intervals hold for these sequences only.")
    if any(row["ci_caution"] == FEW_SEQUENCES_CAUTION for row in rows):
        parts.append("A few long sequences outweigh the others.")
    if any(row["status"] == "incomplete" for row in rows):
        parts.append("* Mean over fewer frames: the model has no number on the others.")
    if legend := results.legend([dataset]):
        parts.append(escape(legend))
    if spec.get("not_comparable"):
        parts.append(escape(f"Not comparable with other protocols: {spec['not_comparable']}"))
    return " ".join(parts)


def ranks_table(results: Results, dataset: str) -> str:
    """Return each model's rank and headline metric under every protocol."""
    protocols = results.protocol_names
    rows = []
    for model in results.in_order(dataset):
        cells = [model_name(results, model, dataset)]
        for protocol in protocols:
            rank, value = results.rank(dataset, model, protocol), results.value(dataset, model, protocol)
            place = str(rank["rank_by_value"]) if rank and rank["rank_by_value"] is not None else "--"
            cells.append(
                f"{place} ({escape(metric_value(value, results.metric))})" if value is not None else "--"
            )
        rows.append(cells)
    taus = [r"Kendall's $\tau$"]
    for protocol in protocols:
        row = results.flips(results.protocol, protocol, dataset) if protocol != results.protocol else None
        taus.append(escape(number(row["tau"], 2)) if row else "")
    rows.append(taus)
    caption = (
        f"Rank by {escape(metric_label(results.metric))} (its value) on {escape(results.dataset_title(dataset))} "
        "under each protocol, every model having predicted once. Kendall's $\\tau$ is against the first column. "
        + escape(results.legend([dataset]))
    ).strip()
    versions = [f"{escape(p)} v{escape(str(results.protocols[p].get('version', '?')))}" for p in protocols]
    return table(
        caption, f"{dataset}-ranks", "l" + "r" * len(protocols), ["Model", *versions], rows, len(rows) - 1, 3
    )


def timing_table(results: Results) -> str:
    """Return times, memory and size, one row a model and setting."""
    rows = [
        [
            model_name(results, row["model"]), escape(str(row["precision"])), escape(str(row["batch"])),
            escape(str(row["input_size"])).replace("x", r"$\times$"),
            _timed(row, "forward"), _timed(row, "end_to_end"), escape(significant(row["end_to_end_p99"])),
            escape(significant(row["frames_per_second"])), escape(significant(row["memory_mib"])),
            escape(parameters(row["parameters"])),
        ]
        for row in results.timing
    ]  # fmt: skip
    hardware = sorted({str(row["hardware"]) for row in results.timing if row["hardware"]})
    caption = (
        f"Time on {escape('; '.join(hardware) or 'hardware that was not recorded')}: medians in ms a call "
        r"(95\,\% intervals), 99th percentile end to end, frames a second, peak memory in MiB, parameters."
    )
    head = [
        "Model",
        "Precision",
        "Batch",
        "Input",
        "Forward",
        "End to end",
        "p99",
        "Frames/s",
        "Memory",
        "Parameters",
    ]
    return table(caption, "timing", "lllrrrrrrr", head, rows, per_row=6)


def _timed(row: dict[str, float | None], clock: str) -> str:
    middle, low, high = (row[f"{clock}_{name}"] for name in ("median", "ci_low", "ci_high"))
    text = escape(significant(middle))
    if low is not None and high is not None:
        text += rf" {{\scriptsize [{escape(significant(low))}, {escape(significant(high))}]}}"
    return text
