"""What others wrote is data: no code in it runs, no name in it leaves its folder, no text in it becomes a command.

Archives are in test_fetch_archives, pickles in test_weights and test_models_transformers, hostile titles in
test_report and test_report_paper, generated nonsense in test_fuzz.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from partial import partial
from project import CONFIG
from scopedepth.config.load import ConfigError, select_study
from scopedepth.errors import ScopeDepthError
from scopedepth.job.identity import ROOT
from scopedepth.job.manifest import read_manifest
from scopedepth.models import load_model
from scopedepth.models.processors import read_processor
from scopedepth.report.paper.bibtex import is_harmless
from scopedepth.study.accepted import Accepted
from scopedepth.views import read_view
from tiny_models import dpt, spec


def test_a_checkpoints_own_code_is_not_run(tmp_path: Path) -> None:
    weights = dpt(tmp_path / "w")
    ran = tmp_path / "ran"
    (weights / "mine.py").write_text(
        f"import pathlib; pathlib.Path({str(ran)!r}).touch()\nclass Mine: pass\n"
    )
    config = json.loads((weights / "config.json").read_text(encoding="utf-8"))
    config["auto_map"] = {"AutoConfig": "mine.Mine", "AutoModelForDepthEstimation": "mine.Mine"}
    config["model_type"] = "something_new"
    (weights / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(
        ScopeDepthError,
        match=r"is of DPTForDepthEstimation .*model_type something_new.*Run its own code by the family python",
    ):
        load_model(spec("transformers", "disparity"), weights, "cpu")
    assert not ran.exists()


@pytest.mark.parametrize(
    "weights",
    [{"kind": "hub", "repo": "a/b"}, {"kind": "url", "files": [{"url": "https://example.org/a.py"}]}],
)
def test_code_that_was_downloaded_is_no_model(weights: dict[str, Any]) -> None:
    model = {
        "family": "python",
        "weights": weights,
        "output": {"kind": "depth"},
        "options": {"code": "a.py:Mine"},
    }
    with pytest.raises(ConfigError, match="code that was downloaded is not run"):
        select_study({**CONFIG, "models": {**CONFIG["models"], "mine": model}})


@pytest.mark.parametrize("name", ["../../evil.safetensors", "/tmp/evil.safetensors", "a/../../evil"])
def test_a_hub_cannot_name_a_file_outside_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import huggingface_hub

    from scopedepth.fetch import fetch_dataset
    from scopedepth.fetch.weights import fetch_weights

    def download(*_arguments: Any, **_named: Any) -> str:
        raise AssertionError("the client was asked for it")

    listed = SimpleNamespace(sha="0" * 40, siblings=[SimpleNamespace(rfilename=name, size=1, lfs=None)])
    hub = SimpleNamespace(model_info=lambda *_, **__: listed, dataset_info=lambda *_, **__: listed)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda *_: hub)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    source = {"kind": "hub", "repo": "a/b", "revision": None, "files": ["*evil*"]}
    with pytest.raises(ScopeDepthError, match="would leave the folder"):
        fetch_weights(partial(name="net", weights=source), tmp_path / "out", tmp_path / "out.json")
    with pytest.raises(ScopeDepthError, match="would leave the folder"):
        fetch_dataset(partial(name="data", source=source), tmp_path / "raw", tmp_path / "raw.json", 1)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\n", "a\x00b", "A", ".", "..", "a b", "é", "a@b", "x" * 64, "", "{unit}", "~"]
)
@pytest.mark.parametrize("kind", ["datasets", "models", "protocols", "studies"])
def test_a_name_that_is_no_plain_word_becomes_no_path(kind: str, name: str) -> None:
    first = next(iter(CONFIG[kind].values()))
    with pytest.raises(ConfigError) as caught:
        select_study({**CONFIG, kind: {**CONFIG[kind], name: first}})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "harmless"),
    [
        (r"@article{a, title = {{\'E}tude {\o}f \emph{depth}}, url = {\url{https://x.org/a_b}}}", True),
        (r"@article{a, title = {100\% of M\"uller \& \v{S}}}", True),
        (r"@article{a, title = {\input{/etc/passwd}}}", False),
        (r"@article{a, title = {\immediate\write18{id}}}", False),
        (r"@article{a, title = {\csname input\endcsname x}}", False),
        (r"@article{a, title = {^^5cinput x}}", False),
        (r"@article{a, title = {\@@input x}}", False),
    ],
)
def test_a_citation_gives_latex_accents_and_fonts_only(entry: str, harmless: bool) -> None:
    assert is_harmless(entry) is harmless


def test_every_citation_that_comes_with_the_workflow_is_taken_as_it_is(root: Path) -> None:
    from scopedepth.config.citations import entries

    text = (root / "citations.bib").read_text(encoding="utf-8")
    assert [key for key, entry in entries(text) if not is_harmless(entry)] == []
    assert list(entries(text))


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("u.json", read_manifest),
        ("view.json", lambda path: read_view(path.parent)),
        ("preprocessor_config.json", lambda path: read_processor(path.parent, "net", {})),
        ("accepted.json", lambda path: Accepted(path.parent).entries),
    ],
    ids=["manifest", "view", "processor", "accepted"],
)
def test_deep_nesting_is_damage(
    tmp_path: Path, file: str, read: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scopedepth.study.accepted.ACCEPTED", "accepted.json")
    (tmp_path / file).write_text(DEEP)
    with pytest.raises(ScopeDepthError) as caught:
        read(tmp_path / file)
    assert "\n" not in str(caught.value)


def test_whoever_reads_json_expects_damage_by_nesting() -> None:
    """A file nested deeply enough is no `ValueError`: where that is caught, a `RecursionError` is too."""
    seen = 0
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Try) or "json.loads(" not in "\n".join(map(ast.unparse, node.body)):
                continue
            caught = " ".join(ast.unparse(one.type) for one in node.handlers if one.type)
            seen += 1
            assert "ValueError" not in caught or "RecursionError" in caught, f"{path.name}: {caught}"
    assert seen > 15
