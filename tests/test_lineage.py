"""Lineage: the level of each model and sequence, against sets of frames; what the configuration refuses; its words."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from project import CONFIG
from scopedepth.config.datasets import DatasetEntry
from scopedepth.config.files import read_config
from scopedepth.config.lineage import facts_for, facts_of
from scopedepth.config.load import ConfigError, check, select_study
from scopedepth.config.models import ModelSpec
from scopedepth.lineage.levels import seen
from scopedepth.study.plan import Plan
from scopedepth.vocabulary.lineage import LEVELS, MARKS, MEANINGS, legend

DATASETS = TypeAdapter(dict[str, DatasetEntry])
MODELS = TypeAdapter(dict[str, ModelSpec])
LENGTH = 60  # frames of a part of a video


# The oracle: a world of videos is drawn first, and the configuration that describes it from it. The levels are found in
# the world, by sets of frames; the configuration is never asked.


@dataclass(frozen=True)
class Shown:
    """A sequence of a dataset: which parts of videos, which frames of each, and what it is filed under."""

    parts: frozenset[str]
    files: str
    numbers: frozenset[int]
    filed: frozenset[str]
    home: str
    patient: str | None
    device: str | None

    def frames_with(self, other: Shown) -> bool:
        """Frames are told apart by their numbers in the same files alone."""
        return self.files != other.files or bool(self.numbers & other.numbers)


@dataclass
class World:
    shown: dict[str, dict[str, Shown]] = field(default_factory=dict)
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Whether all sequences of what it is an edition of are there, and whether its parts were cut before.
    whole: dict[str, bool] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)


def ranges(draw: random.Random) -> dict[str, int | None]:
    start = draw.randrange(12)
    return {
        "start": start,
        "stop": draw.choice([None, start + draw.randint(1, 5)]),
        "step": draw.randint(1, 4),
    }


def numbers(frames: dict[str, Any]) -> frozenset[int]:
    if "list" in frames:
        return frozenset(range(LENGTH))
    return frozenset(range(LENGTH)[frames["start"] : frames["stop"] : frames["step"]])


def stored(source: str) -> dict[str, Any]:
    return {"loader": "folder", "source": {"kind": "path", "path": source}}


def own_facts(draw: random.Random, names: list[str], device: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a dataset says of its own sequences, and by name the (patient, device) that are so."""
    how = draw.choice(["pattern", "table", "nobody"])
    said: dict[str, Any] = {}
    patients: dict[str, str | None] = dict.fromkeys(names)
    if how == "pattern":
        said["patient"] = "s[0-9](p[0-9])"
        patients = {name: name[2:4] for name in names}
    elif how == "table":
        known = [name for name in names if draw.random() < 0.7]
        patients.update({name: draw.choice("ab") for name in known})
        said["patient"] = {name: patients[name] for name in known}
    devices: dict[str, str | None] = dict.fromkeys(names)
    if draw.random() < 0.6:
        said["device"] = device
        devices = dict.fromkeys(names, device)
    elif draw.random() < 0.5:
        half = {name: device for name in names if draw.random() < 0.5}
        said["device"] = half
        devices.update(half)
    return said, {name: (patients[name], devices[name]) for name in names}


def root(draw: random.Random, world: World, name: str, source: str) -> None:
    names = [f"s{n}p{draw.randrange(3)}" for n in range(draw.randint(3, 5))]
    said, truth = own_facts(draw, names, draw.choice(["tower", "capsule"]))
    frames = ranges(draw) if draw.random() < 0.5 else {"start": 0, "stop": None, "step": 1}
    spec = {**stored(source), "frames": frames, "provenance": said}
    if draw.random() < 0.5:
        spec["sequences"] = names
    world.datasets[name] = spec
    world.whole[name] = True
    world.shown[name] = {
        one: Shown(
            frozenset({f"{name}/{one}/0", f"{name}/{one}/1"}), name, numbers(frames),
            frozenset({name, f"from {source}"}), name, *truth[one],
        )
        for one in names
    }  # fmt: skip


