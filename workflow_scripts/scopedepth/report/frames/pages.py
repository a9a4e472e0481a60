"""The pages of a study's frames: a folder that opens from disk, its data in parts that load when they are looked at.

`index.html` holds the program, `study.js` what there is. Below the folder of a dataset each sequence has one, by its
number: `statuses/{protocol}.js` has a status for every frame of it, `values/{protocol}/{metric}.js` a number,
`reference/{part}.js` image, depth and the pixels that count of the frames that are shown, `models/{model}/{part}.js`
what a model said of them, on its own grid and in its own numbers, with what brings it to the reference's scale under
each protocol. The browser resamples, aligns and limits it as the score stage does (`evaluation.resample`,
`evaluation.kernels`). Parts are scripts because a page from disk may load nothing else.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from markupsafe import escape
from numpy.typing import NDArray

from scopedepth.evaluation.align import Pair, open_pairs
from scopedepth.evaluation.alignment import Fit
from scopedepth.evaluation.frames import stored_status
from scopedepth.evaluation.maps import unscored
from scopedepth.evaluation.masks import bounds_as, valid_pixels
from scopedepth.evaluation.metrics import frame_limits
from scopedepth.evaluation.pixels import Workspace, single
from scopedepth.evaluation.protocol import Terms
from scopedepth.evaluation.score import FIT, fits_in, is_scored
from scopedepth.job.progress import Advance, progress
from scopedepth.report.frames.chosen import PAGE, notable, shown
from scopedepth.report.frames.pack import ROUNDING, packed, packed_mask
from scopedepth.report.html.parts.pictures import DEPTH_MAP, ERROR_MAP, colours, photograph
from scopedepth.report.palette import palette
from scopedepth.stores.dataset import DatasetSequence, DatasetStore
from scopedepth.stores.prediction import PredictionStore
from scopedepth.tables.io import read_table
from scopedepth.tables.study import FRAMES
from scopedepth.vocabulary.flags import FRAME_OK, PREDICTION_FAILED
from scopedepth.vocabulary.metrics import METRICS
from scopedepth.vocabulary.reasons import WORDS
from scopedepth.vocabulary.units import dataset_of

STATIC = Path(__file__).parent / "static"
# A part is loaded whole: frames enough for so many pixels of the reference, and eight at most.
PART_PIXELS, PART_FRAMES = 1_000_000, 8
COLOURS = 10  # of networks, as in the report


@dataclass(frozen=True)
class Video:
    """A sequence of a dataset, all of it: its number there, and the units that hold a range of its frames each."""

    name: str
    number: int
    parts: Sequence[tuple[str, DatasetSequence]]

    @property
    def any(self) -> DatasetSequence:
        return self.parts[0][1]

    @property
    def n_frames(self) -> int:
        return sum(part.n_frames for _, part in self.parts)

    @property
    def length(self) -> int:
        """How many frames a part of its data has."""
        return max(1, min(PART_FRAMES, PART_PIXELS // (self.any.height * self.any.width)))

    def place(self, frame: int) -> tuple[str, DatasetSequence, int]:
        """Return the unit that holds a frame, the sequence there and the frame's place in it."""
        return next(
            (unit, part, frame - part.first_frame)
            for unit, part in self.parts
            if part.first_frame <= frame < part.first_frame + part.n_frames
        )


def write_pages(
    study: Mapping[str, Any],
    datasets: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, Mapping[str, Any]],
    protocols: Mapping[str, Any],
    frames: Path,
    stores: Mapping[str, Path],
    predictions: Mapping[tuple[str, str], Path],
    out: Path,
) -> None:
    """Write the pages of a study's frames into the folder `out`, which appears when it is whole.

    study: `frame_pages` of it is how many frames of a sequence are shown at most, evenly spaced; those of the report's
    pictures are shown too. datasets, models: their titles, and the models' families. frames: the study's table of
    frames. stores: by unit; predictions: by unit and model. The bytes follow from the inputs. The maps
    of one frame are held at a time, its part as text, and the rows of one dataset and protocol.
    """
    beside = out.with_name(out.name + ".partial")
    for old in (out, beside):
        if old.exists():
            shutil.rmtree(old)
    beside.mkdir(parents=True)
    writer = _Writer(study, models, protocols, frames, stores, predictions, beside)
    about = [
        {"name": name, "title": datasets[name].get("title") or name, "sequences": writer.dataset(name)}
        for name in study["datasets"]
    ]
    _write_part(beside / "study.js", "study", {**writer.about(), "datasets": about})
    page = (STATIC / PAGE).read_text(encoding="utf-8")
    for mark, text in {
        "@title@": str(escape(study.get("title") or study["name"])),
        "@style@": palette() + (STATIC / "page.css").read_text(encoding="utf-8"),
        "@script@": "".join((STATIC / name).read_text(encoding="utf-8") for name in ("maps.js", "page.js")),
    }.items():
        page = page.replace(mark, text)
    (beside / PAGE).write_text(page, encoding="utf-8")
    beside.rename(out)


