"""Tables of a study, made by its summary."""

from __future__ import annotations

import pyarrow as pa

from scopedepth.tables.frames import COVERAGE, FIT, FRAME_KEYS, FRAME_OUTCOME, metric_columns
from scopedepth.tables.io import KEY, column
from scopedepth.tables.timing import TIMING

PROTOCOL_VERSION = column(
    "protocol_version", pa.int32(), "version of the protocol, raised when its numbers can change"
)

_LEVELS = (
    "frames, sequence, patient, dataset, device, unknown or none: the closest that {} is known to have seen in "
    "training"
)
SEEN = column("seen_in_training", KEY, _LEVELS.format("the model"))
SEEN_OF_SEQUENCE = column("seen_in_training", KEY, _LEVELS.format("the model") + ", of this sequence")

FRAMES = pa.schema(
    [
        *FRAME_KEYS,
        PROTOCOL_VERSION,
        *metric_columns(),
        *FIT,
        *FRAME_OUTCOME,
        COVERAGE,
        SEEN_OF_SEQUENCE,
    ],
    metadata={
        "description": "all scores of a study and the fits behind them, one row a frame, model and protocol"
    },
)

SUMMARY = pa.schema(
    [
        column("dataset", KEY, "name of the dataset"),
        column("model", KEY, "name of the model"),
        column("protocol", KEY, "name of the protocol"),
        PROTOCOL_VERSION,
        column("metric", KEY, "name of the metric"),
        column("value", pa.float64(), "mean, averaged as the protocol says"),
        column("ci_low", pa.float64(), "lower end of the 95 % bootstrap interval"),
        column("ci_high", pa.float64(), "upper end of the 95 % bootstrap interval"),
        column(
            "ci_scope",
            KEY,
            "what the interval covers: new sequences, or only these sequences (fewer than five), or none",
        ),
        column(
            "ci_caution",
            KEY,
            "no; few independent frames: less than three a sequence, the interval is likely too narrow; or few "
            "effective sequences: a few long ones outweigh the others, the interval takes their means for as "
            "variable as those of the short ones",
        ),
        column("n_frames", pa.int64(), "frames with a number"),
        column("n_sequences", pa.int64(), "sequences with a number"),
        column(
            "n_sequences_effective",
            pa.float64(),
            "1 / sum of the squared weights of the sequences: how many that count alike would be as even",
        ),
        column("n_failed", pa.int64(), "frames that should have a number and have none"),
        column(
            "n_negative_scale",
            pa.int64(),
            "frames whose fitted factor is negative (the prediction runs against depth), scored or not",
        ),
        column("block_frames", pa.float64(), "frames in a bootstrap block, mean over the sequences"),
        column(
            "n_effective",
            pa.float64(),
            "independent frames that would tell as much about these sequences as their correlated frames do",
        ),
        column(
            "skill",
            pa.float64(),
            "1 - error / error of the better trivial baseline; null where higher is better, and where the model "
            "or the baseline lacks frames",
        ),
        column("skill_ci_low", pa.float64(), "lower end of the skill's 95 % interval"),
        column("skill_ci_high", pa.float64(), "upper end of the skill's 95 % interval"),
        SEEN,
        column(
            "status",
            KEY,
            "ok; incomplete: frames failed, the value is of the others and stands outside the ranking; or why "
            "there is no number: not_applicable, no_unit, undefined, or the most frequent status of the frames",
        ),
    ],
    metadata={"description": "one row a dataset, model, protocol and metric"},
)