def edition(draw: random.Random, world: World, name: str) -> None:
    """Add a dataset that shows videos of another one: a view, other frames of the same files, or another edition."""
    parent = draw.choice(list(world.datasets))
    above = world.shown[parent]
    kinds = ["view", "alias", "pattern", "table"]
    kinds += ["variant"] * 4 * ("view_of" not in world.datasets[parent])
    family = next(iter(above.values())).home
    kinds += ["parts"] * (family not in world.cut)
    kind = draw.choice(kinds)
    taken = [one for one in above if draw.random() < 0.7] or [next(iter(above))]
    if kind == "view":
        world.datasets[name] = {"view_of": parent, "sequences": taken}
        world.whole[name] = False
        world.shown[name] = {one: refiled(above[one], {name}) for one in taken}
        return
    whole = world.whole[parent] and draw.random() < 0.6
    taken = list(above) if whole else taken
    spec = stored(name)
    link: dict[str, Any] = {"dataset": parent}
    shown: dict[str, Shown] = {}
    if kind == "variant":
        base = world.datasets[parent]
        frames: dict[str, Any] = ranges(draw) if draw.random() < 0.8 else {"list": ["x 1"]}
        # A list is told nothing of its frames' numbers: they are taken to be any.
        spec = {**stored(base["source"]["path"]), "frames": frames}
        here = {"files": above[taken[0]].files, "numbers": numbers(frames)}
        shown = {one: refiled(above[one], {name}, **here) for one in taken}
    elif kind == "parts":
        world.cut.add(family)
        link["sequences"] = "(.*)_part[0-9]"
        for one in taken:
            for part in sorted(above[one].parts):
                inside = {"parts": frozenset({part}), "files": name, "numbers": frozenset(range(LENGTH))}
                shown[f"{one}_part{part[-1]}"] = refiled(above[one], {name, f"from {name}"}, **inside)
    else:
        renamed = {"alias": "{}", "pattern": "x{}", "table": "t-{}"}[kind]
        here = {"files": name, "numbers": frozenset(range(LENGTH))}
        shown = {renamed.format(one): refiled(above[one], {name, f"from {name}"}, **here) for one in taken}
        if kind == "pattern":
            link["sequences"] = "x(.*)"
        if kind == "table":
            link["sequences"] = {renamed.format(one): one for one in taken}
    said: dict[str, Any] = {"same_as": draw.choice([link, [link]])}
    if kind == "alias" and draw.random() < 0.5:
        said = {"same_as": parent}
    if kind == "table":
        own = [f"s{n}p{n % 2}" for n in range(5, 5 + draw.randrange(3))]
        facts, truth = own_facts(draw, own, draw.choice(["tower", "capsule"]))
        said |= facts
        for one in own:
            alone = frozenset({f"{name}/{one}/0"})
            filed = frozenset({name, f"from {name}"})
            shown[one] = Shown(alone, name, frozenset(range(LENGTH)), filed, name, *truth[one])
    spec["provenance"] = said
    if not whole or draw.random() < 0.4:
        spec["sequences"] = list(shown)
    world.datasets[name] = spec
    # What is an edition of this one need not have all of the first one's videos.
    world.whole[name] = whole
    world.shown[name] = shown


def refiled(one: Shown, under: set[str], **changes: Any) -> Shown:
    return Shown(**{**vars(one), "filed": one.filed | under, **changes})


