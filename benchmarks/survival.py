"""Kill a study at random moments, run the plain command again, and compare the results with an undisturbed run.

    python benchmarks/survival.py                  50 kills
    python benchmarks/survival.py --kills 5        fewer

Moments are drawn uniformly over the undisturbed run's duration. Every other time the whole process group gets
SIGKILL, Snakemake and its jobs, as a machine that goes down would; in between a single job does, as the kernel's
out-of-memory killer would. The next run is the plain command, after `snakemake --unlock` where it asks for that.
Each result must then have the bytes of the undisturbed one. What tells of the run itself is not compared: run
records, logs, and the report, whose provenance shows when and where jobs ran.
"""

from __future__ import annotations

import argparse
import copy
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from project import CONFIG, Project, write_frames  # noqa: E402


def small_study(folder: Path) -> Project:
    """Return a project of ten jobs: one dataset of two videos, two models, one protocol."""
    config = copy.deepcopy(CONFIG)
    config["datasets"] = {"one": config["datasets"]["one"]}
    config["studies"]["small"] |= {"datasets": ["one"], "protocols": ["median_depth"]}
    project = Project.create(folder, config)
    write_frames(folder / "data" / "one", ("left", "right"))
    return project


def results(project: Project) -> dict[str, bytes]:
    """Return the bytes of every file below results/, leftovers too, but not what tells of the run itself."""
    tree = project.folder / "results"
    files = {path.relative_to(tree).as_posix(): path for path in sorted(tree.rglob("*")) if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if not name.startswith("logs/")
        and not name.endswith((".run.json", "report.html", ".snakemake_timestamp"))
    }


def jobs(running: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes of the jobs that are running."""
    found = []
    for process in psutil.Process(running.pid).children(recursive=True):
        try:
            if any(".snakemake/scripts" in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue  # it has ended since
    return found


def kill(running: subprocess.Popen[bytes], moment: float, whole: bool, chance: random.Random) -> str | None:
    """Kill the run, or one of its jobs, `moment` seconds after its start; None where it had ended by then.

    Returns what was killed. A single job is the first one that is found running from that moment on.
    """
    deadline = time.monotonic() + moment
    while time.monotonic() < deadline and running.poll() is None:
        time.sleep(0.005)
    while running.poll() is None:
        if whole:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            return "everything"
        alive = jobs(running)
        if alive:
            victim = chance.choice(alive)
            try:
                name = next(word for word in victim.cmdline() if ".snakemake/scripts" in word)
                victim.kill()
            except psutil.Error:
                continue
            running.wait()
            return "job " + name.rsplit(".", 2)[-2]
        time.sleep(0.005)
    return None


def run_again(project: Project) -> tuple[int, bool, str]:
    """Run the plain command, after --unlock where a lock is in the way: status, whether it was, what was said."""
    unlocked = False
    done = project.snakemake(check=False)
    if done.returncode != 0 and "--unlock" in done.stdout + done.stderr:
        unlocked = True
        project.snakemake("--unlock")
        done = project.snakemake(check=False)
    return done.returncode, unlocked, done.stdout + done.stderr


def main() -> int:
    """Print each kill with its outcome, and how many ended well; the status is 1 where one did not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        # Copied each time, so that an edit of the repository meanwhile counts for none of the runs; and to the same
        # place, for a result that points to the user's data names it.
        fresh, place = small_study(Path(folder, "fresh")), Path(folder, "project")
        fresh.copy(place).snakemake()  # compiles what later runs find compiled
        shutil.rmtree(place)
        project = fresh.copy(place)
        began = time.monotonic()
        project.snakemake()
        duration = time.monotonic() - began
        expected = results(project)
        print(f"undisturbed: {duration:.1f} s, {len(expected)} files compared", flush=True)
        well = killed = unlocks = 0
        while killed < options.kills:
            shutil.rmtree(place)
            project = fresh.copy(place)
            moment, whole = chance.uniform(0, duration), killed % 2 == 0
            running = project.start()
            what = kill(running, moment, whole, chance)
            if what is None:
                continue  # this run was quicker than the moment: drawn again
            killed += 1
            status, unlocked, said = run_again(project)
            unlocks += unlocked
            found = results(project)
            differ = sorted(n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n))
            good = status == 0 and not differ
            well += good
            outcome = "the same bytes" if good else f"status {status}, not the same: {differ[:5]}"
            print(f"{killed:3d}  at {moment:6.2f} s  {what:22s} {outcome}", flush=True)
            if status != 0:
                print(said[-3000:], flush=True)
        print(f"{well} of {killed} ended in the same bytes; {unlocks} wanted snakemake --unlock first")
    return 0 if well == killed else 1


if __name__ == "__main__":
    sys.exit(main())
