"""Generated nonsense through the configuration and through every reader of files; benchmarks/fuzz.py runs far more."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from project import CONFIG, ROOT
from scopedepth.commands.configuration import read_config
from scopedepth.config.load import ConfigError, select_study
from scopedepth.datasets.reading.opencv_file import read_matrices
from scopedepth.errors import ScopeDepthError

sys.path.insert(0, str(ROOT / "benchmarks"))

import fuzz
import mutations

CALM = settings(
    deadline=None, derandomize=True, max_examples=40, database=None, suppress_health_check=list(HealthCheck)
)


@CALM
@given(seed=st.integers(0, 2**32))
def test_no_configuration_ends_in_a_traceback_or_leaves_results(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    place = tmp_path_factory.mktemp("work")
    path, before = place / "config.yaml", Path.cwd()
    text = fuzz.configuration_text(CONFIG, random.Random(seed))
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    os.chdir(place)
    try:
        how = fuzz.outcome(lambda: fuzz.plan_everything(path, ROOT / "workflow_scripts"))
    finally:
        os.chdir(before)
    assert how in ("well", "error")
    assert [file.name for file in place.iterdir()] == ["config.yaml"]


@pytest.fixture(scope="session")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, fuzz.Reader | fuzz.TreeReader]:
    return fuzz.readers(tmp_path_factory.mktemp("seeds"))


@CALM
@given(seed=st.integers(0, 2**32))
def test_no_file_ends_in_a_traceback(
    readers: dict[str, fuzz.Reader | fuzz.TreeReader], tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    for name, reader in readers.items():
        if name == "prepare":
            continue  # the same readers, at thirty times the time
        how = fuzz.outcome(partial(reader.case, random.Random(seed), tmp_path_factory.mktemp("case")))
        assert how in ("well", "error"), f"{name}: {how}"


@pytest.mark.parametrize("name", mutations.FORMATS)
def test_odd_files_are_read_right_or_refused(tmp_path: Path, name: str) -> None:
    ends = Counter(
        fuzz.outcome(partial(fuzz.structured_case, name, random.Random(number), tmp_path / str(number)))
        for number in range(40)
    )
    assert set(ends) == {"well", "error"}, ends


def test_other_numbers_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scopedepth.datasets.reading import images

    read = images.read_raw_depth
    monkeypatch.setattr(images, "read_raw_depth", lambda path: read(path) + 1)
    ends = [
        fuzz.outcome(partial(fuzz.structured_case, "npy", random.Random(number), tmp_path / str(number)))
        for number in range(10)
    ]
    assert any("other numbers" in how for how in ends)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("options: {kind: .nan}", "nan is no number"),
        ("options: {kind: 2024-01-01}", "is a date to YAML; put it in quotes"),
        ("options: {1: 2}", "models.constant.options: 1 is no name"),
        ("options: &a {kind: *a}", "does an anchor hold itself"),
        ('options: {kind: "a\\0b"}', "holds characters that no file's name can"),
        ("options: {kind: !!set {a}}", "set is nothing that a configuration holds"),
        ("options: {kind: 99999999999999999999}", "the number is too large"),
        ("options: {kind: !!timestamp x}", "no YAML that can be read"),
        ('"a\\nb": 1', "unknown field"),
    ],
)
def test_what_yaml_can_say_beyond_plain_values_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "config.yaml"
    model = f"{{family: baseline, output: {{kind: depth}}, {text}}}"
    path.write_text(
        f"study: a\nstudies: {{}}\ndatasets: {{}}\nprotocols: {{}}\nmodels:\n  constant: {model}\n"
    )
    with pytest.raises(ConfigError) as caught:
        select_study(read_config(path))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_anchors_in_anchors_end_soon(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(fuzz.laughs(20) + "\nstudy: a\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="do anchors stand in anchors"):
        select_study(read_config(path))


def test_a_sequence_named_with_a_line_break_is_refused(tmp_path: Path) -> None:
    config = {**CONFIG, "datasets": {n: dict(spec) for n, spec in CONFIG["datasets"].items()}}
    config["datasets"]["one"] |= {"split": "sequence", "sequences": ["left\n"]}
    with pytest.raises(ConfigError, match="becomes part of a path"):
        select_study(config)


def test_a_typing_error_in_a_calibration_is_an_error_and_no_crash(tmp_path: Path) -> None:
    """OpenCV's own reader ends the process on this file."""
    import dataset_trees

    path = tmp_path / "stereo.yaml"
    path.write_text(dataset_trees.SCARED_CALIBRATION, encoding="utf-8")
    assert read_matrices(path)["T"].ravel().tolist() == [-4.35, 0, 0]
    path.write_text(dataset_trees.SCARED_CALIBRATION.replace("1., 0., 0., 0.", "1., 0.$ 0., 0."))
    with pytest.raises(ScopeDepthError, match=r"stereo\.yaml is damaged"):
        read_matrices(path)


def test_matrices_are_read_as_opencv_writes_them(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    matrix = np.array([[1035.1234567890123, 0, 640], [0, 1e-7, -512], [0, 0, 1]])
    for suffix in (".yaml", ".yml", ".xml"):
        path = tmp_path / f"a{suffix}"
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
        storage.write("M1", matrix)
        storage.write("T", np.ones((3, 1)))
        storage.write("count", 3)
        storage.release()
        found = read_matrices(path)
        assert sorted(found) == ["M1", "T"]
        np.testing.assert_array_equal(found["M1"], matrix)


def test_an_error_is_one_line_and_commands_no_terminal() -> None:
    assert str(ScopeDepthError("a\n  b\x1b[31m\u202e")) == "a b\\x1b[31m\\u202e"
    assert len(str(ScopeDepthError("x" * 10_000))) < 3000