def model(draw: random.Random, world: World, others: list[str]) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "family": "onnx", "weights": {"kind": "path", "path": "w"}, "output": {"kind": "depth"},
    }  # fmt: skip
    if others and draw.random() < 0.6:
        spec["from"] = draw.choice(others)
        if draw.random() < 0.2:
            return spec
    entries: list[Any] = []
    for _ in range(draw.choice([0, 1, 1, 2])):
        dataset = draw.choice(list(world.datasets))
        names = list(world.shown[dataset])
        choice = draw.choice(["all", "names", "names", "pattern"])
        entry: dict[str, Any] = {"dataset": dataset}
        if choice == "names":
            entry["sequences"] = draw.sample(names, draw.randint(1, len(names)))
        elif choice == "pattern":
            entry["sequences"] = [draw.choice(["*0*", "*p1*", "?[1-3]*", names[0][:2] + "*"])]
        if draw.random() < 0.25:
            entry["held_out"] = draw.choice(["sequence", "patient"])
        if "held_out" in entry or choice == "pattern":
            # Where names decide, the configuration wants them.
            fitting = [
                one for one in names if any(fnmatchcase(one, p) for p in entry.get("sequences", ["*"]))
            ]
            if "held_out" in entry or world.datasets[dataset].get("sequences") is None or not fitting:
                entry["sequences"] = fitting or names[:1]
        entries.append(entry)
    if draw.random() < 0.15:
        entries.append({"device": draw.choice(["tower", "capsule"])})
    if draw.random() < 0.15:
        entries.append("unknown")
    if draw.random() < 0.9:
        spec["trained_on"] = "unknown" if entries == ["unknown"] else entries
    return spec


def trained(specs: dict[str, Any], name: str) -> Iterator[Any]:
    """Yield the entries of a model, and of the models that it was made from."""
    spec = specs[name]
    stated = spec.get("trained_on", [] if "from" in spec else "unknown")
    yield from ["unknown"] if stated == "unknown" else stated
    if "from" in spec:
        yield from trained(specs, spec["from"])


def oracle(world: World, specs: dict[str, Any], name: str, dataset: str, sequence: str) -> str:
    tested = world.shown[dataset][sequence]
    found = {"none"}
    for entry in trained(specs, name):
        if entry == "unknown":
            found.add("unknown")
        elif "dataset" not in entry:
            found |= {"device"} if entry["device"] == tested.device else set()
        else:
            of_it = [
                one
                for other, one in world.shown[entry["dataset"]].items()
                if any(fnmatchcase(other, pattern) for pattern in entry.get("sequences", ["*"]))
            ]
            if "held_out" in entry and any(one.parts & tested.parts for one in of_it):
                of_it = [one for one in of_it if not one.parts & tested.parts]
                if entry["held_out"] == "patient" and tested.patient is not None:
                    of_it = [one for one in of_it if (one.home, one.patient) != (tested.home, tested.patient)]
            for one in of_it:
                if one.parts & tested.parts:
                    found.add("frames" if one.frames_with(tested) else "sequence")
                if tested.patient is not None and (one.home, one.patient) == (tested.home, tested.patient):
                    found.add("patient")
                if one.filed & tested.filed:
                    found.add("dataset")
                if tested.device is not None and one.device == tested.device:
                    found.add("device")
    return min(found, key=LEVELS.index)


def test_each_mark_is_that_of_sets_of_frames() -> None:
    met: dict[str, int] = dict.fromkeys(LEVELS, 0)
    for seed in range(200):
        draw = random.Random(seed)
        world = World()
        for number in range(draw.randint(1, 2)):
            root(
                draw, world, f"d{number}", draw.choice(["d0", f"d{number}"])
            )  # of one source, and no word of it
        for number in range(draw.randint(1, 4)):
            edition(draw, world, f"e{number}")
        specs: dict[str, Any] = {}
        for number in range(3):
            specs[f"m{number}"] = model(draw, world, list(specs))
        order = draw.sample(list(world.datasets), len(world.datasets))
        facts = facts_of(
            DATASETS.validate_python({name: world.datasets[name] for name in order}),
            MODELS.validate_python(specs),
        )
        for name in specs:
            for dataset in world.datasets:
                own = facts_for(facts, [dataset], [name])
                for sequence in world.shown[dataset]:
                    level = seen(own, name, dataset, sequence)
                    expected = oracle(world, specs, name, dataset, sequence)
                    assert level == expected, (seed, name, dataset, sequence, world.datasets, specs)
                    met[level] += 1
    assert min(met.values()) > 50, met


# What the configuration refuses.


def configured(models: dict[str, Any], footage: dict[str, Any] | None = None, **study: Any) -> dict[str, Any]:
    """Return the small configuration with words added to its models and datasets."""
    config = copy.deepcopy(CONFIG)
    for name, words in models.items():
        config["models"].setdefault(name, dict(CONFIG["models"]["constant"])).update(words)
    for name, words in (footage or {}).items():
        config["datasets"][name].update(words)
    config["studies"]["small"].update(study)
    return config