COMPARISONS = pa.schema(
    [
        column("dataset", KEY, "name of the dataset"),
        column("protocol", KEY, "name of the protocol"),
        column("metric", KEY, "name of the metric"),
        column("model_a", KEY, "the first model"),
        column("model_b", KEY, "the second model"),
        column(
            "difference", pa.float64(), "value of the first minus value of the second, on the same frames"
        ),
        column("ci_low", pa.float64(), "lower end of the 95 % interval of the difference"),
        column("ci_high", pa.float64(), "upper end of the 95 % interval of the difference"),
        column("p", pa.float64(), "two-sided p value, by the bootstrap's standard error"),
        column(
            "p_holm",
            pa.float64(),
            "p adjusted after Holm over the pairs of this dataset, protocol and metric",
        ),
        column(
            "ci_scope",
            KEY,
            "what interval and p are about: new sequences, or only these sequences (fewer than five), in which "
            "models of equal worth differ too; or none",
        ),
        column(
            "ci_caution",
            KEY,
            "no; few independent frames: less than three a sequence, the interval is likely too narrow; or few "
            "effective sequences: a few long ones outweigh the others, the interval takes their means for as "
            "variable as those of the short ones",
        ),
        column("n_frames", pa.int64(), "frames on which both models have a number"),
        column("seen_in_training_a", KEY, _LEVELS.format("the first model")),
        column("seen_in_training_b", KEY, _LEVELS.format("the second model")),
        column(
            "status",
            KEY,
            "ok; no_interval: too few frames; or the summary's status of the model that cannot be compared",
        ),
    ],
    metadata={"description": "paired differences between models on the same bootstrap replicates"},
)

RANKS = pa.schema(
    [
        column("dataset", KEY, "name of the dataset"),
        column("protocol", KEY, "name of the protocol"),
        column("metric", KEY, "name of the metric"),
        column("model", KEY, "name of the model"),
        column(
            "rank_by_value",
            pa.int32(),
            "rank by value, 1 is best; null where the model has no complete score",
        ),
        column("rank_low", pa.int32(), "best rank that the significant differences leave room for"),
        column("rank_high", pa.int32(), "worst rank that the significant differences leave room for"),
        column(
            "tied_with",
            pa.list_(pa.string()),
            "ranked models whose difference from this one is not significant",
        ),
        column(
            "protocols_won",
            pa.float64(),
            "share of the study's protocols, as far as they rank two models here, in which this one is first",
        ),
        SEEN,
        column("status", KEY, "the summary's status; only ok is ranked"),
    ],
    metadata={"description": "the ranking of the models, with its uncertainty"},
)

SENSITIVITY = pa.schema(
    [
        column("dataset", KEY, "name of the dataset"),
        column("metric", KEY, "name of the metric"),
        column("protocol_a", KEY, "one protocol"),
        column("protocol_b", KEY, "another protocol"),
        column("tau", pa.float64(), "Kendall's tau-b between the two rankings; null where undefined"),
        column("n_models", pa.int32(), "models ranked under both protocols"),
        column("n_flips", pa.int32(), "pairs of models whose order differs between the two protocols"),
        column("n_significant_flips", pa.int32(), "flips that are significant under both protocols"),
        column("flips", pa.list_(pa.string()), "the flipped pairs, as 'a > b' under protocol_a"),
        column(
            "significant_flips",
            pa.list_(pa.string()),
            "those of them that are significant in both directions",
        ),
    ],
    metadata={"description": "what a change of protocol does to the ranking"},
)

DEPTH_ERROR = pa.schema(
    [
        column("dataset", KEY, "name of the dataset"),
        column("protocol", KEY, "name of the protocol: the study's headline protocol"),
        column("model", KEY, "name of the model"),
        column(
            "bin", pa.int32(), "1 is the nearest; the bins hold equally many pixels of all models together"
        ),
        column("depth_low", pa.float64(), "reference depth where the bin begins, in `unit`"),
        column(
            "depth_high", pa.float64(), "reference depth where the bin ends and the next begins, in `unit`"
        ),
        column("unit", KEY, "of the reference depth: mm, or relative (not known)"),
        column("n_frames", pa.int32(), "frames that were looked at and are scored for this model"),
        column("n_pixels", pa.int64(), "pixels of these frames in the bin that were looked at"),
        column(
            "abs_rel", pa.float64(), "mean |aligned depth - reference| / reference over them; null if none"
        ),
        SEEN,
    ],
    metadata={
        "description": "error against depth, one row a dataset, model and bin, on 24 frames of each dataset and "
        "20,000 to 40,000 pixels of each frame at most, evenly spaced"
    },
)

