"""``scopedepth verify``: whether a results tree is whole, and what to make again.

Every directory of results has a manifest with the digest of its content, every Parquet table has checksums on
its pages. What does not agree is damaged; the command prints what repairs it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from scopedepth.datasets.place import content_digest
from scopedepth.errors import ScopeDepthError
from scopedepth.manifest import digest_tree, read_manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument(
        "results", type=Path, nargs="?", default=Path("results"), help="the results tree (results)"
    )


def run(options: argparse.Namespace) -> int:
    """Print what is damaged and how to repair it; the exit status is 1 where anything is."""
    if not options.results.is_dir():
        raise ScopeDepthError(f"{options.results} is not a folder. Run this in the workflow's folder.")
    checked = 0
    damaged: list[Path] = []
    for path, problem in check_tree(options.results):
        checked += 1
        if problem:
            damaged.append(path)
            print(f"damaged: {path}: {problem}")
    print(f"{checked} results checked, {len(damaged)} damaged")
    if damaged:
        print(
            "To make them again:\n  snakemake --cores all --forcerun "
            + " ".join(f"'{path}'" for path in damaged)
        )
    return 1 if damaged else 0


def check_tree(results: Path) -> Iterator[tuple[Path, str]]:
    """Yield every result below `results` with what is wrong with it, an empty string where nothing is."""
    for manifest in sorted(results.glob("raw/*.json")):
        if not manifest.name.endswith(".run.json"):
            yield (
                manifest.with_suffix(""),
                _problem_of_directory(manifest, manifest.with_suffix(""), content_digest),
            )
    for manifest in sorted(results.glob("weights/*.json")):
        if not manifest.name.endswith(".run.json"):
            yield manifest.with_suffix(""), _problem_of_directory(manifest, manifest.with_suffix(""))
    for manifest in sorted([*results.glob("datasets/*.json"), *results.glob("predictions/*/*.json")]):
        if not manifest.name.endswith((".run.json", ".page.json")):
            store = manifest.with_suffix(".zarr")
            yield store, _problem_of_directory(manifest, store)
    for table in sorted(results.rglob("*.parquet")):
        yield table, _problem_of_table(table)


def _problem_of_directory(
    manifest: Path, directory: Path, digest_of: Callable[[Path], str] = digest_tree
) -> str:
    try:
        recorded = read_manifest(manifest)["digest"]
        if not directory.is_dir():
            return "missing, although its manifest is there"
        return "" if digest_of(directory) == recorded else "its content is not what its manifest says"
    except ScopeDepthError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read ({error})"


def _problem_of_table(path: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.ParquetFile(path, page_checksum_verification=True).read()
    except (pa.ArrowException, OSError) as error:
        return f"cannot be read ({str(error).splitlines()[0]})"
    return ""
