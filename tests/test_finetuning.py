"""Fine-tuning: the same bytes whenever and however often it is stopped, in the base's format; what is refused."""

from __future__ import annotations

import copy
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import tiny_models
from project import CONFIG
from scopedepth.config.files import read_config
from scopedepth.config.finetuning import RecipeSpec
from scopedepth.config.load import ConfigError, check, select_study
from scopedepth.errors import ScopeDepthError
from scopedepth.finetuning import loop
from scopedepth.finetuning.data import Lessons, folds_of, frames_named, lessons, names_of
from scopedepth.finetuning.finetune import _told_apart, finetune
from scopedepth.finetuning.formats import monodepth2
from scopedepth.finetuning.learners import Learners
from scopedepth.finetuning.losses import METRIC_FREE, agreement, loss
from scopedepth.finetuning.state import State, read_state
from scopedepth.job.manifest import digest_tree
from scopedepth.lineage.levels import seen
from scopedepth.models import load_model
from scopedepth.models.monodepth2_networks import Decoder, DispResNet, Encoder
from scopedepth.phantom.scene import Frame
from scopedepth.phantom.scope import through
from scopedepth.stores.dataset import DatasetStore
from scopedepth.stores.sharded import ArraySpec, ShardedStore
from scopedepth.study.layout import Job
from scopedepth.study.made_from import MadeFrom
from scopedepth.study.plan import Plan
from scopedepth.vocabulary.flags import BORDER
from test_tracer import installed, opened

SIDE = 32
WIDTHS = (4, 4, 8, 8, 8), (4, 4, 4, 4, 8)


def write_lessons(folder: Path, name: str = "tubes", sequences: tuple[str, ...] = ("a1", "a2", "b1")) -> Path:
    """Write a store of four frames a sequence whose brightness falls with depth."""
    arrays = {
        "rgb": ArraySpec((SIDE, SIDE, 3), "uint8", ("y", "x", "channel")),
        "depth": ArraySpec((SIDE, SIDE), "float32", ("y", "x"), float("nan")),
        "flags": ArraySpec((SIDE, SIDE), "uint8", ("y", "x")),
        "status": ArraySpec((), "uint8"),
    }
    groups = {one: {"n_frames": 4, "arrays": arrays, "attrs": {"units": "mm"}} for one in sequences}
    path = folder / f"{name}.zarr"
    with ShardedStore(path, {}, groups, 4, {"dataset": name, "sequences": list(sequences)}) as store:
        for one, shard, start, stop in store.missing():
            random = np.random.default_rng([sequences.index(one), start])
            y, x = np.mgrid[:SIDE, :SIDE] / SIDE
            ways = random.uniform(2, 6, (stop - start, 2, 1, 1))
            depth = 40 + 15 * np.sin(ways[:, 0] * x) + 15 * np.cos(ways[:, 1] * y)
            grey = 255 * (20 / depth) ** 2 + random.normal(0, 2, depth.shape)
            store.write_shard(one, shard, {
                "rgb": np.repeat(np.clip(grey, 0, 255)[..., None], 3, -1).astype(np.uint8),
                "depth": depth.astype(np.float32), "flags": np.zeros(depth.shape, np.uint8),
                "status": np.zeros(stop - start, np.uint8),
            })  # fmt: skip
        store.finish()
    return path


def write_monodepth2(folder: Path) -> Path:
    torch.manual_seed(0)
    folder.mkdir()
    size = {"height": 64, "width": 64, "use_stereo": False}
    torch.save({**Encoder(WIDTHS[0]).state_dict(), **size}, folder / "encoder.pth")
    torch.save(Decoder(*WIDTHS).state_dict(), folder / "depth.pth")
    return folder


def write_sc_sfmlearner(folder: Path) -> Path:
    torch.manual_seed(0)
    folder.mkdir()
    torch.save(
        {"epoch": 1, "state_dict": DispResNet(*WIDTHS).state_dict()}, folder / "dispnet_model_best.pth.tar"
    )
    return folder


# What each network says, and how it is written.
NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "depth_anything": (
        tiny_models.depth_anything,
        tiny_models.spec("transformers", "disparity", preprocessing="hub"),
    ),
    "dpt": (tiny_models.dpt, tiny_models.spec("transformers", "scaled_disparity", preprocessing="hub")),
    "zoedepth": (
        tiny_models.zoedepth,
        tiny_models.spec("transformers", "metric_depth", "m", preprocessing="hub"),
    ),
    "monodepth2": (write_monodepth2, tiny_models.spec("monodepth2", "depth", centred=True)),
    "sc_sfmlearner": (
        write_sc_sfmlearner,
        tiny_models.spec("sc_sfmlearner", "affine_depth", height=64, width=64, resample="bilinear"),
    ),
}
RECIPES = {
    "lora": ["adapters"],
    "lora_head": ["adapters", "head"],
    "neck_head": ["neck", "head"],
    "full": ["all"],
}


HOLDOUT = {"by": "sequence", "share": 0.3}


def load(spec: Any, weights: Path, device: str) -> Any:
    """Load one of the families' models, with all that it has beside what all models have."""
    return load_model(spec, weights, device)