DRIFT = pa.schema(
    [
        column("dataset", KEY, "name of the dataset"),
        column("protocol", KEY, "name of a protocol that fits a factor to each frame"),
        column("model", KEY, "name of the model"),
        column("sequence", KEY, "name of the sequence"),
        column("n_frames", pa.int64(), "frames of the sequence"),
        column("n_factors", pa.int64(), "frames with a positive factor"),
        column(
            "scale_drift",
            pa.float64(),
            "standard deviation of ln(factor) over the sequence's frames; null with fewer than two factors",
        ),
        column("frames", pa.list_(pa.int32()), "indices of up to 200 frames of the sequence, evenly spaced"),
        column(
            "relative_scales",
            pa.list_(pa.float64()),
            "the factors of these frames divided by the sequence's median factor; null where there is none",
        ),
        SEEN_OF_SEQUENCE,
    ],
    metadata={
        "description": "how scale wanders within a sequence, one row a dataset, protocol, model, sequence"
    },
)

ROBUSTNESS = pa.schema(
    [
        column("dataset", KEY, "name of the dataset"),
        column("kind", KEY, "kind of the corruption; clean: the dataset as it is"),
        column("severity", pa.int32(), "1 to 5; 0 for clean"),
        column("view", KEY, "name of the corrupted view, whose predictions and scores these are"),
        column("model", KEY, "name of the model"),
        column("protocol", KEY, "name of the protocol"),
        column("metric", KEY, "name of the metric"),
        column("value", pa.float64(), "mean, averaged as the protocol says"),
        column("ci_low", pa.float64(), "lower end of the 95 % bootstrap interval"),
        column("ci_high", pa.float64(), "upper end of the 95 % bootstrap interval"),
        column(
            "change",
            pa.float64(),
            "value less that of the clean frames, on the frames that have both numbers",
        ),
        column("change_ci_low", pa.float64(), "lower end of the change's 95 % interval, frame by frame"),
        column("change_ci_high", pa.float64(), "upper end of the change's 95 % interval, frame by frame"),
        column("rank_by_value", pa.int32(), "place by value, 1 is best; null where not ranked"),
        column("rank_low", pa.int32(), "best place that the significant differences leave room for"),
        column("rank_high", pa.int32(), "worst place that the significant differences leave room for"),
        column("n_frames", pa.int64(), "frames with a number"),
        SEEN,
        column("status", KEY, "as in the table `summary`"),
    ],
    metadata={
        "description": "what corruptions do, one row a dataset, kind, severity, model, protocol and metric"
    },
)