SEEN = {"constant": {"trained_on": [{"dataset": "one"}]}}


def test_a_study_does_not_rank_a_model_on_its_own_training_frames() -> None:
    with pytest.raises(
        ConfigError, match=r"^studies\.small: constant was trained on frames of one that"
    ) as refused:
        check(configured(SEEN))
    assert "\n" not in str(refused.value)
    check(configured(SEEN, allow_seen=True))
    # Of other editions, by what it was made from, and by single names.
    same = {"two": {"provenance": {"same_as": "one"}}}
    child = {"constant": {"from": "old"}, "old": {"trained_on": [{"dataset": "two"}]}}
    with pytest.raises(ConfigError, match="constant was trained on frames of one"):
        check(configured(child, same, datasets=["one"]))
    named = {"constant": {"trained_on": [{"dataset": "two", "sequences": ["left"]}]}}
    with pytest.raises(ConfigError, match=r"frames of one \(sequence left\)"):
        check(configured(named, {**same, "one": {"sequences": ["left", "right"]}}, datasets=["one"]))
    check(configured(named, {**same, "one": {"sequences": ["right"]}}, datasets=["one"]))
    # What each sequence's own network has not seen is no training frame.
    check(configured({"constant": {"trained_on": [{"dataset": "one", "held_out": "sequence"}]}}))


