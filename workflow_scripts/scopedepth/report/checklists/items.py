"""The items of CLAIM (2024 update) by number, and the parameters of BIAS, under short titles of our own."""

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
# In the order of the form of the initiative's own submission system (biomedical-challenges.org), which has no numbers.
BIAS = (
    "name", "abstract", "keywords", "organisers", "life cycle", "venue and platform", "participation",
    "submission", "schedule", "ethics approval", "terms of the data", "availability of code",
    "conflicts of interest", "field of application", "kind of task", "cohorts", "imaging", "context", "target",
    "what is assessed", "data sources", "training and test cases", "annotation", "preprocessing of the data",
    "sources of error", "metrics", "ranking", "statistics", "further analyses",
)  # fmt: skip
