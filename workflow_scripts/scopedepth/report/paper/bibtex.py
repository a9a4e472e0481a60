"""References: every model and dataset of a study as BibTeX, from the specs; a plain entry where a spec has none."""

from __future__ import annotations

import re

from scopedepth.config.citations import entries
from scopedepth.report.paper.latex import escape
from scopedepth.report.results import Results

# What LaTeX is asked to do in a citation: accents, letters, fonts, an address. Anything else could read or write files.
COMMANDS = frozenset({
    "c", "v", "u", "H", "k", "r", "b", "d", "t", "o", "O", "l", "L", "i", "j",
    "ss", "ae", "AE", "oe", "OE", "aa", "AA", "dh", "DH", "th", "TH",
    "emph", "textit", "textbf", "textsc", "texttt", "textrm", "textsuperscript", "textsubscript",
    "mathrm", "mathit", "mathbf", "ensuremath", "alpha", "beta", "gamma", "delta", "pi", "sigma", "times",
    "textendash", "textemdash", "ldots", "dots", "copyright", "url", "href", "doi",
})  # fmt: skip


def is_harmless(entry: str) -> bool:
    """Return whether LaTeX can be given a BibTeX entry that somebody else wrote."""
    return all(name in COMMANDS for name in re.findall(r"\\([A-Za-z@]+)", entry)) and "^^" not in entry


def references(results: Results) -> tuple[str, dict[tuple[str, str], list[str]]]:
    """Return the file of references, and the keys to cite by (kind, name), kind being models or datasets."""
    written: dict[str, str] = {}
    keys: dict[tuple[str, str], list[str]] = {}
    for kind, names in (("datasets", results.dataset_names), ("models", results.model_names)):
        for name in names:
            if kind == "models" and results.is_baseline(name) and not results.models[name].get("citation"):
                continue
            spec = getattr(results, kind)[name]
            found = [pair for pair in entries(spec.get("citation") or "") if is_harmless(pair[1])] or [
                _plain(kind, name, results.title(kind, name), spec)
            ]
            keys[kind, name] = []
            for key, entry in found:
                own = key
                number = 2
                # Two different entries under one key would silently become one.
                while own in written and written[own] != entry.replace(key, own, 1):
                    own = f"{key}-{number}"
                    number += 1
                written[own] = entry.replace(key, own, 1)
                keys[kind, name].append(own)
    return "\n\n".join(written[key] for key in sorted(written)) + "\n", keys


def _plain(kind: str, name: str, title: str, spec: dict[str, object]) -> tuple[str, str]:
    """Return an entry made from a spec that brings none of its own."""
    key = f"{kind[:-1]}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}"
    fields = [f"  key = {{{key}}}", f"  title = {{{escape(title)}}}"]
    homepage = str(spec.get("homepage") or "")
    if re.fullmatch(r"https?://[^\s{}\\\"<>^`|]+", homepage):
        fields.append(f"  howpublished = {{\\url{{{homepage}}}}}")
    said = " ".join(str(spec.get("citation") or "").split()).rstrip(".")
    licence = escape(str(spec.get("licence") or "unknown"))
    fields.append(
        f"  note = {{{escape(said or 'No citation is given in the configuration')}. Licence: {licence}}}"
    )
    return key, f"@misc{{{key},\n" + ",\n".join(fields) + "\n}"
