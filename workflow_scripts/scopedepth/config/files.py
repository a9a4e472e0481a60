"""Reading configuration files: safe YAML, no key given twice, laid over one another as Snakemake does it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from scopedepth.config.load import ConfigError
from scopedepth.job.shipped import shipped

DEFAULT = Path("config.yaml")
# One's own entries, laid over the catalogue: of this folder, else the one that comes with the workflow.
OWN = Path("study.yaml")
# Snakemake would run what stands in such a file as a template, and the commands would not.
TEMPLATES = "__use_yte__"


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, of which plain YAML silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            if not isinstance(key, Hashable):
                continue
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"{key!r} is given twice; keep one, with what stands below both",
                    key_node.start_mark,
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read_config(path: Path) -> dict[str, Any]:
    """Return the content of a configuration file; what is wrong with it is a `ConfigError` of one line."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}). Run this in the workflow's folder, or give --configfile."
        ) from None
    except Exception as error:  # YAML's own errors, and what its constructors make of a wrong date or number
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark is not None else str(path)
        problem = getattr(error, "problem", None) or f"no YAML that can be read ({error})"
        raise ConfigError(f"{where}: {problem}.") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a mapping of study, studies, datasets, models and protocols is expected.")
    if TEMPLATES in content:
        raise ConfigError(f"{path}: {TEMPLATES} is set, and configurations are no templates. Leave it out.")
    return content


def read_configs(overlays: Iterable[Path], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Snakemake makes of the files below, of files given as `--configfile`, and of `values` of `--config`.

    Later ones win, mapping by mapping. Where files are given, config.yaml may be missing.
    """
    over = list(overlays)
    below = [path for path in default_files() if path.exists() or not over]
    return laid_over(read_all([*below, *over]), values)


def default_files() -> list[Path]:
    """Return the configurations that are read without being named, the later over the earlier.

    config.yaml and study.yaml of this folder; where it has study.yaml alone, that lies over the catalogue that comes
    with the workflow. Where it has neither, config.yaml is named, which whoever reads it finds missing.
    """
    own = [OWN] if OWN.exists() else []
    catalogue = None if DEFAULT.exists() or not own else shipped(DEFAULT.name)
    return [catalogue or DEFAULT, *own]


def read_all(paths: Iterable[Path]) -> dict[str, Any]:
    """Return the content of configuration files, the later laid over the earlier."""
    merged: dict[str, Any] = {}
    for path in paths:
        merged = laid_over(merged, read_config(path))
    return merged


def laid_over(below: Any, above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` with what `above` says in its place: mappings are merged, all else is replaced."""
    result = dict(below) if isinstance(below, Mapping) else {}
    for key, value in above.items():
        result[key] = laid_over(result.get(key), value) if isinstance(value, Mapping) else value
    return result
