"""What an author takes away: LaTeX tables, figures, references and a methods paragraph."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scopedepth.report.methods import methods_text
from scopedepth.report.paper import latex
from scopedepth.report.paper.bibtex import references
from scopedepth.report.paper.figures import protocols_figure, speed_figure
from scopedepth.report.results import Results

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

README = """For a paper
===========

tables/        LaTeX tables, a file each: \\input them; they need booktabs
figures/       the same figures as PDF and PNG
methods.txt    what was done, in a paragraph; methods.tex the same with citations
references.bib every model and dataset of the study
all.tex        everything above in one document that compiles as it is
"""


def write_paper(
    study: specs.Study,
    datasets: Mapping[str, specs.Dataset],
    models: Mapping[str, specs.Model],
    protocols: Mapping[str, specs.Protocol],
    tables: Mapping[str, Path],
    out: Path,
) -> None:
    """Write LaTeX tables, figures (PDF and PNG), references and methods of a study into the directory `out`.

    tables: as for `write_report`. What stood in `out` before is removed. The bytes follow from the inputs.
    """
    results = Results(study, datasets, models, protocols, tables)
    if out.exists():
        shutil.rmtree(out)
    (out / "tables").mkdir(parents=True)
    (out / "figures").mkdir()
    bibliography, keys = references(results)
    written = dict(table_files(results))
    for name, text in written.items():
        (out / "tables" / f"{name}.tex").write_text(text, encoding="utf-8")
    drawn = [
        path
        for dataset in results.dataset_names
        for draw in (speed_figure, protocols_figure)
        for path in draw(results, dataset, out / "figures")
    ]
    methods = methods_tex(results, keys)
    (out / "methods.txt").write_text(methods_text(results) + "\n", encoding="utf-8")
    (out / "methods.tex").write_text(methods + "\n", encoding="utf-8")
    (out / "references.bib").write_text(bibliography, encoding="utf-8")
    (out / "all.tex").write_text(
        document(list(written), [p for p in drawn if p.suffix == ".pdf"], out), encoding="utf-8"
    )
    (out / "README.txt").write_text(README, encoding="utf-8")


def table_files(results: Results) -> list[tuple[str, str]]:
    """Return (name, LaTeX) of every table."""
    made = []
    for dataset in results.dataset_names:
        made.append((f"{dataset}-ranks", latex.ranks_table(results, dataset)))
        made += [
            (f"{dataset}-{name}", latex.scores_table(results, dataset, name))
            for name in results.protocol_names
        ]
    if results.timing:
        made.append(("timing", latex.timing_table(results)))
    return made


def methods_tex(results: Results, keys: Mapping[tuple[str, str], list[str]]) -> str:
    """Return the methods as LaTeX, models and datasets with their citations."""
    # Marks that no title can hold stand for citations until the text has been escaped.
    marked = methods_text(
        results, lambda kind, name: f"\ue000{kind}\ue001{name}\ue002" if keys.get((kind, name)) else ""
    )
    parts = re.split("\ue000([a-z]+)\ue001(.*?)\ue002", marked)
    text = latex.escape(parts[0])
    for kind, name, after in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        text += rf"~\cite{{{','.join(keys[kind, name])}}}" + latex.escape(after)
    return text


def document(tables: list[str], figures: list[Path], out: Path) -> str:
    """Return a document that shows everything and compiles as it is."""
    body = [r"\section*{Methods}", r"\input{methods}", ""]
    body += [rf"\input{{tables/{name}}}" for name in tables]
    body += [r"\clearpage"]
    body += [
        rf"\begin{{center}}\includegraphics{{{path.relative_to(out).as_posix()}}}\end{{center}}"
        for path in figures
    ]
    body += [r"\bibliographystyle{plain}", r"\bibliography{references}"]
    return latex.DOCUMENT % "\n".join(body)