def videos_of(dataset: str, stores: Mapping[str, Path]) -> list[Video]:
    """Return the sequences of a dataset, in the order of its units."""
    found: dict[str, list[tuple[str, DatasetSequence]]] = {}
    for unit, path in stores.items():
        if dataset_of(unit) == dataset:
            for name, sequence in DatasetStore(path).sequences.items():
                found.setdefault(name, []).append((unit, sequence))
    return [
        Video(name, number, sorted(parts, key=lambda part: part[1].first_frame))
        for number, (name, parts) in enumerate(found.items())
    ]


class _Writer:
    """Writes the parts of all datasets below `folder`."""

    def __init__(
        self,
        study: Mapping[str, Any],
        models: Mapping[str, Mapping[str, Any]],
        protocols: Mapping[str, Any],
        frames: Path,
        stores: Mapping[str, Path],
        predictions: Mapping[tuple[str, str], Path],
        folder: Path,
    ) -> None:
        self.study, self.models, self.protocols = study, models, protocols
        self.frames, self.stores, self.predictions, self.folder = frames, stores, predictions, folder
        # As in the report: the study's order, trivial baselines last.
        self.names: list[str] = sorted(study["models"], key=lambda name: models[name]["family"] == "baseline")
        self.networks = [name for name in self.names if models[name]["family"] != "baseline"]
        self.protocol, self.metric = (str(study["headline"][key]) for key in ("protocol", "metric"))
        self._pairs: dict[tuple[str, str], dict[str, Pair]] = {}
        self._workspace = Workspace()

    def about(self) -> dict[str, Any]:
        """Return what the page must know of the study beside its datasets."""
        named = dict.fromkeys(one for protocol in self.study["protocols"] for one in self._metrics(protocol))
        looks = {name: f"s{number % COLOURS}" for number, name in enumerate(self.networks)}
        return {
            "title": self.study.get("title") or self.study["name"],
            "protocol": self.protocol,
            "metric": self.metric,
            "metrics": [
                {
                    "name": name,
                    "label": METRICS[name].label,
                    "unit": METRICS[name].unit,
                    "higher": METRICS[name].higher_is_better,
                }
                for name in sorted({self.metric: None, **named}, key=lambda name: name != self.metric)
            ],
            "models": [
                {
                    "name": name,
                    "title": self.models[name].get("title") or name,
                    "look": looks.get(name, "base"),
                }
                for name in self.names
            ],
            "protocols": [
                {
                    "name": name,
                    "title": self.protocols[name].get("title") or name,
                    "metrics": self._metrics(name),
                }
                for name in sorted(self.study["protocols"], key=lambda name: name != self.protocol)
            ],
            "colours": {"depth": _hex(DEPTH_MAP), "error": _hex(ERROR_MAP)},
            "words": WORDS,
            "rounding": ROUNDING,
        }

    def dataset(self, name: str) -> list[dict[str, Any]]:
        """Write the parts of a dataset; return what the page must know of its sequences."""
        self._pairs.clear()
        videos = videos_of(name, self.stores)
        chosen = self._chosen(name, videos)
        fits = self._scores(name, videos, chosen)
        with progress(f"pages of {name}", sum(map(len, chosen.values()))) as advance:
            return [self._video(name, video, chosen[video.name], fits, advance) for video in videos]

    def _metrics(self, protocol: str) -> list[str]:
        """Return the metrics that a protocol computes of a frame."""
        return list(self.protocols[protocol]["metrics"])

    def _rows(self, dataset: str, protocol: str) -> pa.Table:
        wanted = ("frame", "model", *FIT, *self._metrics(protocol))
        return read_table(self.frames, wanted, FRAMES, {"dataset": dataset, "protocol": protocol})

    def _chosen(self, dataset: str, videos: Sequence[Video]) -> dict[str, list[int]]:
        """Return the frames that are shown, by sequence."""
        rows = self._rows(dataset, self.protocol)
        values: dict[tuple[str, int], dict[str, float]] = {}
        keys = (rows[key].to_pylist() for key in ("sequence", "frame", "model", self.metric))
        for sequence, frame, model, value in zip(*keys, strict=True):
            if value is not None:
                values.setdefault((sequence, frame), {})[model] = value
        higher = METRICS[self.metric].higher_is_better
        also = notable(values, self.names, self.networks, higher)
        return {
            video.name: [
                frame + video.any.first_frame
                for frame in shown(
                    video.n_frames,
                    self.study["frame_pages"],
                    (one.frame - video.any.first_frame for one in also if one.sequence == video.name),
                )
            ]
            for video in videos
        }

    def _scores(
        self, dataset: str, videos: Sequence[Video], chosen: Mapping[str, Sequence[int]]
    ) -> dict[tuple[str, str, str, int], Fit]:
        """Write each frame's values and status; return the fits of the frames that are shown.

        They are found by protocol, model, sequence and frame.
        """
        wanted = {name: set(frames) for name, frames in chosen.items()}
        kept: dict[tuple[str, str, str, int], Fit] = {}
        for protocol in self.study["protocols"]:
            rows = self._rows(dataset, protocol)
            keys = [rows[key].to_pylist() for key in ("sequence", "model", "frame")]
            statuses = self._series(videos, keys, rows["status"].to_pylist(), "missing")
            for sequence, model, frame, fit in zip(*keys, fits_in(self.frames, rows), strict=True):
                if frame in wanted[sequence]:
                    kept[protocol, model, sequence, frame] = unscored(fit)
            for video in videos:
                # Of statuses the runs of frames that have one.
                runs = {
                    model: [[status, len(list(run))] for status, run in groupby(statuses[video.name, model])]
                    for model in self.names
                }
                self._write(dataset, video, f"statuses/{protocol}", runs)
            for metric in self._metrics(protocol):
                numbers = self._series(videos, keys, map(_short, rows[metric].to_pylist()), None)
                for video in videos:
                    values = {model: numbers[video.name, model] for model in self.names}
                    self._write(dataset, video, f"values/{protocol}/{metric}", values)
        return kept

    def _series(
        self, videos: Sequence[Video], keys: Sequence[list[Any]], column: Iterable[Any], missing: Any
    ) -> dict[tuple[str, str], list[Any]]:
        """Return what a column says of each frame, by sequence and model; keys: those two and frame, of its rows."""
        first = {video.name: video.any.first_frame for video in videos}
        series = {(video.name, model): [missing] * video.n_frames for video in videos for model in self.names}
        for sequence, model, frame, said in zip(*keys, column, strict=True):
            series[sequence, model][frame - first[sequence]] = said
        return series

    def _video(
        self,
        dataset: str,
        video: Video,
        frames: Sequence[int],
        fits: Mapping[tuple[str, str, str, int], Fit],
        advance: Advance,
    ) -> dict[str, Any]:
        ids = {unit: part.frame_ids() for unit, part in video.parts}
        ends: list[tuple[float, float]] = []
        for number, start in enumerate(range(0, len(frames), video.length)):
            part = frames[start : start + video.length]
            reference = {}
            said: dict[str, dict[str, Any]] = {model: {"frames": {}} for model in self.names}
            for frame in part:
                unit, data, place = video.place(frame)
                pairs = {model: self._pair(unit, model, dataset)[video.name] for model in self.names}
                terms = pairs[self.names[0]].terms
                looked = _Looked(data, place, terms)
                reference[frame] = {"name": ids[unit][place], **looked.content()}
                ends += looked.ends(self.protocol)
                for model, pair in pairs.items():
                    own = {protocol: fits[protocol, model, video.name, frame] for protocol in terms}
                    said[model]["how"] = {name: _how(one) for name, one in pair.terms.items()}
                    said[model]["turned"] = any(one.turned for one in pair.terms.values())
                    said[model]["frames"][frame] = self._said(pair, looked, own)
                advance()
            self._write(dataset, video, f"reference/{number}", reference)
            for model, content in said.items():
                self._write(dataset, video, f"models/{model}/{number}", content)
        camera = video.any.intrinsics
        return {
            "name": video.name,
            "first": video.any.first_frame,
            "frames": video.n_frames,
            "shown": list(frames),
            "length": video.length,
            "size": [video.any.height, video.any.width],
            "units": video.any.units,
            "camera": None if camera is None else [float(camera[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2))],
            "range": [min(low for low, _ in ends), max(high for _, high in ends)] if ends else None,
        }  # fmt: skip

    def _said(self, pair: Pair, looked: _Looked, fits: Mapping[str, Fit]) -> dict[str, Any]:
        """Return a model's output for a frame, and the fit of each protocol that has one."""
        place = looked.place
        status = int(pair.predicted.status(place, place + 1)[0])
        output = pair.predicted.prediction(place, place + 1)[0]
        found: dict[str, list[float | None]] = {}
        stored = stored_status(looked.status, status)
        for protocol, fit in fits.items():
            terms = pair.terms[protocol]
            if stored or not is_scored(terms, fit) or _how(terms) is None:
                continue
            found[protocol] = [fit.scale, fit.shift]
            if terms.floor_from_frame or terms.limits_from_frame:
                shown = output, looked.depth, looked.flags, looked.scene
                pixels = single(terms, place, *shown, self._workspace).pixels(0)
                found[protocol] += _plain(frame_limits(terms, pixels)[1:])
        return {"map": None if status == PREDICTION_FAILED else packed(output), "fits": found}

    def _pair(self, unit: str, model: str, dataset: str) -> dict[str, Pair]:
        if (unit, model) not in self._pairs:
            path = self.predictions[unit, model]
            data = DatasetStore(self.stores[unit])
            self._pairs[unit, model] = open_pairs(self.protocols, data, PredictionStore(path), dataset)
        return self._pairs[unit, model]

    def _write(self, dataset: str, video: Video, name: str, content: Any) -> None:
        key = f"{dataset}/{video.number}/{name}"
        _write_part(self.folder / f"{key}.js", key, content)


