"""The layout: one module spells the results tree, and rules, jobs and paths follow from it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scopedepth.job.leaves import FOLDER
from scopedepth.job.manifest import manifest_of, page_of, record_of
from scopedepth.study.layout import (
    ACCEPTED,
    INCOMPLETE,
    LOGS,
    MAKERS,
    NAME_TABLES,
    NO_RESULTS,
    STAGES,
    STUDY_TABLES,
    WILDCARDS,
    Job,
    Stage,
    job_at,
)
from scopedepth.tables import study as tables

# The folders right below results/, and the names of files that stand in them under one name.
FOLDERS = sorted({stage.stem.split("/")[0] for stage in STAGES.values()} | (NO_RESULTS - {FOLDER}))
OWN_NAMES = {ACCEPTED, "report.html", "ranking.txt", FOLDER}
# Who defines a name that the layout takes from there.
DEFINED = {"job/leaves.py": {FOLDER}}
A_PATH = re.compile(r"\bresults/\.?[\w{*<]|(?:^|[\s`\"'(])(?:" + "|".join(FOLDERS) + r")/(?:[{<*\"']|$)")


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield the texts and comments of a Python file or of rules, with their lines."""
    # From Python 3.12 on an f-string is several tokens.
    strings = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", None)}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in strings:
            yield token.start[0], token.string


def spelled(path: Path, package: Path) -> Iterator[str]:
    """Yield the places where a file spells a path of the results tree, or puts one together."""
    text = path.read_text(encoding="utf-8")
    inside = path.relative_to(package).as_posix() if package in path.parents else ""
    own = OWN_NAMES - DEFINED.get(inside, set())
    for line, piece in pieces(text):
        if A_PATH.search(piece) or piece.strip("\"'f") in own:
            yield f"{path}:{line}: {piece[:80]}"
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            parts: list[ast.expr] = []
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                parts = [node.left, node.right]
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Path":
                parts = node.args
            for part in parts:
                value = getattr(part, "value", None)
                if isinstance(value, str) and value.split("/")[0] in {*FOLDERS, INCOMPLETE, "results"}:
                    yield f"{path}:{part.lineno}: {value}"


def test_no_other_file_of_the_workflow_spells_a_path_of_the_results_tree(root: Path) -> None:
    scripts = root / "workflow_scripts"
    package = scripts / "scopedepth"
    files = [
        root / "Snakefile",
        *(root / "rules").glob("*.smk"),
        *scripts.glob("*.py"),
        *package.rglob("*.py"),
    ]
    files.remove(package / "study/layout.py")
    assert len(files) > 100
    assert [place for path in files for place in spelled(path, package)] == []


@pytest.mark.parametrize(
    "line",
    [
        'Path("results/raw", name)',
        'x = f"results/datasets/{unit}.zarr"',
        "# makes results/scores/{unit}",
        'folder = results / "predictions" / unit',
        'Path("results", "studies", name)',
        'name = f"weights/{model}"',
        'page = folder / "report.html"',
    ],
)
def test_a_path_that_is_spelled_is_found(tmp_path: Path, line: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(line + "\n")
    assert list(spelled(path, tmp_path / "package"))


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.rule)
def test_a_rule_takes_what_it_reads_and_makes_from_the_layout(root: Path, stage: Stage) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((root / "rules").glob("*.smk")))
    rule = re.search(rf"^rule {stage.rule}:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    assert rule is not None
    said = re.findall(r"(inputs_of|outputs_of|params_of)\(.(\w+).\)", rule[1])
    wanted = {"outputs_of", "params_of"} | ({"inputs_of"} if stage.reads else set())
    if stage.rule == "report":  # each of its outputs has a caption of its own
        wanted.remove("outputs_of")
        assert re.findall(r'STAGES\["report"\]\.pattern\("(\w+)"\)', rule[1]) == list(stage.makes)
    assert {kind for kind, _ in said} == wanted
    assert {name for _, name in said} == {stage.rule}
    assert f'STAGES["{stage.rule}"].log' in rule[1]


def job_of_stage(stage: Stage) -> Job:
    values = {name: "0123abc" if name == "digest" else f"a_{name}" for name in stage.wildcards}
    return Job(stage.rule, tuple({**values, "unit": "a.b@c~3"}[name] for name in stage.wildcards))


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.rule)
def test_each_path_of_a_job_leads_back_to_it(stage: Stage) -> None:
    job = job_of_stage(stage)
    assert list(stage.makes)[-1] == "record"
    assert set(stage.wildcards) <= set(WILDCARDS)
    for name, path in job.outputs(Path()).items():
        assert job_at(path.as_posix()) == job
        if name in stage.folders:
            assert job_at(f"{path.as_posix()}/inside/a.file") == job
    assert Job.of(stage.rule, job.wildcards) == job
    assert job.log().is_relative_to(LOGS)


def test_what_lies_beside_a_result_is_where_jobs_look_for_it() -> None:
    for stage in STAGES.values():
        outputs = job_of_stage(stage).outputs()
        folder = outputs.get("store") or outputs.get("files")
        if folder is not None:
            assert manifest_of(folder) == outputs["manifest"]
        if "page" in outputs:
            assert page_of(outputs["manifest"]) == outputs["page"]
        if "table" in outputs:
            assert record_of(outputs["table"]) == outputs["record"]


def test_stages_read_what_stages_before_them_make() -> None:
    seen: list[str] = []
    for stage in STAGES.values():
        for role, outputs in stage.reads.items():
            # A view's store is made from another one, and a fine-tuned model's weights may be.
            own = (role, stage.rule) in (("bases", "prepare"), ("tuned", "finetune"))
            assert MAKERS[role] in seen or own
            assert set(outputs) <= set(STAGES[MAKERS[role]].makes)
        seen.append(stage.rule)


def test_the_tables_of_a_study_have_a_schema_each() -> None:
    assert list(tables.STUDY_TABLES) == list(STUDY_TABLES)
    assert list(tables.NAME_TABLES) == list(NAME_TABLES)


def test_the_scheduler_writes_its_logs_beside_the_others(root: Path) -> None:
    profile = yaml.safe_load((root / "profiles/slurm/profile.yaml").read_text(encoding="utf-8"))
    assert Path(profile["slurm-logdir"]).is_relative_to(LOGS)
