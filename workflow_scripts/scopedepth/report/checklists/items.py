"""The items of CLAIM (2024 update) and the parameters of BIAS, by number, under short titles of our own."""

from __future__ import annotations

CLAIM = {
    1: "kind of AI method", 2: "abstract", 3: "background and intended role", 4: "aims and hypotheses",
    5: "prospective or retrospective", 6: "goal of the study", 7: "data sources", 8: "inclusion and exclusion",
    9: "preprocessing", 10: "choice of subsets", 11: "de-identification", 12: "missing data",
    13: "acquisition of images", 14: "how the reference was obtained", 15: "why that reference",
    16: "who or what made the reference", 17: "annotation of test data", 18: "variability of annotators",
    19: "assignment to partitions", 20: "seen in training, at the closest", 21: "planned sample size",
    22: "the model", 23: "software", 24: "initial parameters", 25: "training", 26: "choice of the final model",
    27: "ensembles", 28: "metrics", 29: "uncertainty and significance", 30: "robustness and sensitivity",
    31: "explanation of outputs",
    32: "internal evaluation: seen in training", 33: "external evaluation: seen in training", 34: "trial registration",
    35: "numbers included and excluded", 36: "characteristics of cases", 37: "performance with uncertainty",
    38: "diagnostic performance", 39: "analysis of failures", 40: "limitations", 41: "implications for practice",
    42: "protocol or further details", 43: "availability of software, model, data", 44: "funding",
}  # fmt: skip
BIAS = {
    1: "name", 2: "abstract", 3: "keywords", 4: "organisers", 5: "life cycle", 6: "venue and platform",
    7: "participation", 8: "submission", 9: "schedule", 10: "ethics approval", 11: "terms of the data",
    12: "availability of code", 13: "conflicts of interest", 14: "field of application", 15: "kind of task",
    16: "cohorts", 17: "imaging", 18: "further information", 19: "target", 20: "what is assessed",
    21: "data sources", 22: "training and test cases", 23: "annotation", 24: "preprocessing of the data",
    25: "sources of error", 26: "metrics", 27: "ranking", 28: "statistics", 29: "further analyses",
}  # fmt: skip
