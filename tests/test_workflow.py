"""The workflow as its user meets it: real frames, wrong input, failures, interruption and damage."""

from __future__ import annotations

import copy
import os
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from project import CONFIG, ROOT, Project, write_frames

pytestmark = pytest.mark.workflow

SCRATCH = (".snakemake_timestamp",)


def content(project: Project) -> dict[str, bytes]:
    """Return every result's bytes but run records, reports and timings, which tell of the run itself."""
    results = project.folder / "results"
    found = {}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results).as_posix()
        if (
            not path.is_file()
            or path.name in SCRATCH
            or name.endswith(".run.json")
            or name.startswith(("logs/", ".leaves/"))
        ):
            continue
        # Where the user's own data lie is different in each copy.
        if (
            path.name in ("report.html", "ranking.txt", "in_place.json")
            or "/paper/" in name
            or name.startswith("timing/")
        ):
            continue
        found[name] = path.read_bytes()
    return found


def differences(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Return the names of the files that are not the same in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def summary(project: Project, **where: str) -> list[dict[str, Any]]:
    """Return the rows of the study's summary for which every column of `where` matches."""
    rows = pq.read_table(project.folder / "results/studies/small/summary.parquet").to_pylist()
    return [row for row in rows if all(row[key] == value for key, value in where.items())]


def test_real_frames_run_through_the_whole_chain(samples: Path, tmp_path: Path) -> None:
    """SimCol3D with its exact depth, and a raw stereo pair of Hamlyn that is rectified and matched."""
    config = copy.deepcopy(CONFIG)
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config["datasets"] = {
        "simcol": {"loader": "simcol3d", "source": {"kind": "path", "path": str(samples / "simcol3d")}},
        "hamlyn": {"loader": "stereo", "source": {"kind": "path", "path": str(samples / "hamlyn_f7")}},
    }
    affine = copy.deepcopy(shipped["protocols"]["lsq_disparity"])
    # No frame here is farther than 200 mm. 1 m as the limit of depth is the usual choice for metres (1e-3 / mm).
    affine["clamp"] = {"disparity": 0.001}
    config["protocols"] = {"affine": affine, "median_depth": shipped["protocols"]["median_depth"]}
    config["studies"]["small"] |= {"datasets": ["simcol", "hamlyn"], "protocols": ["affine", "median_depth"]}
    project = Project.create(tmp_path / "project", config)
    project.snakemake()
    errors = {
        row["model"]: row["value"]
        for row in summary(project, dataset="simcol", protocol="affine", metric="abs_rel")
    }
    # Weighing red, green and blue as the eye does gives 0.184, their plain mean 0.191.
    assert errors["brightness"] == pytest.approx(0.184, abs=0.01)
    assert errors["constant"] == pytest.approx(0.372, abs=0.005)
    median = project.python(
        "from pathlib import Path; import numpy as np; from scopedepth.stores.dataset import DatasetStore\n"
        "(frames,) = DatasetStore(Path('results/datasets/hamlyn.zarr')).sequences.values()\n"
        "depth = frames.depth(0, 1); print(np.nanmedian(depth), np.isfinite(depth).mean())"
    ).split()
    assert float(median[0]) == pytest.approx(63, abs=1.5)
    assert float(median[1]) == pytest.approx(0.68, abs=0.06)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda config: config.update(study="smal"), "study: 'smal' is not known. Did you mean 'small'?"),
        (
            lambda config: config["studies"]["small"]["models"].append("constan"),
            "studies.small.models[2]: 'constan' is not known. Did you mean 'constant'?",
        ),
        (
            lambda config: config["models"]["constant"].update(prec="fp16"),
            "models.constant.prec: unknown field. Did you mean 'precision'?",
        ),
    ],
)
def test_a_wrong_configuration_is_one_line(
    finished: Project, tmp_path: Path, change: Any, expected: str
) -> None:
    project = Project(tmp_path)
    for name in ("Snakefile", "rules", "workflow_scripts", "profiles"):
        (tmp_path / name).symlink_to(finished.folder / name)
    config = copy.deepcopy(CONFIG)
    change(config)
    project.write_config(config)
    done = project.snakemake("--dry-run", check=False)
    assert done.returncode == 1
    assert f"scopedepth: error: {expected}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_image_and_a_frame_without_depth_are_rows_with_a_status(
    finished: Project, tmp_path: Path
) -> None:
    import cv2
    import numpy as np

    project = finished.copy(tmp_path / "project")
    left = project.folder / "data" / "one" / "left"
    (left / "rgb" / "0001.png").write_bytes(b"not an image")
    cv2.imwrite(str(left / "depth" / "0002.png"), np.zeros((24, 32), np.uint16))
    config = project.read_config()
    config["datasets"]["one"]["max_bad_frames"] = 0.5
    config["studies"]["small"] |= {"models": ["constant"], "protocols": ["median_depth"]}
    project.write_config(config)
    done = project.snakemake()
    assert "! 1 of 6 frames of one could not be read" in done.stdout
    rows = pq.read_table(project.folder / "results/scores/one/constant/median_depth.parquet").to_pylist()
    found = {(row["sequence"], row["frame_id"]): row for row in rows}
    assert found["left", "0001"]["status"] == "unreadable_frame"
    assert found["left", "0002"]["status"] == "no_depth"
    assert found["left", "0001"]["abs_rel"] is None
    assert found["left", "0002"]["abs_rel"] is None
    assert found["left", "0000"]["status"] == "ok"