def taught(
    stores: list[DatasetStore], train: Any, holdout: Any, people: Any, seed: int, name: str
) -> Lessons:
    """Return what is learnt from of the frames that `train` names."""
    return lessons(frames_named(stores, train, name), holdout, people, seed, name)


def recipe(trains: list[str], **changed: Any) -> dict[str, Any]:
    given = {"trains": trains, "learning_rate": 1e-3, "steps": 6, "batch": 2, "check_every": 3, **changed}
    return RecipeSpec.model_validate(given).model_dump(mode="json")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    for name, (write, _) in NETWORKS.items():
        write(folder / name)
    write_lessons(folder)
    return folder


def train(
    bases: Path,
    out: Path,
    network: str,
    learns: dict[str, Any],
    every: int = 2,
    seed: int = 0,
    identity: str = "x",
    folds: dict[str, Any] | None = None,
    holdout: dict[str, Any] | None = HOLDOUT,
    sequences: list[str] | None = None,
) -> dict[str, Any]:
    spec = {
        "model": NETWORKS[network][1],
        "recipe": learns,
        "seed": seed,
        "train": [{"dataset": "tubes", "sequences": sequences, "frames": None}],
        "holdout": holdout,
        "folds": folds,
        "people": {"tubes": {"same_as": [], "patient": None}},
    }
    return finetune(
        spec, identity, bases / network, [bases / "tubes.zarr"], out, out.with_suffix(".json"), "cpu", every
    )


