"""What a result is made from, as that lies on disk now: the one place that says what is stale.

The rules hand `MadeFrom.param` to Snakemake, which compares it with what it recorded; `explain`, `plan`, `export` and
the report of an incomplete study ask the same object. What is compared is content alone: the spec, the code, and the
digests of all that a job reads. Times decide nothing.

A job writes down what it was made from in its run record, beside its result. The record decides: where it agrees with
what is there now, Snakemake is shown what it recorded itself, and where it does not, something that it did not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from scopedepth.job.environment import environment_digest
from scopedepth.job.leaves import NONE, PLANNED_BYTES, Signature, leaf_digest, signature
from scopedepth.job.manifest import digest_file
from scopedepth.job.run import read_record, sealed
from scopedepth.study.accepted import Accepted
from scopedepth.study.layout import RESULTS, STAGES, Job
from scopedepth.study.plan import Plan

Param = Callable[[Any], str]
STALE = "stale: scopedepth explain says why"
# What Snakemake records of a job in parts. What each part is made from is in its record, for studies that share some
# of the parts are to find the same.
CURRENT = "current"


class MadeFrom:
    """What the jobs of a plan are made from. `results`: where results lie.

    `planning`: whether Snakemake plans work, so that what it recorded is what to show it. A job that runs is told what
    is there now.
    """

    def __init__(self, plan: Plan, results: Path = RESULTS, planning: bool = True) -> None:
        self.plan = plan
        self.results = results
        self.planning = planning
        self.accepted = Accepted(results)
        self._digests: dict[tuple[str, str], tuple[Signature, str]] = {}
        self._shown: dict[Job, str] = {}
        # Whether jobs are under way although nobody has called `start`.
        self.begun: Callable[[], bool] = lambda: False

    def start(self) -> None:
        """From here on jobs are told what is there now."""
        self.planning = False
        self._shown.clear()

    def param(self, rule: str) -> Param:
        """Return the parameter of a rule, as a function of a job's wildcards alone."""

        def made_from(wildcards: Any) -> str:
            return self.shown(Job.of(rule, wildcards))

        def current(wildcards: Any) -> str:
            planning = self._is_planning()
            return (
                STALE if planning and not all(map(self.holds, self.plan.parts(rule, wildcards))) else CURRENT
            )

        return current if STAGES[rule].each else made_from

    def parts(self, rule: str) -> Callable[[Any, Any], dict[str, str]]:
        """Return a parameter of a rule that runs in parts, which Snakemake does not record: what is to be made.

        What each part that does not hold is to be made from, by the name of the part. Nothing while work is planned.
        """
        place = STAGES[rule].wildcards.index(STAGES[rule].each)

        def to_make(wildcards: Any, input: Any) -> dict[str, str]:
            if self._is_planning():
                return {}
            parts = self.plan.parts(rule, wildcards)
            return {part.values[place]: self.now(part) for part in parts if self.why(part) is not None}

        return to_make

    def _is_planning(self) -> bool:
        if self.planning and self.begun():
            self.start()
        return self.planning

    def shown(self, job: Job) -> str:
        """Return what Snakemake is shown of a job, which it compares with what it was shown when the job ran."""
        if not self._is_planning():
            return self.now(job)
        if job not in self._shown:
            # What does not agree is shown as something that Snakemake has never recorded: so a result without a
            # record, or one that other hands have put there, is made again.
            recorded = self.recorded(job)
            holds = recorded is not None and self.agrees(job, recorded, self.now(job))
            self._shown[job] = recorded if recorded is not None and holds else STALE
        return self._shown[job]

    def holds(self, job: Job) -> bool:
        """Say whether a job's record is there and agrees with what is there now, as when it was first asked."""
        return self.shown(job) != STALE

    def now(self, job: Job) -> str:
        """Return what a job would be made from now: canonical JSON of its spec, code and inputs."""
        inputs = json.dumps(self.inputs(job), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return f'{{"code":{self.plan.code(job)},"inputs":{inputs},"spec":{self.plan.spec(job)}}}'

    def recorded(self, job: Job) -> str | None:
        """Return what a job's result was made from, as its run record says, or None where there is none.

        Of a part of a job, also None where the record was changed or is not of the table beside it: what is there is
        kept while its neighbours are made, and nothing else would take it away.
        """
        record = read_record(job.path("record", self.results))
        made_from = record.get("made_from")
        if job.stage.each and made_from is not None:
            table = job.path("table", self.results)
            if sealed(record) != record or record["outputs"] != {table.name: self._of_file(table)}:
                return None
        return made_from if isinstance(made_from, str) else None

    def agrees(self, job: Job, recorded: str, now: str) -> bool:
        """Say whether a result made from `recorded` still holds where it would be made from `now`."""
        if recorded == now:
            return True
        try:
            before, after = json.loads(recorded), json.loads(now)
        except (ValueError, RecursionError):
            return False
        if not (isinstance(before, dict) and before.keys() == after.keys()):
            return False
        if before["inputs"] != after["inputs"] and not self._is_as_fetched(job, before, after):
            return False
        return self.accepted.same(job.rule, before, after)

    def _is_as_fetched(self, job: Job, before: Any, after: Any) -> bool:
        """Say whether what was fetched from a leaf is still its content.

        A leaf too large to be read while planning is known by its files' times when it is fetched, and by its content
        from then on.
        """
        if job.rule not in ("fetch_dataset", "fetch_weights"):
            return False
        manifest = self._of_manifest(job.path("manifest", self.results))
        same_places = before["inputs"].keys() == after["inputs"].keys()
        return same_places and set(after["inputs"].values()) == {manifest}

    # The digests of what a job reads.

    def inputs(self, job: Job) -> dict[str, str]:
        """Return what a job reads: digests by path, or by kind for the many that a whole study reads."""
        found = {}
        leaves = self.plan.leaves(job)
        # What was not made yet is made anyway: the job reads its leaves, and planning need not.
        made = "manifest" if "manifest" in job.stage.makes else "table"
        python = self.plan.other_python(job)
        reads = bool(leaves) or python is not None
        waits = self.planning and reads and not job.path(made, self.results).is_file()
        for leaf in leaves:
            digest = NONE if waits else leaf_digest(leaf, self.results, PLANNED_BYTES)
            found[leaf.root.as_posix()] = digest
        if python is not None:
            found[f"what is installed for {python}"] = NONE if waits else environment_digest(python)
        if "study" in job.stage.wildcards:
            kinds: dict[str, list[Job]] = {}
            for needed in self.plan.needed_by(job):
                kinds.setdefault(needed.rule, []).append(needed)
            return found | {rule: self._of_many(jobs, job.rule) for rule, jobs in kinds.items()}
        for needed in self.plan.needed_by(job):
            found |= {path.as_posix(): digest for path, digest in self._results_of(needed, job.rule)}
        return found

    def _results_of(self, job: Job, reader: str) -> Iterator[tuple[Path, str]]:
        """Yield what rule `reader` reads of a job, with its digest: a folder by its manifest, files by their bytes.

        Run records tell of a run and decide no number, but for those of timings, which hold what was measured. The
        report shows them.
        """
        for name in STAGES[reader].reads_of(job.rule):
            path = job.path(name, self.results)
            if name == "manifest":
                yield path, self._of_manifest(path)
            elif name not in ("store", "files"):
                yield path, self._of_file(path)

    def _of_many(self, jobs: Iterable[Job], reader: str) -> str:
        digest = hashlib.sha256()
        for job in jobs:
            for path, found in self._results_of(job, reader):
                digest.update(f"{path.as_posix()}\0{found}\n".encode())
        return "sha256:" + digest.hexdigest()

    def _of_manifest(self, path: Path) -> str:
        return self._kept("manifest", path, _digest_in)

    def _of_file(self, path: Path) -> str:
        return self._kept("file", path, digest_file)

    def _kept(self, kind: str, path: Path, read: Callable[[Path], str]) -> str:
        """Return ``read(path)``, read once as long as the file is the same; ``none`` where it cannot be read."""
        try:
            state = signature(path)
            before = self._digests.get((kind, str(path)))
            if before is not None and before[0] == state:
                return before[1]
            digest = read(path)
        except OSError:
            return NONE
        self._digests[kind, str(path)] = (state, digest)
        return digest

    # What would run.

    def why(self, job: Job) -> str | None:
        """Return why a job's own result does not hold: ``missing``, ``unrecorded``, ``changed``; None where it does.

        A folder that its manifest vouches for may be missing: it is made again when a job needs it.
        """
        outputs = job.outputs(self.results)
        by_manifest = {"store", "files"} if "manifest" in outputs else set()
        if not all(path.exists() for name, path in outputs.items() if name not in by_manifest | {"record"}):
            return "missing"
        recorded = self.recorded(job)
        if recorded is None:
            return "unrecorded"
        return None if self.agrees(job, recorded, self.now(job)) else "changed"

    def runs(self) -> dict[Job, str]:
        """Return the jobs that the next run of the whole study starts, in the study's order, each with the reason.

        Beside those of `why`: ``follows``, a job that it needs runs; ``needed``, a job that runs reads something of it
        that is missing.
        """
        jobs = list(self.plan.jobs())
        needs = {job: self.plan.needed_by(job) for job in jobs}
        found = {job: why for job in jobs if (why := self.why(job)) is not None}
        while True:
            count = len(found)
            for job in jobs:
                if job not in found and any(needed in found for needed in needs[job]):
                    found[job] = "follows"
            for job in reversed(jobs):
                if job in found:
                    for needed in needs[job]:
                        if needed not in found and self._lacks(job, needed):
                            found[needed] = "needed"
            if len(found) == count:
                return {job: found[job] for job in jobs if job in found}

    def _lacks(self, reader: Job, maker: Job) -> bool:
        read = reader.stage.reads_of(maker.rule)
        return not all(maker.path(name, self.results).exists() for name in read)


def _digest_in(manifest: Path) -> str:
    """Return the digest that a manifest states, and the commit beside it; ``none`` for one that is damaged."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return NONE
    if not isinstance(content, dict) or not isinstance(content.get("digest"), str):
        return NONE
    commit = content.get("commit")
    return content["digest"] if commit is None else f"{content['digest']} at {commit}"