def test_too_many_broken_images_and_unlike_sizes_are_one_clear_error(
    finished: Project, tmp_path: Path
) -> None:
    import cv2
    import numpy as np

    project = finished.copy(tmp_path / "project")
    (project.folder / "data" / "one" / "left" / "rgb" / "0001.png").write_bytes(b"not an image")
    depth = project.folder / "data" / "two" / "only" / "depth" / "0000.png"
    cv2.imwrite(str(depth), np.ones((20, 32), np.uint16))
    done = project.snakemake(check=False)
    assert done.returncode != 0
    assert "max_bad_frames" in done.stdout + done.stderr
    assert "0000.png" in done.stdout + done.stderr
    assert "32x20" in done.stdout + done.stderr or "20x32" in done.stdout + done.stderr


def test_a_failing_model_does_not_stop_the_study(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    config = project.read_config()
    config["models"]["broken"] = {
        "family": "onnx",
        "weights": {"kind": "path", "path": "broken.onnx"},
        "output": {"kind": "depth"},
        "options": {"height": 24, "width": 32},
    }
    config["studies"]["small"] |= {"datasets": ["one"], "models": ["constant", "broken"]}
    project.write_config(config)
    (project.folder / "broken.onnx").write_bytes(b"this is no network")
    done = project.snakemake(check=False)
    assert done.returncode != 0
    assert "failed: broken on one" in done.stderr
    incomplete = project.folder / "results/studies/small/incomplete"
    rows = pq.read_table(incomplete / "summary.parquet").to_pylist()
    broken = [row for row in rows if row["model"] == "broken" and row["metric"] == "abs_rel"]
    assert {row["status"] for row in broken} == {"failed_prediction"}
    assert all(row["value"] is None for row in broken)
    assert any(row["model"] == "constant" and row["value"] is not None for row in rows)
    assert "broken on one" in (incomplete / "report.html").read_text(encoding="utf-8")
    # With a model that runs in its place, the study is whole again and the incomplete report is gone.
    config["models"]["broken"] = config["models"]["constant"]
    project.write_config(config)
    project.snakemake()
    assert not incomplete.exists()


def test_an_interrupted_run_goes_on_and_ends_in_the_same_bytes(finished: Project, tmp_path: Path) -> None:
    """Interrupted three times, each time another way and further on: at the first store, prediction, score."""
    project = Project.create(tmp_path / "project")
    interrupt(project, signal.SIGINT, "results/datasets/*.json")
    interrupt(project, signal.SIGTERM, "results/predictions/*/*.json")
    interrupt(project, signal.SIGKILL, "results/scores/*/*/*.parquet")
    assert not (project.folder / "results/studies/small/report.html").exists()
    project.snakemake()
    assert differences(content(project), content(finished)) == []
    assert project.jobs() == set()


def interrupt(project: Project, how: int, when: str) -> None:
    """Run Snakemake until a file `when` is there and end it, with its jobs; give the lock back."""
    running = project.start()
    deadline = time.monotonic() + 120
    while not list(project.folder.glob(when)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running.poll() is None, f"ended by itself before {when} was there"
    os.killpg(running.pid, how)
    running.wait()
    project.snakemake("--unlock")


def shards(store: Path) -> list[Path]:
    """Return the store's files that hold data, the largest first."""
    files = [path for path in store.rglob("*") if path.is_file() and "/c/" in path.as_posix()]
    return sorted(files, key=os.path.getsize, reverse=True)


def flip_a_bit(store: Path) -> None:
    damaged = bytearray(shards(store)[0].read_bytes())
    damaged[len(damaged) // 3] ^= 0x10
    shards(store)[0].write_bytes(damaged)


def cut_short(store: Path) -> None:
    shards(store)[0].write_bytes(shards(store)[0].read_bytes()[:-7])


def remove(store: Path) -> None:
    shards(store)[0].unlink()


@pytest.mark.parametrize("damage", [flip_a_bit, cut_short, remove])
def test_a_damaged_prediction_is_found_when_it_is_read_and_by_verify(
    finished: Project, tmp_path: Path, damage: Any
) -> None:
    project = finished.copy(tmp_path / "project")
    store = project.folder / "results/predictions/one/brightness.zarr"
    damage(store)
    checked = project.command("verify")
    assert checked.returncode == 1
    assert "damaged: results/predictions/one/brightness.zarr" in checked.stdout
    assert "--forcerun 'results/predictions/one/brightness.zarr'" in checked.stdout
    # Made anew, it has the bytes that it had: what was made from it still holds.
    project.snakemake("--forcerun", str(store.relative_to(project.folder)), "--until", "predict")
    assert project.command("verify").returncode == 0
    assert differences(content(project), content(finished)) == []


def test_an_emptied_table_is_found_and_made_again(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    table = project.folder / "results/scores/one/brightness/median_depth.parquet"
    table.write_bytes(b"")
    assert "damaged: results/scores/one/brightness/median_depth.parquet" in project.command("verify").stdout
    assert "score(one, brightness)" in project.jobs()
    project.snakemake("--until", "score")
    assert table.read_bytes() == (finished.folder / table.relative_to(project.folder)).read_bytes()


def test_a_read_only_results_folder_is_an_error_and_changes_nothing(
    finished: Project, tmp_path: Path
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    project = finished.copy(tmp_path / "project")
    (project.folder / "results" / "studies" / "small").chmod(0o500)
    assert project.snakemake("--forcerun", "summarise", check=False).returncode != 0


def test_two_runs_at_once_the_second_one_is_refused(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    write_frames(project.folder / "data" / "one", ("third",), seed=3)
    target = "results/scores/one/constant/median_depth.parquet"
    with project.start(target, cores=1) as first:
        deadline = time.monotonic() + 60
        while not any((project.folder / ".snakemake" / "locks").glob("*")) and time.monotonic() < deadline:
            time.sleep(0.02)
        # It holds the lock for as long as the second one needs to come.
        first.send_signal(signal.SIGSTOP)
        try:
            second = project.snakemake(check=False)
        finally:
            first.send_signal(signal.SIGCONT)
        assert "lock" in (second.stdout + second.stderr).lower()
        assert second.returncode != 0
        assert first.wait() == 0
    assert project.jobs(target) == set()


def test_explain_names_what_changed(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    fresh = project.command("explain", "results/predictions/one/constant.zarr")
    assert fresh.returncode == 0
    assert "up to date" in fresh.stdout
    config = project.read_config()
    config["models"]["constant"]["precision"] = "bf16"
    project.write_config(config)
    path = project.folder / "workflow_scripts/scopedepth/models/families/baseline.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n_ADDED = 1\n", encoding="utf-8")
    stale = project.command("explain", "results/predictions/one/constant.zarr")
    assert stale.returncode == 1
    assert 'spec: precision: "fp32" -> "bf16"' in stale.stdout
    assert "code of scopedepth.models.families.baseline" in stale.stdout
    unknown = project.command("explain", "results/nothing.txt")
    assert "is made by no rule" in unknown.stderr
