"""Reading config.yaml for the commands as the workflow does, with safe YAML and without repeated keys."""

from __future__ import annotations

import argparse
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from scopedepth.config.load import ConfigError, select_study
from scopedepth.plan import Plan


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, of which plain YAML silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is given twice; keep one of the two", key_node.start_mark
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
    return content


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose a configuration and a study."""
    parser.add_argument(
        "--configfile", type=Path, default=Path("config.yaml"), help="the configuration (config.yaml)"
    )
    parser.add_argument("--study", help="the study; the configuration's choice where it is not given")


def plan_of(options: argparse.Namespace) -> Plan:
    """Return the plan of the study that the arguments choose."""
    study = select_study(read_config(options.configfile), options.study)
    return Plan(study, Path(__file__).parents[2])
