"""What every job of the workflow does around its work: a log, errors in one line, a record of the run, its memory."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import IO, Any, NamedTuple

from scopedepth.errors import DISK_FULL, TOO_LARGE, ScopeDepthError, is_memory, one_line
from scopedepth.job.heap import end_without_collecting, keep_freed_memory
from scopedepth.job.leaves import check_unchanged, signatures
from scopedepth.job.manifest import digest_file, digest_tree, manifest_of, record_of, write_json
from scopedepth.job.progress import announced

# The libraries whose versions can change a number, as far as a job has imported them.
RECORDED = (
    "numpy",
    "numba",
    "torch",
    "transformers",
    "peft",
    "onnxruntime",
    "opencv-python-headless",
    "zarr",
    "numcodecs",
    "google-crc32c",
    "pyarrow",
    "scipy",
)
IMPORT_NAMES = {"opencv-python-headless": "cv2", "google-crc32c": "google_crc32c"}


class Made(NamedTuple):
    """What a job writes down of what it made: where, what that was made from, and the outputs that it speaks of."""

    record: str | Path
    made_from: str = ""
    outputs: Iterable[str | Path] = ()


@contextmanager
def job(
    log: str | Path | None = None,
    made: Sequence[Made] = (),
    inputs: Iterable[str | Path] = (),
    label: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Run a job's body with its messages copied to `log`, and write the run records of what it made.

    A record says what the result was made from (as `scopedepth.study.made_from` writes it), when, where and with which
    versions, and holds the digests of the outputs, of itself too. It is gone while the job runs, so that none speaks of
    what another run left half-made. Where a file among or below `inputs` is another at the end than at the start, the
    job fails: nobody could say what its result was made from.
    A `ScopeDepthError` and what the machine is to blame for (`closing_words`) end the process with status 1 and one
    line; any other exception keeps its traceback.
    `label`: what the job is called where all running jobs are shown.
    Yields a dict; what the body puts into it is added to the record (a device, a number of frames).
    """
    began = time.time()
    facts: dict[str, Any] = {}
    keep_freed_memory()
    end_without_collecting()
    with _copied_to(log), announced(label or Path(log or sys.argv[0]).stem):
        try:
            for one in made:
                Path(one.record).unlink(missing_ok=True)
            before = signatures(inputs)
            yield facts
            check_unchanged(before, signatures(inputs))
            for one in made:
                content = {**run_facts(began), **facts, "made_from": one.made_from}
                content["outputs"] = digests_of(
                    [path for path in one.outputs if str(path) != str(one.record)]
                )
                write_json(Path(one.record), sealed(content))
        except ScopeDepthError as error:
            print(f"scopedepth: error: {error}", file=sys.stderr)
            raise SystemExit(1) from None
        except Exception as error:
            said = closing_words(error, made[0].record if made else log)
            if said is None:
                raise
            print(f"scopedepth: error: {said}", file=sys.stderr)
            raise SystemExit(1) from None


def digests_of(paths: Iterable[str | Path]) -> dict[str, str]:
    """Return the digest of each file in `paths`, and of each folder that has no manifest among them."""
    every = list(map(Path, paths))
    found = {}
    for path in every:
        if path.is_file():
            found[path.name] = digest_file(path)
        elif path.is_dir() and manifest_of(path) not in every:
            found[path.name] = digest_tree(path)
    return found


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run record with a digest of all that it says, by which a changed letter is found."""
    content = {key: value for key, value in record.items() if key != "seal"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return {**content, "seal": hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()}


def rule_job(given: Any) -> AbstractContextManager[dict[str, Any]]:
    """Run the body of a rule's script as its `job`. `given`: what Snakemake gives a script."""
    label = f"{given.rule} {'/'.join(given.wildcards)}"
    parts = getattr(given.params, "parts", None)
    if parts is None:
        made = [Made(given.output.record, given.params.made_from, given.output)]
    else:
        tables = {Path(table).stem: Path(table) for table in given.output.table}
        made = [Made(record_of(tables[name]), parts[name], [tables[name]]) for name in parts]
    return job(given.log[0], made, given.input, label)