class _Looked:
    """A frame of a dataset, and the pixels of it that count."""

    def __init__(self, data: DatasetSequence, place: int, terms: Mapping[str, Terms]) -> None:
        self.place = place
        self.depth, self.flags, self.rgb, status = (
            read(place, place + 1)[0] for read in (data.depth, data.flags, data.rgb, data.status)
        )
        self.status = int(status)
        self.scene = data.scene(place, place + 1)[0] if any(one.needs_rgb for one in terms.values()) else None
        self.counted: dict[str, NDArray[np.bool_]] = {}
        for name, one in terms.items():
            ends = bounds_as(self.depth.dtype, one.depth_low, one.depth_high, one.ends_count)
            out = np.empty(self.depth.shape, np.bool_)
            self.counted[name] = valid_pixels(one, self.depth, self.flags, self.scene, ends, out)

    def content(self) -> dict[str, Any]:
        """Return image, depth, and the masks of pixels that count; protocols that count the same ones share one."""
        masks: dict[bytes, int] = {}
        texts: list[str] = []
        counted: dict[str, int] = {}
        for name, mask in self.counted.items():
            key = mask.tobytes()
            if key not in masks:
                masks[key] = len(texts)
                texts.append(packed_mask(mask))
            counted[name] = masks[key]
        has_depth = self.status == FRAME_OK and bool(np.isfinite(self.depth).any())
        return {
            "image": str(photograph(self.rgb, max(self.depth.shape))),
            "depth": packed(self.depth) if has_depth else None,
            "masks": texts,
            "counted": counted,
        }

    def ends(self, protocol: str) -> list[tuple[float, float]]:
        """Return the range of colours for the depths that count: all but a hundredth at either end."""
        depths = self.depth[self.counted[protocol]]
        if not depths.size:
            return []
        low, high = np.percentile(depths, [1, 99])
        return [(float(low), float(high))]


def _how(terms: Terms) -> dict[str, Any] | None:
    """Return how an output becomes a depth under a protocol; None where nothing is brought to the reference's scale."""
    if not any(METRICS[metric].needs in ("depth", "shape") for metric in terms.metrics):
        return None
    return {
        "nearest": terms.nearest,
        "corners": terms.align_corners,
        "inverse": terms.resample_inverse,
        "turned": terms.turned,
        "added": terms.resample_epsilon,
        "source": _plain(terms.source),
        "limits": _plain(terms.limits),
        "error": terms.error_epsilon,
    }


def _plain(numbers: Sequence[Any]) -> list[Any]:
    """Return numbers for JSON, which has no infinity: null."""
    return [None if isinstance(one, float) and not math.isfinite(one) else one for one in numbers]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _hex(name: str) -> str:
    return colours(name).tobytes().hex()


def _write_part(path: Path, key: str, content: Any) -> None:
    """Write a part: a script that hands it over. Only ASCII stands in it, and no text that a script could end with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    path.write_text(f"part({json.dumps(key)},{text});\n", encoding="ascii")
