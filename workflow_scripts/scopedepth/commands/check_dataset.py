"""``scopedepth check-dataset NAME``: read a dataset and say what was found, before anything is computed on it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scopedepth.commands import configuration
from scopedepth.config.load import check, dataset_spec
from scopedepth.config.resolve import stored_name
from scopedepth.config.studies import Configuration
from scopedepth.errors import ScopeDepthError
from scopedepth.job.shipped import runs_by
from scopedepth.study.layout import Job
from scopedepth.study.plan import fetched_lists

if TYPE_CHECKING:
    from scopedepth.datasets.check import Looked
    from scopedepth.vocabulary import specs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument("dataset", help="a dataset of the configuration")
    configuration.add_arguments(parser, study=False)
    parser.add_argument("--page", type=Path, help="where to write all that was found as one HTML page")
    parser.add_argument("--sheet", type=Path, help="where to write a contact sheet (PNG)")


def run(options: argparse.Namespace) -> int:
    """Print what was found, and write a page or a contact sheet of sample frames where one is asked for."""
    from scopedepth.datasets.check import check_dataset, one_line_of

    checked = check(configuration.config_of(options))
    spec = dataset_spec(options.dataset, checked)
    raw = Job("fetch_dataset", (stored_name(spec),)).path("files")
    if not raw.is_dir():
        raise ScopeDepthError(
            f"{options.dataset} has not been fetched. {how_to_fetch(options.dataset, raw, checked)}"
        )
    fetched = {digest: Job("fetch_list", (digest,)).path("list") for digest in fetched_lists(spec)}
    protocols = protocols_for(options.dataset, checked)
    sequences: list[dict[str, Any]] = []
    said: list[str] = []
    of_sequences: set[str] = set()

    def keep(looked: Looked) -> None:
        sequences.append(facts_of(looked, spec, protocols))
        of_sequences.update(looked.lines)

    for line in check_dataset(spec, raw, options.sheet, fetched, keep if options.page else None):
        print(one_line_of(line))
        said.append(line)
    if options.page:
        whole = [line for line in said[1:] if line not in of_sequences]
        write_page(spec, raw, whole, sequences, protocols, options.page)
        print(f"page: {options.page}")
    elif not options.sheet:
        print(f"to look at frames: scopedepth check-dataset {options.dataset} --page {options.dataset}.html")
    return 0


def protocols_for(name: str, checked: Configuration) -> dict[str, Any]:
    """Return the protocols of the studies that have a dataset, or all where none has it; specs by name."""
    wanted = {one for study in checked.studies.values() if name in study.datasets for one in study.protocols}
    specs = checked.protocols
    return {key: specs[key].model_dump(mode="json") for key in specs if not wanted or key in wanted}


def facts_of(looked: Looked, spec: specs.Dataset, protocols: Mapping[str, specs.Protocol]) -> dict[str, Any]:
    """Return a sequence's facts for the page: small pictures, what each protocol keeps, and what is published."""
    from scopedepth.datasets.check import some
    from scopedepth.datasets.describe import picture_of
    from scopedepth.evaluation.lost import kept_by

    facts = looked.facts
    frames = [(one.rgb, one.depth, one.flags) for one in looked.frames]
    kept = {
        key: found
        for key, protocol in protocols.items()
        if (found := kept_by(protocol, spec["name"], facts["name"], facts["units"], frames)) is not None
    }
    published: Any = (spec.get("published") or {}).get(facts["name"]) or {}
    return {
        **facts,
        "kept": {key: vars(found) for key, found in kept.items()} if facts["depth"] is not None else {},
        "published": published.get("frames"),
        "pictures": [picture_of(one.rgb, one.depth, one.flags, one.frame_id) for one in some(looked.frames)]
        if looked.frames
        else [],
    }


def write_page(
    spec: specs.Dataset,
    raw: Path,
    said: list[str],
    sequences: list[dict[str, Any]],
    protocols: Mapping[str, specs.Protocol],
    out: Path,
) -> None:
    """Write the page; `said` are the lines of the dataset on the whole."""
    from scopedepth.datasets.describe import COLOURS
    from scopedepth.datasets.place import data_root
    from scopedepth.report.html.checked import write_checked
    from scopedepth.vocabulary.flags import FLAG_MEANINGS

    colours = {name: COLOURS[bit] for name, bit in FLAG_MEANINGS.items()}
    write_checked(spec, data_root(raw), said, sequences, protocols, colours, out)


def how_to_fetch(name: str, raw: Path, checked: Configuration) -> str:
    """Return the command that fetches a dataset: of the study chosen, else of the first one that has it."""
    studies = {study: spec.datasets for study, spec in checked.studies.items() if name in spec.datasets}
    if checked.study in studies:
        return f"Run: {runs_by('2')} {raw}"
    if studies:
        return f"Run: {runs_by('2')} {raw} --config study={next(iter(studies))}"
    run = f"{runs_by('2')} {raw} --config study=STUDY"
    return f"Name it in a study under `studies` of the configuration first, then: {run}"