@pytest.mark.parametrize(
    ("models", "datasets", "message"),
    [
        (
            {"constant": {"from": "brightness"}, "brightness": {"from": "constant"}},
            {},
            r"^models\.\w+\.from: \w+ is made from \w+ itself",
        ),
        (
            {"constant": {"from": "brihgtness"}},
            {},
            r"^models\.constant\.from: .* Did you mean 'brightness'\?",
        ),
        (
            {"constant": {"trained_on": [{"sequences": ["a"]}]}},
            {},
            r"^models\.constant\.trained_on\[0\]: an entry",
        ),
        (
            {"constant": {"trained_on": [{"dataset": "one", "sequences": ["a*"]}]}},
            {"one": {"provenance": {"patient": "(.).*"}}},
            r"^models\.constant\.trained_on\[0\]\.sequences: name them",
        ),
        (
            {},
            {"one": {"provenance": {"same_as": "two"}}, "two": {"provenance": {"same_as": "one"}}},
            r"^datasets\.two\.provenance\.same_as: one is said to be the same as two itself",
        ),
        (
            {},
            {"one": {"provenance": {"same_as": "two", "patient": "(.).*"}}},
            r"^datasets\.one\.provenance: patient and device of the same videos are said once, by two",
        ),
        (
            {},
            {"one": {"provenance": {"same_as": "tow"}}},
            r"same_as\[0\]\.dataset: 'tow' is not known. Did you mean",
        ),
        (
            {},
            {"one": {"provenance": {"patient": "p[0-9]"}}},
            r"^datasets\.one\.provenance\.patient: .* has 0 groups",
        ),
        (
            {},
            {"one": {"provenance": {"same_as": ["two", {"dataset": "two", "sequences": {"a": "b"}}]}}},
            r"^datasets\.one\.provenance\.same_as: all sequences are in two",
        ),
    ],
)
def test_lineage_that_cannot_be_is_refused(
    models: dict[str, Any], datasets: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        check(configured(models, datasets))
    assert "\n" not in str(refused.value)


def test_what_nobody_says_of_a_network_with_weights_is_unknown() -> None:
    network = {"family": "onnx", "weights": {"kind": "path", "path": "w"}, "output": {"kind": "depth"}}
    stated = {
        "silent": network,
        "told": network | {"trained_on": []},
        "made": network | {"from": "silent", "trained_on": [{"dataset": "d"}]},
        "trivial": {"family": "baseline", "output": {"kind": "depth"}, "options": {"kind": "constant"}},
    }
    facts = facts_of(
        DATASETS.validate_python({"d": stored("d"), "e": stored("e")}), MODELS.validate_python(stated)
    )
    levels = {name: (seen(facts, name, "d", "s"), seen(facts, name, "e", "s")) for name in stated}
    assert levels == {
        "silent": ("unknown", "unknown"),
        "told": ("none", "none"),
        "made": ("frames", "unknown"),
        "trivial": ("none", "none"),
    }


# Words: they reach the tables and the report.


def test_lineage_makes_no_prediction_and_no_fit_stale(root: Path) -> None:
    words = {"constant": {"from": "brightness"}, "brightness": {"trained_on": "unknown"}}
    said = {
        "one": {"provenance": {"patient": "(.).*", "device": "tower"}},
        "two": {"provenance": {"same_as": "one"}},
    }
    before, after = (
        Plan(select_study(config), root / "workflow_scripts") for config in (CONFIG, configured(words, said))
    )
    changed = {job.rule for job in before.jobs() if before.spec(job) != after.spec(job)}
    assert changed == {"summarise", "report"}
    # What another study's datasets and models say changes nothing of this one.
    aside = configured({"aside": {"trained_on": "unknown"}})
    aside["datasets"]["three"] = {**aside["datasets"]["one"], "provenance": {"device": "tower"}}
    other = Plan(select_study(aside), root / "workflow_scripts")
    assert all(before.spec(job) == other.spec(job) for job in before.jobs())


# The project's own entries.


def test_scareds_published_split_shares_animals(root: Path) -> None:
    config = read_config(root / "config.yaml")
    trained = [f"dataset_{n}_keyframe_{k}" for n in range(1, 8) for k in (1, 2)]
    config["models"]["endo"] = {
        **config["models"]["endo_depth_test1"],
        "trained_on": [{"dataset": "scared_af_sfmlearner", "sequences": trained}],
    }
    study = config["studies"]["demo"]
    config["studies"]["split"] = {
        **study,
        "datasets": ["scared_af_sfmlearner"],
        "models": ["endo", "constant"],
    }
    facts = select_study(config, "split").spec["lineage"]
    for number, keyframe in zip(range(1, 8), (3, 4, 4, 4, 4, 4, 4), strict=True):
        assert (
            seen(facts, "endo", "scared_af_sfmlearner", f"dataset_{number}_keyframe_{keyframe}") == "patient"
        )
    # The key frames of an animal are frames of its videos.
    config["studies"]["split"]["datasets"] = ["scared"]
    with pytest.raises(ConfigError, match=r"endo was trained on frames of scared \(sequence dataset_1\)"):
        select_study(config, "split")


def test_the_papers_models(root: Path) -> None:
    config = read_config(root / "config.yaml")
    config["studies"]["paper"]["datasets"].append("hamlyn_foundation_stereo")
    facts = select_study(config, "paper").spec["lineage"]
    hamlyn = [
        {model: seen(facts, model, name, "rectified04") for model in config["studies"]["paper"]["models"]}
        for name in ("hamlyn_rectified", "hamlyn_foundation_stereo")
    ]
    assert hamlyn[0] == hamlyn[1]
    assert {level for name, level in hamlyn[0].items() if name.startswith(("depth_", "midas", "zoe"))} == {
        "unknown"
    }
    assert (hamlyn[0]["endo_depth"], hamlyn[0]["endo_sfmlearner"], hamlyn[0]["constant"]) == (
        "dataset", "none", "none",
    )  # fmt: skip
    assert seen(facts, "endo_sfmlearner", "endoslam_unity", "colon") == "frames"
    config["studies"]["paper"]["allow_seen"] = False
    with pytest.raises(
        ConfigError, match=r"^studies\.paper: endo_sfmlearner was trained on frames of endoslam_unity"
    ):
        check(config)


def test_each_level_has_a_mark_of_its_own_and_a_meaning() -> None:
    assert set(MARKS) == set(MEANINGS) == set(LEVELS)
    assert len(set(MARKS.values())) == len(LEVELS)
    assert legend({"none"}) == ""
    assert (
        legend({"none", "unknown", "frames"})
        == "Seen in training, at the closest: † these frames; ? not known."
    )
