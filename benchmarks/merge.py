"""Merges a study that was split in four, 500 times, each time with one crate changed somewhere.

    python benchmarks/merge.py [--count 500] [--seed 0]

A change is a flipped bit, a piece cut out, put in or repeated, an end that is missing, a file of the crate swapped with
another, changed or taken out, told in the crate's metadata (new size and digest) or not. Each changed crate must be
refused, or what is gathered must be, byte by byte, what the unchanged crates give. Exits with 1 otherwise. Metadata
that are written anew with all that depends on them are no such change: digests are no signatures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "workflow_scripts")]

METADATA = "ro-crate-metadata.json"
Files = dict[str, bytes]


def bytes_changed(content: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Return what was done to a file's bytes, and them."""
    at, length = chance.randrange(len(content)), chance.randrange(1, 64)
    piece = content[at : at + length]
    return chance.choice(
        [
            (
                "bit flipped",
                content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :],
            ),
            ("piece cut out", content[:at] + content[at + length :]),
            ("piece put in", content[:at] + chance.randbytes(length) + content[at:]),
            ("piece repeated", content[:at] + piece + content[at:]),
            ("end missing", content[:at]),
        ]
    )


def file_changed(files: Files, chance: random.Random) -> tuple[str, Files]:
    """Return what was done to one of a crate's results, and all files, the metadata telling of it or not."""
    name = chance.choice(sorted(name for name in files if name.startswith("results/")))
    told = chance.random() < 0.5
    done = {**files}
    metadata = json.loads(files[METADATA])
    (entity,) = [one for one in metadata["@graph"] if one["@id"] == name]
    how = chance.choice(["swapped", "changed", "taken out"])
    if how == "taken out":
        del done[name]
        if told:
            metadata["@graph"].remove(entity)
            metadata["@graph"][1]["hasPart"] = [
                part for part in metadata["@graph"][1]["hasPart"] if part["@id"] != name
            ]
    else:
        same_kind = [one for one in files if one.endswith(name[-8:]) and one != name]
        done[name] = (
            files[chance.choice(same_kind)]
            if how == "swapped" and same_kind
            else bytes_changed(files[name], chance)[1]
        )
        entity |= {"contentSize": str(len(done[name])), "sha256": hashlib.sha256(done[name]).hexdigest()}
    if told:
        done[METADATA] = json.dumps(metadata).encode()
    return f"file {how}, {'told' if told else 'not told'}: {kind_of(name)}", done


def kind_of(name: str) -> str:
    """Return a file's folder below results/ and the end of its name."""
    return f"{name.split('/')[1]}, {'.'.join(Path(name).name.split('.')[1:])}"


def below(folder: Path) -> Files:
    """Return the files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(count: int, seed: int) -> int:
    """Change, merge, compare; returns how many changes went unnoticed and changed something."""
    chance, unnoticed, outcomes = random.Random(seed), 0, Counter[tuple[str, str]]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        from project import Project

        project = Project.create(folder / "project")
        project.snakemake()
        # Snakemake's server wants a process that has not loaded the library yet.
        from scopedepth.errors import ScopeDepthError
        from scopedepth.export.merge import gather
        from test_merge import write

        os.chdir(project.folder)
        crates = [
            write(project, folder / f"{dataset}_{model}.zip", datasets=[dataset], models=[model])
            for dataset in ("one", "two")
            for model in ("constant", "brightness")
        ]
        os.chdir(folder)
        gather(crates, Path("right"))
        right = below(Path("right"))
        for _ in range(count):
            at = chance.randrange(len(crates))
            changed = Path("changed.zip")
            if chance.random() < 0.5:
                what, content = bytes_changed(crates[at].read_bytes(), chance)
                changed.write_bytes(content)
            else:
                with zipfile.ZipFile(crates[at]) as archive:
                    what, files = file_changed(
                        {name: archive.read(name) for name in archive.namelist()}, chance
                    )
                with zipfile.ZipFile(changed, "w") as archive:
                    for name, content in files.items():
                        archive.writestr(name, content)
            shutil.rmtree("gathered", ignore_errors=True)
            try:
                gather([*crates[:at], changed, *crates[at + 1 :]], Path("gathered"))
            except ScopeDepthError:
                outcomes[what, "refused"] += 1
                continue
            same = below(Path("gathered")) == right
            outcomes[what, "the same" if same else "UNNOTICED"] += 1
            unnoticed += not same
    for (what, outcome), number in sorted(outcomes.items()):
        print(f"{number:5} {what}: {outcome}")
    print(f"{unnoticed} of {count} changes went unnoticed and changed what was gathered")
    return unnoticed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.exit(run(given.count, given.seed) > 0)