RESILIENCE = pa.schema(
    [
        column("dataset", KEY, "name of the dataset"),
        column("protocol", KEY, "name of a protocol with abs_rel and delta1"),
        column("model", KEY, "name of the model"),
        column("baseline", KEY, "the model that mce is measured by, whose own is 100"),
        column("severities", pa.list_(pa.int32()), "the severities that are averaged"),
        column("dee_clean", pa.float64(), "DEE = (abs_rel - delta1 + 1) / 2 of the clean frames"),
        column("kinds", pa.list_(pa.string()), "the kinds of corruption, in the order of the lists"),
        column("dee", pa.list_(pa.float64()), "DEE under each kind, mean over the severities"),
        column(
            "ce", pa.list_(pa.float64()), "100 * DEE / DEE of the baseline under each kind, lower is better"
        ),
        column(
            "rr",
            pa.list_(pa.float64()),
            "100 * (1 - DEE) / (1 - DEE of clean) under each kind, higher is better",
        ),
        column("mce", pa.float64(), "mean of ce over the kinds, lower is better"),
        column("mrr", pa.float64(), "mean of rr over the kinds, higher is better"),
        column(
            "ders_by_kind",
            pa.list_(pa.float64()),
            "DERS under each kind, as a public implementation computes it; not monotone: neither direction is better",
        ),
        column("ders", pa.float64(), "mean of ders_by_kind over the kinds; not monotone: do not rank by it"),
        SEEN,
        column("status", KEY, "ok, or why there is no number: that of the first value that lacks"),
        column(
            "ders_status",
            KEY,
            "ok, or why there is no ders: no_severity (not all of 1 to 5), no_metric (not all of its seven), "
            "undefined (no clean error, or no accuracy), or the status of the first value that lacks",
        ),
    ],
    metadata={
        "description": "mCE and mRR as RoboDepth (Kong et al. 2023) defines them, and DERS, "
        "one row a dataset, protocol and model"
    },
)

REFERENCE = pa.schema(
    [
        column("dataset", KEY, "name of a dataset that states the error of its reference"),
        column("protocol", KEY, "name of the protocol"),
        column("metric", KEY, "name of the metric: abs_rel, rmse or delta1"),
        column("model_a", KEY, "the first model"),
        column("model_b", KEY, "the second model"),
        column(
            "difference", pa.float64(), "value of the first minus value of the second, as in `comparisons`"
        ),
        column(
            "reference_low",
            pa.float64(),
            "lower end of what the stated error leaves of the difference: 95 % over all pairs of the metric",
        ),
        column("reference_high", pa.float64(), "upper end of it"),
        column(
            "trusted_difference",
            pa.float64(),
            "difference without edges, rims of holes and what is farthest, on the frames that were looked at",
        ),
        column(
            "resolvable",
            pa.bool_(),
            "whether the order of the two stands, given the stated error and the sampling of frames",
        ),
        column(
            "reason",
            KEY,
            "resolved; within the reference's error; other on trusted pixels: there the difference is of the other "
            "sign, or less than a quarter; no trusted pixels; within the sampling interval: the error leaves the "
            "order, p_holm does not; draws failed: too few of them gave a number; not assessed; or the status in "
            "`comparisons`",
        ),
        SEEN.with_name("seen_in_training_a"),
        SEEN.with_name("seen_in_training_b"),
    ],
    metadata={
        "description": "which comparisons withstand the stated error of the reference, one row a pair of models"
    },
)

STRATA = pa.schema(
    [
        column("dataset", KEY, "name of the dataset"),
        column("model", KEY, "name of the model"),
        column("protocol", KEY, "name of the study's headline protocol"),
        column("metric", KEY, "name of the metric"),
        column("partition", KEY, "what the frames' pixels are told apart by; whole: nothing"),
        column("stratum", KEY, "the pixels that are looked at: docs/strata.md"),
        column(
            "value",
            pa.float64(),
            "mean over the frames that have enough of the stratum, as the protocol averages",
        ),
        column("ci_low", pa.float64(), "lower end of the 95 % bootstrap interval"),
        column("ci_high", pa.float64(), "upper end of the 95 % bootstrap interval"),
        column("ratio", pa.float64(), "value / the model's own value of all pixels of the same frames"),
        column("ratio_ci_low", pa.float64(), "lower end of its 95 % interval"),
        column("ratio_ci_high", pa.float64(), "upper end of its 95 % interval"),
        column(
            "p_holm",
            pa.float64(),
            "two-sided p of the ratio being 1, adjusted (Holm) over all models and strata of dataset and metric",
        ),
        column(
            "excess",
            pa.float64(),
            "pixel_share * (ratio - 1), positive where worse: how much of the whole's value lies here beyond the "
            "stratum's share",
        ),
        column("pixel_share", pa.float64(), "mean share of a frame's pixels that count"),
        column("n_pixels", pa.int64(), "pixels of all frames"),
        column("n_frames", pa.int64(), "frames with enough of the stratum"),
        SEEN,
    ],
    metadata={
        "description": "where models fail, one row a dataset, model, metric and stratum, under the headline's protocol"
    },
)