def spec_of(given: Any) -> Any:
    """Return the spec that decides a rule's job (see `vocabulary.specs`). `given`: what Snakemake gives a script."""
    return json.loads(given.params.made_from)["spec"]


def stores_of(given: Any) -> dict[str, Any]:
    """Return the datasets' stores of a study by unit, and its predictions' by unit and model, in the study's order."""
    units, models = given.params.units, spec_of(given)["study"]["models"]
    return {
        "stores": dict(zip(units, map(Path, given.input.units_store), strict=True)),
        "predictions": dict(
            zip(product(units, models), map(Path, given.input.predictions_store), strict=True)
        ),
    }


def specs_of(given: Any) -> dict[str, Any]:
    """Return the specs that decide the parts which a job is to make, by the parts' names."""
    return {name: json.loads(made_from)["spec"] for name, made_from in given.params.parts.items()}


def closing_words(error: Exception, near: str | Path | None) -> str | None:
    """Return what to say of an error that the machine is to blame for; None of any other."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return full_disk(error, near)
    if isinstance(error, OSError) and error.errno == TOO_LARGE:
        return one_line(
            f"A file may not be so large ({error.filename or near}): the file system or the limit of this session "
            "(ulimit -f) forbids it. Raise the limit or use another disk, and run the same command again."
        )
    if is_memory(error):
        return one_line(
            f"Memory does not suffice ({str(error).strip() or type(error).__name__}). Run fewer jobs at once (--cores) "
            "or on a machine with more, and run the same command again: what is done is kept."
        )
    return None


def full_disk(error: OSError, near: str | Path | None) -> str:
    """Return what to say of a full disk or quota. Few errors name their file; then `near` says which disk it is."""
    where = error.filename or (Path(near).parent if near is not None else Path.cwd())
    said = f"No space left on the disk of {where}. Make room and run the same command again: what is done is kept."
    return one_line(said)


def run_facts(began: float) -> dict[str, Any]:
    """Return what a run record holds of every job: when, where, how long, with which versions."""
    return {
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
        "seconds": round(time.time() - began, 3),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "command": sys.argv,
        "python": platform.python_version(),
        "versions": library_versions(),
        "peak_memory_mib": peak_memory_mib(),
    }


def library_versions() -> dict[str, str]:
    """Return the versions of the number-making libraries that this process has imported."""
    loaded = [name for name in RECORDED if IMPORT_NAMES.get(name, name) in sys.modules]
    return {name: _version(name) for name in loaded}


# A package's metadata are a file to find and to parse, and a process does not change its libraries.
@cache
def _version(name: str) -> str:
    return metadata.version(name)


def peak_memory_mib() -> float:
    """Return this process's peak resident memory in MiB."""
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


class _Tee:
    """Writes to the terminal and to the log. Says it is a terminal where the terminal is one."""

    def __init__(self, stream: IO[str], file: IO[str]) -> None:
        self.stream, self.file = stream, file

    def write(self, text: str) -> int:
        with _though_full():
            self.file.write(text)
            self.file.flush()
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return False  # a bar's control characters have no place in a log

    def fileno(self) -> int:
        return self.stream.fileno()

    @property
    def encoding(self) -> str:
        return "utf-8"


@contextmanager
def _copied_to(log: str | Path | None) -> Iterator[None]:
    if log is None:
        yield
        return
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    out, err = sys.stdout, sys.stderr
    file = Path(log).open("w", encoding="utf-8")  # noqa: SIM115  # closing it may fail, and then must not matter
    sys.stdout, sys.stderr = _Tee(out, file), _Tee(err, file)
    try:
        yield
    except SystemExit:
        raise
    except BaseException:
        import traceback

        with _though_full():
            traceback.print_exc(file=file)
        raise
    finally:
        sys.stdout, sys.stderr = out, err
        with _though_full():
            file.close()


@contextmanager
def _though_full() -> Iterator[None]:
    """Go on where a log cannot be written for want of space: what is said must still reach the terminal."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise


def read_record(path: Path) -> dict[str, Any]:
    """Return the run record at `path`, or an empty dict where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