@pytest.fixture
def any_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on whatever the sign: networks that have learnt nothing say near and far at random."""
    monkeypatch.setattr(loop, "agreement", lambda kind, output, *_: torch.ones(len(output)))


@pytest.mark.usefixtures("any_sign")
@pytest.mark.parametrize("network", NETWORKS)
def test_each_recipe_changes_its_parts_and_the_result_is_a_checkpoint_like_the_base(
    network: str, bases: Path, tmp_path: Path
) -> None:
    spec = NETWORKS[network][1]
    before = load(spec, bases / network, "cpu").network.state_dict()
    for name, trains in RECIPES.items():
        # One step, whose result is taken: it need not be better.
        train(bases, tmp_path / name, network, {**recipe(trains, steps=1, check_every=1, flip=False)}, seed=1)
        tuned = load(spec, tmp_path / name, "cpu")
        changed = {
            key.split(".")[0]
            for key, value in tuned.network.state_dict().items()
            if not value.equal(before[key])
        }
        parts = __import__(f"scopedepth.finetuning.formats.{spec['family']}", fromlist=["parts"]).parts(
            tuned.network
        )
        allowed = [
            child
            for part, children in parts.items()
            if "all" in trains or part in trains or (part == "backbone" and "adapters" in trains)
            for child in children
        ]
        assert changed <= set(allowed), name
        frames = tiny_models.scene(1, SIDE, SIDE)
        assert np.isfinite(tuned.predict(frames)).all()


def test_training_changes_weights_where_it_helps(bases: Path, tmp_path: Path) -> None:
    facts = train(bases, tmp_path / "out", "monodepth2", recipe(["all"], steps=12, learning_rate=3e-3))
    losses = [one["watched_loss"] for one in facts["curve"]]
    assert [one["step"] for one in facts["curve"]] == [0, 3, 6, 9, 12]
    assert min(losses) < losses[0]
    assert facts["chosen_step"] == facts["curve"][int(np.argmin(losses))]["step"]
    assert digest_tree(tmp_path / "out") != digest_tree(bases / "monodepth2")


@pytest.mark.usefixtures("any_sign")
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(bases: Path, tmp_path: Path) -> None:
    learns = recipe(["adapters", "head"])
    digests = []
    for number, seed in enumerate((3, 3, 4)):
        train(bases, tmp_path / str(number), "depth_anything", learns, seed=seed)
        digests.append(digest_tree(tmp_path / str(number)))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.usefixtures("any_sign")
@pytest.mark.parametrize(
    ("network", "trains"), [("depth_anything", ["adapters", "head"]), ("monodepth2", ["all"])]
)
def test_stopped_at_any_step_it_goes_on_to_the_same_bytes(
    network: str, trains: list[str], bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learns = recipe(trains, learning_rate=3e-3)
    whole = train(bases, tmp_path / "whole", network, learns)
    gradient, stop_at = loop._gradient, [0]

    def stopped(model: Any, pictures: Any, how: Any, state: State, optimiser: Any) -> float:
        if state.step == stop_at[0]:
            stop_at[0] = -1
            raise KeyboardInterrupt
        return gradient(model, pictures, how, state, optimiser)

    monkeypatch.setattr(loop, "_gradient", stopped)
    for stop in (1, 3, 4):
        stop_at[0] = stop
        out = tmp_path / f"stopped{stop}"
        with pytest.raises(KeyboardInterrupt):
            train(bases, out, network, learns)
        assert not out.exists()
        facts = train(bases, out, network, learns)
        assert facts["continued_at"] == stop - stop % 2
        assert facts["curve"] == whole["curve"]
        assert digest_tree(out) == digest_tree(tmp_path / "whole")
        assert not out.with_name(out.name + ".partial").exists()


def test_a_training_reads_what_its_identity_knows(bases: Path, tmp_path: Path) -> None:
    with opened() as files:
        train(bases, tmp_path / "out", "monodepth2", recipe(["head"], steps=2))
    known = [bases / "monodepth2", bases / "tubes.zarr", tmp_path, *installed()]
    strange = [path for path in files if path.is_file() and not any(map(path.is_relative_to, known))]
    assert strange == []
    assert bases / "monodepth2" / "encoder.pth" in files


def test_a_state_of_another_training_or_a_damaged_one_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    assert read_state(path, "a").step == 0
    State("a", step=3, learnt={"w": torch.ones(2)}).write(path)
    assert read_state(path, "a").step == 3
    assert read_state(path, "b").step == 0
    path.write_bytes(path.read_bytes()[:100])
    assert read_state(path, "a").step == 0


def test_adapters_are_merged_without_a_change_of_what_is_said(bases: Path, tmp_path: Path) -> None:
    from scopedepth.finetuning.formats import transformers

    model = load(NETWORKS["dpt"][1], bases / "dpt", "cpu")
    learners = Learners(model, recipe(["adapters"]), transformers, "m")
    with torch.no_grad():
        for name, parameter in learners.parameters.items():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    frames = tiny_models.scene(2, 48, 64)
    untouched = load(NETWORKS["dpt"][1], bases / "dpt", "cpu").predict(frames)
    beside = model.predict(frames)
    learners.merge()
    transformers.save(model, bases / "dpt", tmp_path)
    merged = load(NETWORKS["dpt"][1], tmp_path, "cpu").predict(frames)
    assert np.abs(beside - untouched).max() > 1e-3
    np.testing.assert_allclose(merged, beside, atol=1e-5 * np.abs(beside).max())


def test_a_recipe_that_does_not_fit_is_refused_by_name(
    bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ScopeDepthError, match=r"Model m: .* EncoderDecoder: it cannot compute activations twice"
    ):
        train(bases, tmp_path / "a", "monodepth2", recipe(["all"], gradient_checkpointing=True))
    headless = SimpleNamespace(network=torch.nn.Sequential(torch.nn.ReLU()))
    bare = SimpleNamespace(adapted=lambda network: [], parts=lambda network: {"backbone": ["0"], "head": []})
    with pytest.raises(ScopeDepthError, match=r"does not fit Sequential: it has no head"):
        Learners(headless, recipe(["head"]), bare, "m")  # type: ignore[arg-type]
    with pytest.raises(ScopeDepthError, match=r"does not fit Sequential: no layer of it takes adapters"):
        Learners(headless, recipe(["adapters"]), bare, "m")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ScopeDepthError, match=r"pip install 'peft==\d"):
        train(bases, tmp_path / "b", "depth_anything", recipe(["adapters"]))


def test_only_convolutions_whose_merge_is_what_was_trained_get_adapters(bases: Path) -> None:
    network = load(NETWORKS["monodepth2"][1], bases / "monodepth2", "cpu").network
    modules = dict(network.named_modules())
    names = monodepth2.adapted(network)
    assert names
    assert {modules[name].padding_mode for name in names} == {"zeros"}


@pytest.mark.usefixtures("any_sign")
def test_activations_are_computed_twice_with_the_same_gradient(bases: Path, tmp_path: Path) -> None:
    digests = set()
    for again in (False, True):
        out = tmp_path / str(again)
        train(bases, out, "depth_anything", recipe(["all"], steps=2, gradient_checkpointing=again))
        digests.add(digest_tree(out))
    assert len(digests) == 1


def test_a_batch_that_memory_does_not_hold_is_taken_in_parts(
    bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(bases, tmp_path / "whole", "monodepth2", recipe(["all"], batch=4, steps=2))
    assess = loop.assess

    def small(model: Any, pictures: Any, precision: str) -> Any:
        if len(pictures) > 1:
            raise MemoryError
        return assess(model, pictures, precision)

    monkeypatch.setattr(loop, "_look", lambda model, lessons, recipe, state, parameters: state.best.update(
        loop._copies(parameters)))  # fmt: skip
    monkeypatch.setattr(loop, "assess", small)
    facts = train(bases, tmp_path / "parts", "monodepth2", recipe(["all"], batch=4, steps=2))
    assert (whole["frames_at_once"], facts["frames_at_once"]) == (4, 1)


@pytest.mark.parametrize("earlier", [[], [0.5]])
def test_a_sign_that_turned_over_stops_the_training(
    earlier: list[float], bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter([-0.2, *earlier, *[-0.3] * 9])
    monkeypatch.setattr(loop, "agreement", lambda kind, output, *_: torch.full((len(output),), next(told)))
    monkeypatch.setattr(loop, "_gradient", lambda *_: 1.0)
    # Turned over before there is anything to learn from is a reason to train.
    with pytest.raises(ScopeDepthError, match=r"Model m: its sign turned over: after (\d+) steps") as stopped:
        train(bases, tmp_path / "out", "monodepth2", recipe(["all"], steps=20, check_every=2, batch=4))
    assert f"after {4 if earlier else 10} steps" in str(stopped.value)
    assert not (tmp_path / "out").exists()


def test_losses_ask_for_the_sign_and_leave_what_a_kind_does_not_say() -> None:
    random = np.random.default_rng(0)
    depth = torch.from_numpy(random.uniform(20, 90, (2, 16, 16)).astype(np.float32))
    valid = torch.ones_like(depth)
    right = {
        "disparity": 3 / depth + 2,
        "scaled_disparity": 7 / depth,
        "metric_disparity": 1 / depth,
        "affine_depth": 3 * depth - 5,
        "depth": 5 * depth,
        "metric_depth": depth,
    }
    for kind, output in right.items():
        assert loss(kind, output, depth, valid).item() == pytest.approx(0, abs=2e-5), kind
        assert loss(kind, output.max() + output.min() - output, depth, valid) > 0.3, kind
        torch.testing.assert_close(agreement(kind, output, depth, valid), torch.ones(2))
    # A wrong scale costs a metric output, and no other.
    assert loss("depth", 2 * depth, depth, valid).item() == pytest.approx(0, abs=2e-5)
    costs = (1 - METRIC_FREE) * np.log(2)
    assert loss("metric_depth", 2 * depth, depth, valid).item() == pytest.approx(costs, rel=1e-4)


def test_pixels_without_depth_decide_nothing() -> None:
    depth = torch.full((1, 12, 12), 50.0)
    depth[:, :6] = torch.linspace(20, 40, 6)[:, None]
    valid = torch.ones_like(depth)
    valid[:, 6:] = 0
    one, other = 1 / depth, 1 / depth
    other[:, 6:] = 9.0
    for kind in ("disparity", "scaled_disparity", "metric_disparity"):
        assert loss(kind, one, depth, valid) == loss(kind, other, depth, valid)


# Data.


def entry(sequences: list[str] | None = None, frames: int | None = None) -> list[dict[str, Any]]:
    return [{"dataset": "tubes", "sequences": sequences, "frames": frames}]


def names(frames: list[Any]) -> set[str]:
    return {frame.sequence.name for frame in frames}


def test_a_patient_is_held_out_as_a_whole(bases: Path) -> None:
    store = [DatasetStore(bases / "tubes.zarr")]
    people = {"tubes": {"same_as": [], "patient": "([ab]).*"}}
    for seed in range(4):
        chosen = taught(store, entry(), {"by": "patient", "share": 0.5}, people, seed, "m")
        assert {one[0] for one in names(chosen.learnt)}.isdisjoint(one[0] for one in names(chosen.watched))
        assert chosen.held_out in (["tubes: a"], ["tubes: b"])
    by_sequence = taught(store, entry(), {"by": "sequence", "share": 0.1}, people, 0, "m")
    assert len(by_sequence.held_out) == 1
    assert len(by_sequence.learnt) == 8
    nobody = taught(store, entry(["a*"], frames=3), None, {}, 0, "m")
    assert (len(nobody.learnt), nobody.held_out, nobody.watched) == (3, [], nobody.learnt)


def test_what_cannot_be_held_out_or_learnt_from_is_refused(bases: Path) -> None:
    store = [DatasetStore(bases / "tubes.zarr")]
    unknown: dict[str, dict[str, Any]] = {"tubes": {"same_as": [], "patient": None}}
    with pytest.raises(ScopeDepthError, match=r"nobody says whose a1 of tubes is"):
        taught(store, entry(), {"by": "patient", "share": 0.2}, unknown, 0, "m")
    with pytest.raises(ScopeDepthError, match=r"of 1 sequence to learn from, 1 would be held out"):
        taught(store, entry(["b1"]), {"by": "sequence", "share": 0.2}, unknown, 0, "m")
    with pytest.raises(ScopeDepthError, match=r"sequences c; there are a1, a2, b1"):
        taught(store, entry(["c"]), None, unknown, 0, "m")


def test_editions_of_a_video_are_held_out_together(bases: Path, tmp_path: Path) -> None:
    write_lessons(tmp_path, "cut", ("x", "y"))
    stores = [DatasetStore(bases / "tubes.zarr"), DatasetStore(tmp_path / "cut.zarr")]
    link = {"dataset": "tubes", "names": {"x": "a1", "y": "b1"}}
    people: dict[str, dict[str, Any]] = {
        "tubes": {"same_as": [], "patient": None},
        "cut": {"same_as": [link], "patient": None},
    }
    train_on = [*entry(), {"dataset": "cut", "sequences": None, "frames": None}]
    pairs = {"a1": "x", "b1": "y"}
    for seed in range(5):
        chosen = taught(stores, train_on, {"by": "sequence", "share": 0.2}, people, seed, "m")
        learnt, out = names(chosen.learnt), names(chosen.watched)
        assert learnt.isdisjoint(out)
        assert all((one in out) == (other in out) for one, other in pairs.items())


# Folds.


@pytest.mark.usefixtures("any_sign")
def test_each_sequence_is_predicted_by_the_network_that_was_kept_from_it(bases: Path, tmp_path: Path) -> None:
    """The network of a fold is that of a training on the other sequences, to the last bit."""
    learns, each = recipe(["neck", "head"]), {"by": "sequence", "count": None}
    facts = train(bases, tmp_path / "out", "depth_anything", learns, folds=each, holdout=None)
    assert sorted(one["kept_from"][0] for one in facts["folds"]) == ["a1", "a2", "b1"]
    model = load(NETWORKS["depth_anything"][1], tmp_path / "out", "cpu")
    model.prepare(1)
    frames = np.random.default_rng(0).integers(0, 255, (2, SIDE, SIDE, 3), dtype=np.uint8)
    said = {name: model.for_sequence(name).predict(frames) for name in ("a1", "b1", "a2", "another")}
    assert len({one.tobytes() for one in said.values()}) == 3
    assert np.array_equal(said["a1"], model.for_sequence("a1").predict(frames))
    first = facts["folds"][0]["kept_from"][0]
    assert np.array_equal(said["another"], said[first])
    assert np.array_equal(model.predict(frames), said[first])
    for number, one in enumerate(facts["folds"]):
        others = [name for name in ("a1", "a2", "b1") if name not in one["kept_from"]]
        train(bases, tmp_path / f"{number}", "depth_anything", learns, holdout=None, sequences=others)
        assert digest_tree(tmp_path / f"{number}") == digest_tree(tmp_path / "out" / f"fold_{number + 1}")


@pytest.mark.usefixtures("any_sign")
@pytest.mark.parametrize("stops", [(1,), (7, 1, 2)])
def test_folds_stopped_at_any_step_go_on_to_the_same_bytes(
    stops: tuple[int, ...], bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learns, folds = recipe(["head"]), {"by": "sequence", "count": 2}
    train(bases, tmp_path / "whole", "monodepth2", learns, every=1, folds=folds, holdout=None)
    wanted = digest_tree(tmp_path / "whole")
    assert sorted(one.name for one in (tmp_path / "whole").iterdir()) == ["fold_1", "fold_2", "folds.json"]
    write = State.write

    class Stopped(Exception):
        pass

    for stop in stops:
        left = [stop]

        def until(self: State, path: Path, left: list[int] = left) -> None:
            write(self, path)
            left[0] -= 1
            if not left[0]:
                raise Stopped

        with monkeypatch.context() as patch:
            patch.setattr(State, "write", until)
            with pytest.raises(Stopped):
                train(bases, tmp_path / "cut", "monodepth2", learns, every=1, folds=folds, holdout=None)
    train(bases, tmp_path / "cut", "monodepth2", learns, every=1, folds=folds, holdout=None)
    assert digest_tree(tmp_path / "cut") == wanted
    assert not (tmp_path / "cut.partial").exists()


def test_folds_are_dealt_out_by_the_seed_and_patients_stay_together(bases: Path, tmp_path: Path) -> None:
    store = [DatasetStore(bases / "tubes.zarr")]
    people = {"tubes": {"same_as": [], "patient": "([ab]).*"}}
    frames = frames_named(store, entry(), "m")
    by_patient = folds_of(frames, {"by": "patient", "count": None}, people, 0, "m")
    assert sorted(names_of(fold, people) for fold in by_patient) == [["a1", "a2"], ["b1"]]
    each = {"by": "sequence", "count": None}
    dealt = [folds_of(frames, each, people, seed, "m") for seed in range(8)]
    orders = {tuple(names_of(fold, people)[0] for fold in folds) for folds in dealt}
    assert len(orders) > 2
    assert all(sorted(order) == ["a1", "a2", "b1"] for order in orders)
    for count in (3, 4):
        with pytest.raises(
            ScopeDepthError, match=rf"m: {count} folds are asked for, and there are 2 of patient"
        ):
            folds_of(frames, {"by": "patient", "count": count}, people, 0, "m")
    write_lessons(tmp_path, "others", ("a1", "c"))
    wanted = [*entry(), {"dataset": "others", "sequences": None, "frames": None}]
    people["others"] = {"same_as": [], "patient": None}  # type: ignore[dict-item]
    both = frames_named([*store, DatasetStore(tmp_path / "others.zarr")], wanted, "m")
    kept = [names_of(fold, people) for fold in folds_of(both, each, people, 0, "m")]
    with pytest.raises(ScopeDepthError, match=r"sequences of the name a1 are in two folds"):
        _told_apart("m", kept)


def test_a_model_with_folds_is_no_base(bases: Path, tmp_path: Path) -> None:
    (tmp_path / "folded").mkdir()
    (tmp_path / "folded/folds.json").write_text('[["a1"], ["b1"]]')
    spec = {
        "model": NETWORKS["depth_anything"][1], "recipe": recipe(["head"]), "seed": 0, "folds": None, "holdout": None,
        "train": entry(), "people": {},
    }  # fmt: skip
    with pytest.raises(ScopeDepthError, match=r"has a network for each sequence"):
        finetune(
            spec, "x", tmp_path / "folded", [bases / "tubes.zarr"], tmp_path / "o", tmp_path / "o.json", "cpu"
        )
    (tmp_path / "folded/folds.json").write_text('[["a1"], "b1"')
    with pytest.raises(ScopeDepthError, match=r"folds.json is damaged"):
        load(NETWORKS["depth_anything"][1], tmp_path / "folded", "cpu")


def test_an_epoch_shows_each_frame_once_and_batches_follow_from_the_step(bases: Path) -> None:
    chosen = taught([DatasetStore(bases / "tubes.zarr")], entry(), None, {}, 0, "m")
    plain = recipe(["all"], flip=False, gain=0.0, gamma=0.0)
    shown = [depth.tobytes() for step in range(3) for _, depth in chosen.batch(step, 4, 5, plain)]
    assert len(set(shown)) == len(chosen.learnt) == 12
    one, again = (chosen.batch(7, 5, 5, recipe(["all"])) for _ in range(2))
    for left, right in zip(one, again, strict=True):
        assert np.array_equal(left[0], right[0])
        assert np.array_equal(left[1], right[1])


def test_what_shows_another_surface_is_not_learnt_from(bases: Path) -> None:
    frame = taught([DatasetStore(bases / "tubes.zarr")], entry(), None, {}, 0, "m").learnt[0]
    flagged = SimpleNamespace(
        rgb=frame.sequence.rgb,
        depth=frame.sequence.depth,
        flags=lambda start, stop: np.full((1, SIDE, SIDE), BORDER, np.uint8),
    )
    assert frame.read()[1].min() > 0
    assert type(frame)(frame.dataset, flagged, 0).read()[1].max() == 0  # type: ignore[arg-type]


def test_frames_are_changed_by_chance_together_with_their_depth(bases: Path) -> None:
    chosen = taught([DatasetStore(bases / "tubes.zarr")], entry(), None, {}, 0, "m")
    assert isinstance(chosen, Lessons)
    mirrored = 0
    for step in range(6):
        for rgb, depth in chosen.batch(step, 4, 1, recipe(["all"], gain=0.0, gamma=0.0)):
            assert np.corrcoef(rgb[..., 0].ravel(), depth.ravel())[0, 1] < -0.8
            mirrored += not any(np.array_equal(depth, frame.read()[1]) for frame in chosen.learnt)
    assert 10 < mirrored < 24


# The configuration, and what follows from it.


def tuned_config() -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    config["datasets"]["two"]["sequences"] = ["only"]
    config["models"]["net"] = {
        "family": "transformers",
        "weights": {"kind": "path", "path": "weights/net"},
        "output": {"kind": "disparity"},
        "options": {"preprocessing": "hub"},
        "trained_on": [{"device": "tower"}],
    }
    config["recipes"] = {
        "short": {"trains": ["head"], "learning_rate": 1e-3},
        "long": {"trains": ["all"], "learning_rate": 1e-4},
    }
    for name in ("short", "long"):
        config["models"][f"net_{name}"] = {"from": "net", "recipe": name, "train": [{"dataset": "two"}]}
    study = config["studies"]["small"]
    study["datasets"], study["models"] = ["one"], ["net", "net_short", "net_long", "constant"]
    return config


def made_of(config: dict[str, Any], folder: Path) -> tuple[Plan, dict[Job, str]]:
    root = Path(__file__).resolve().parent.parent
    plan = Plan(select_study(config), root / "workflow_scripts")
    made_from = MadeFrom(plan, folder, planning=False)
    return plan, {job: made_from.now(job) for job in plan.jobs()}


def test_a_changed_learning_rate_makes_that_model_anew_and_nothing_else(tmp_path: Path) -> None:
    config = tuned_config()
    plan, before = made_of(config, tmp_path)
    config["recipes"]["short"] |= {"learning_rate": 2e-3}
    _, after = made_of(config, tmp_path)
    changed = {job for job in before if before[job] != after[job]}
    assert {job for job in changed if job.rule not in ("summarise", "report")} == {
        Job("finetune", ("net_short",))
    }
    # What follows from its weights is that model's alone.
    follows = {job for job in plan.jobs() if Job("finetune", ("net_short",)) in plan.needed_by(job)}
    assert {(job.rule, job.values[-1]) for job in follows} == {("predict", "net_short"), ("report", "small")}
    # A word changes nothing of it.
    config["recipes"]["short"]["title"] = config["models"]["net_short"]["title"] = "a word"
    _, words = made_of(config, tmp_path)
    assert words[Job("finetune", ("net_short",))] == after[Job("finetune", ("net_short",))]


def test_a_further_fine_tuned_model_brings_its_own_jobs_alone(tmp_path: Path) -> None:
    config = tuned_config()
    _, after = made_of(config, tmp_path)
    config["studies"]["small"]["models"].remove("net_long")
    _, before = made_of(config, tmp_path)
    assert {job for job in before if before[job] != after[job]} == {
        Job("summarise", ("small",)), Job("report", ("small",)),
    }  # fmt: skip
    added = {job for job in after if job not in before}
    assert added
    assert all("net_long" in job.values for job in added)


def test_training_data_and_bases_outside_the_study_are_made_for_it() -> None:
    config = tuned_config()
    config["models"]["again"] = {"from": "net_short", "recipe": "long", "train": [{"dataset": "two"}]}
    config["studies"]["small"]["models"] = ["again"]
    plan = Plan(select_study(config), Path(__file__).resolve().parent.parent / "workflow_scripts")
    needs = {str(job): [str(one) for one in plan.needed_by(job)] for job in plan.jobs()}
    assert needs["finetune(again)"] == ["prepare(two)", "finetune(net_short)"]
    assert needs["finetune(net_short)"] == ["prepare(two)", "fetch_weights(net)"]
    assert needs["predict(one, again)"] == ["prepare(one)", "finetune(again)"]
    assert "predict(two, again)" not in needs


def test_lineage_follows_by_itself() -> None:
    config = tuned_config()
    config["models"]["again"] = {
        "from": "net_short",
        "recipe": "long",
        "train": [{"dataset": "one", "sequences": ["left"]}],
    }
    config["studies"]["small"] |= {"models": ["again"], "datasets": ["one", "two"], "allow_seen": True}
    study = select_study(config)
    facts = study.spec["lineage"]
    assert facts["models"]["again"] == [
        {"dataset": "one", "sequences": ["left"], "held_out": None},
        {"dataset": "two", "sequences": None, "held_out": None},
        {"device": "tower"},
    ]
    levels = {
        (d, s): seen(facts, "again", d, s) for d, s in (("one", "left"), ("one", "right"), ("two", "only"))
    }
    assert levels == {("one", "left"): "frames", ("one", "right"): "dataset", ("two", "only"): "frames"}


def test_a_list_of_frames_is_a_model_for_each_number() -> None:
    config = tuned_config()
    train_on = [
        {"dataset": "two", "frames": [5, 20]},
        {"dataset": "one", "sequences": ["left"], "frames": [1, 2]},
    ]
    config["models"]["net_short"] |= {"train": train_on, "title": "Short"}
    config["models"]["again"] = {"from": "net_short_22", "recipe": "long", "train": [{"dataset": "two"}]}
    config["studies"]["small"] |= {"models": ["net", "net_short", "again"], "allow_seen": True}
    study = select_study(config)
    assert list(study.models) == ["net", "net_short_6", "net_short_22", "again"]
    assert study.models["net_short_22"]["title"] == "Short, 22 frames"
    weights = study.models["net_short_6"]["weights"]
    assert weights["kind"] == "finetuned"
    assert [one["frames"] for one in weights["train"]] == [5, 1]
    assert tuned_config()["models"]["net_short"]["train"] == [{"dataset": "two"}]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (
            [[5, 20], [1]],
            "models.net_short.train: the lists of `frames` have unlike lengths; first goes with first.",
        ),
        ([[5, 5], None], "models.net_short.train: a number of `frames` is named twice; name it once."),
        ([[5, 0], None], "models.net_short_0.train[0].frames"),
        ([[5, "6"], None], "models.net_short.train: a list of `frames` holds whole numbers."),
        ([[], None], "models.net_short.train[0].frames"),
        (
            [[7, 8], None],
            "models.net_short_7: a model of this name is made by a list of `frames`; name it otherwise.",
        ),
    ],
)
def test_lists_of_frames_that_may_not_be_said_are_one_line(frames: list[Any], message: str) -> None:
    config = tuned_config()
    names = ("two", "one")
    config["models"]["net_short"]["train"] = [
        {"dataset": name, "frames": count} for name, count in zip(names, frames, strict=True)
    ]
    config["models"]["net_short_7"] = config["models"]["net_long"]
    config["studies"]["small"]["allow_seen"] = True
    with pytest.raises(ConfigError) as refused:
        check(config)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("train", "models.net_short_5.train[1]"),
        ("models", "studies.small.models[2]"),
        ("studies", "studies: "),
    ],
)
def test_what_stands_beside_a_list_of_frames_is_checked_and_not_dropped(place: str, message: str) -> None:
    config = tuned_config()
    config["models"]["net_short"]["train"] = [{"dataset": "two", "frames": [5, 20]}]
    if place == "train":
        config["models"]["net_short"]["train"].append("one")
    elif place == "models":
        config["studies"]["small"]["models"] = ["net_short", ["net"]]
    else:
        config["studies"] = ["small"]
    with pytest.raises(ConfigError) as refused:
        check(config)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("stated", ["sequence", {"by": "patient", "count": 2}])
def test_folds_are_held_out_in_lineage(stated: Any, tmp_path: Path) -> None:
    """A study of what the folds were made of needs no leave; who was in the same fold is known by name or patient."""
    config = tuned_config()
    config["datasets"]["two"] |= {"sequences": ["a1", "a2", "b1"], "provenance": {"patient": "([ab]).*"}}
    config["models"]["net_short"] |= {"folds": stated}
    config["studies"]["small"] |= {"datasets": ["two"], "models": ["net", "net_short"]}
    plan, made = made_of(config, tmp_path)
    spec = json.loads(made[Job("finetune", ("net_short",))])["spec"]
    by = stated if isinstance(stated, str) else stated["by"]
    assert spec["folds"] == {"by": by, "count": None if isinstance(stated, str) else 2}
    # Which videos are one, and whose they are, decides folds.
    assert spec["people"] == {"two": {"same_as": [], "patient": "([ab]).*"}}
    facts = plan.study.spec["lineage"]
    levels = {name: seen(facts, "net_short", "two", name) for name in ("a1", "b1")}
    assert levels == (
        {"a1": "patient", "b1": "dataset"} if by == "sequence" else {"a1": "dataset", "b1": "dataset"}
    )


def test_a_checkpoint_chosen_by_sequences_depends_on_which_are_one(tmp_path: Path) -> None:
    config = tuned_config()
    config["models"]["net_short"] |= {"holdout": {"by": "sequence"}}
    _, made = made_of(config, tmp_path)
    spec = json.loads(made[Job("finetune", ("net_short",))])["spec"]
    assert spec["people"] == {"two": {"same_as": [], "patient": None}}


def test_folds_and_an_edition_under_other_names_are_refused() -> None:
    config = tuned_config()
    config["datasets"]["two"] |= {"sequences": ["a1", "b1"]}
    config["datasets"]["one"] |= {
        "sequences": ["x", "y"],
        "provenance": {"same_as": {"dataset": "two", "sequences": {"x": "a1", "y": "b1"}}},
    }
    config["models"]["net_short"] |= {"folds": "sequence"}
    config["studies"]["small"]["models"] = ["net_short"]
    with pytest.raises(
        ConfigError, match=r"studies\.small: net_short has folds, and one shows videos of two under"
    ):
        check(config)
    config["datasets"]["one"] |= {"sequences": ["a1", "b1"], "provenance": {"same_as": "two"}}
    check(config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "shrot"}, "models.net_short.recipe: 'shrot' is not known. Did you mean 'short'?"),
        ({"from": "nett"}, "models.net_short.from: 'nett' is not known. Did you mean 'net'?"),
        ({"from": "net_short"}, "models.net_short.from: net_short is made from net_short itself."),
        ({"from": "constant"}, "models.net_short.from: constant is of the family baseline, which is not trained here."),
        ({"train": [{"dataset": "tow"}]}, "models.net_short.train[0].dataset: 'tow' is not known."),
        ({"train": [{"dataset": "two", "sequences": ["onyl"]}]}, "models.net_short.train[0].sequences: 'onyl'"),
        ({"train": []}, "models.net_short.train: "),
        ({"recipe": None}, "models.net_short.recipe: None is not allowed"),
        ({"holdout": {"share": 1}}, "models.net_short.holdout.share: 1 is not allowed"),
        ({"weights": {"kind": "none"}}, "models.net_short.weights: unknown field."),
        ({"folds": "patients"}, "models.net_short.folds.by: 'patients' is not allowed. Did you mean 'patient'?"),
        ({"folds": {"by": "patient", "count": 1}}, "models.net_short.folds.count: 1 is not allowed"),
    ],
)  # fmt: skip
def test_what_an_entry_may_not_say_is_one_line(change: dict[str, Any], message: str) -> None:
    config = tuned_config()
    config["models"]["net_short"] |= change
    with pytest.raises(ConfigError) as refused:
        check(config)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_a_study_of_the_frames_learnt_from_is_refused() -> None:
    config = tuned_config()
    config["studies"]["small"]["datasets"] = ["one", "two"]
    with pytest.raises(ConfigError, match=r"studies\.small: net_short was trained on frames of two"):
        check(config)
    config["recipes"]["short"]["trains"] = ["all", "head"]
    with pytest.raises(ConfigError, match=r"recipes\.short: `all` holds the other parts"):
        check(config)


def test_a_spec_is_plain(tmp_path: Path) -> None:
    plan, made = made_of(tuned_config(), tmp_path)
    spec = json.loads(made[Job("finetune", ("net_short",))])["spec"]
    assert spec["people"] == {}
    assert spec["model"]["name"] == "net_short"
    assert not {"title", "name"} & spec["recipe"].keys()
    assert plan.study.models["net_short"]["output"] == plan.study.models["net"]["output"]


def test_the_page_shows_an_entry_that_may_be_said(root: Path) -> None:
    page = (root / "docs" / "finetuning.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(page.partition("```yaml")[2].partition("```")[0])["models"]
    config = read_config(root / "config.yaml")
    config["models"] |= shown
    config["studies"]["demo"]["models"] = list(shown)
    study = select_study(config, "demo")
    assert study.training == {name: ["simcol3d"] for name in shown}
    # Every recipe that the page names is there, with the rate that it says.
    for name, rate in re.findall(r"^\| `(\w+)` \| [^|]+ \| ([\de.-]+) \|$", page, re.MULTILINE):
        assert config["recipes"][name]["learning_rate"] == float(rate)


def test_another_scope_changes_the_light_and_not_the_depth() -> None:
    rgb = np.full((4, 6, 3), 128, np.uint8)
    depth = np.tile(np.linspace(0, 100, 6, dtype=np.float32), (4, 1))
    frame = Frame(rgb, depth)
    assert through("plain", frame) is frame
    seen_so = through("shifted", frame)
    assert seen_so.depth is depth
    assert seen_so.rgb.dtype == np.uint8
    assert seen_so.rgb[:, 0].max() == 0  # outside the border
    red, green, _ = seen_so.rgb[0, 1]
    assert red < green
    # Smoke makes what is far brighter.
    assert (np.diff(seen_so.rgb[0, 1:, 0].astype(int)) > 0).all()