MODELS = pa.schema(
    [
        column("model", KEY, "name of the model"),
        column("title", pa.string(), "its name in reports"),
        column(
            "family",
            KEY,
            "how it is loaded and run; baseline: a trivial one, which all models are measured by",
        ),
        column(
            "output_kind",
            KEY,
            "what the network's number means: disparity, depth, metric_depth or metric_disparity",
        ),
        column("output_unit", KEY, "unit of a metric output; null where there is none"),
        column("precision", KEY, "arithmetic of the forward pass"),
        column("parameters", pa.int64(), "parameters as published; null where unknown"),
        column(
            "trained_on",
            pa.list_(pa.string()),
            "datasets seen in training, by it or what it was made from; device: data outside the configuration, "
            "by what took them; unknown: data that nobody told of",
        ),
        column("licence", pa.string(), "terms of the weights"),
    ],
    metadata={"description": "the models of a study"},
)

METRIC_TABLE = pa.schema(
    [
        column("metric", KEY, "name of the metric: its column in the table of frames"),
        column("label", pa.string(), "what people call it"),
        column("direction", KEY, "which values are better: lower or higher"),
        column(
            "unit", KEY, "1 for a pure number; one with a unit is null where the reference depth's is unknown"
        ),
        column(
            "chance", pa.float64(), "what a prediction without information gets, where that is a fixed number"
        ),
        column("formula", pa.string(), "what is computed of a frame; of scale_drift, of a sequence"),
        column("source", pa.string(), "where the definition comes from"),
    ],
    metadata={"description": "the metrics that a study's tables may hold"},
)

PROTOCOLS = pa.schema(
    [
        column("protocol", KEY, "name of the protocol"),
        PROTOCOL_VERSION,
        column("title", pa.string(), "what it is, in a line"),
        column("source", pa.string(), "where it is published, or ScopeDepth"),
        column("method", KEY, "kind of the fit of a prediction to the reference"),
        column("space", KEY, "what the fit is made in: depth, disparity or log_depth"),
        column("scope", KEY, "what shares one fit: frame, sequence or dataset"),
        column(
            "least_depth", pa.float64(), "least reference depth that counts, mm; null: anything above zero"
        ),
        column("greatest_depth", pa.float64(), "greatest reference depth that counts, mm; null: no limit"),
        column(
            "own_ranges",
            pa.list_(pa.string()),
            "datasets, as patterns, that have a range of their own (`spec`)",
        ),
        column(
            "averaging", KEY, "sequences: mean over frames, then over sequences; frames: mean over all frames"
        ),
        column("metrics", pa.list_(pa.string()), "the metrics that it computes"),
        column(
            "not_comparable", pa.string(), "why its numbers must not stand beside others; empty: they may"
        ),
        column("spec", pa.string(), "all that decides its numbers, and its words, as JSON"),
    ],
    metadata={"description": "the protocols of a study"},
)

# What the names in a study's tables stand for: tables made with its report, for they hold its words.
NAME_TABLES = {"models": MODELS, "metrics": METRIC_TABLE, "protocols": PROTOCOLS}

# The tables of a study's numbers, by the name of their file.
STUDY_TABLES = {
    "frames": FRAMES,
    "summary": SUMMARY,
    "comparisons": COMPARISONS,
    "ranks": RANKS,
    "sensitivity": SENSITIVITY,
    "depth_error": DEPTH_ERROR,
    "drift": DRIFT,
    "robustness": ROBUSTNESS,
    "resilience": RESILIENCE,
    "reference": REFERENCE,
    "strata": STRATA,
    "timing": TIMING,
}
