"""``scopedepth completion bash|zsh|fish``: a script that lets a shell complete the command's words.

Subcommands, options and choices stand in the script. Names of studies, datasets and models are asked of the
configuration in the folder where one types, by `scopedepth completion --names KIND`.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from scopedepth.config.files import read_configs
from scopedepth.errors import ScopeDepthError

SHELLS = ("bash", "zsh", "fish")
# Arguments, by what argparse calls them, to the section of the configuration that has their names.
NAMES = {"study": "studies", "dataset": "datasets", "model": "models"}

BASH = """\
_scopedepth() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command= words= names= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${{COMP_WORDS[i]}} in
      {commands}) command=${{COMP_WORDS[i]}}; break ;;
    esac
  done
  case "$command $previous" in
{values}
    *)
      case $current in
        -*)
          case $command in
{options}
          esac ;;
        *)
          case $command in
{positionals}
          esac ;;
      esac ;;
  esac
  [ -n "$names" ] && words="$words $("${{COMP_WORDS[0]}}" completion --names "$names" 2>/dev/null)"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _scopedepth scopedepth
"""
# Sourced, or found in $fpath under the name _scopedepth: zsh then runs the file as the function of that name when the
# first word is completed, and that word is to be completed, too.
ZSH = """\
#compdef scopedepth
(( $+functions[compdef] )) || {{ autoload -U compinit && compinit }}
autoload -U +X bashcompinit && bashcompinit
{bash}[[ $funcstack[1] != _scopedepth ]] || _bash_complete -o default -F _scopedepth
"""


@dataclass
class Words:
    """What a subcommand takes: options with their help; of those with a value, choices or a section of names."""

    options: dict[str, str] = field(default_factory=dict)
    # By option; the empty name is that of the words that are no options.
    choices: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    values: list[str] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument("shell", nargs="?", choices=SHELLS, help="the shell to write the script for")
    parser.add_argument(
        "--names",
        choices=sorted(NAMES.values()),
        help="print the names that the configuration here has instead",
    )


def run(options: argparse.Namespace) -> int:
    """Print the script, or names."""
    if options.names:
        print("\n".join(map(str, read_configs([], {}).get(options.names) or {})))
    elif options.shell:
        print(script(options.shell), end="")
    else:
        raise ScopeDepthError(f"Name a shell: {', '.join(SHELLS)}.")
    return 0


def script(shell: str) -> str:
    """Return the completion script of a shell."""
    commands, words = described()
    if shell == "fish":
        return _fish(commands, words)
    return ZSH.format(bash=_bash(words)) if shell == "zsh" else _bash(words)


def described() -> tuple[dict[str, str], dict[str, Words]]:
    """Return what each subcommand is for, and what it takes; the empty name is the command itself."""
    from scopedepth.cli import COMMANDS

    found = {
        "": Words(
            {"--workflow": "the workflow's folder", "--version": "the version", "--help": "what there is"},
            values=["--workflow"],
        )
    }
    found[""].choices[""] = list(COMMANDS)
    for command, (module, _) in COMMANDS.items():
        parser = argparse.ArgumentParser()
        importlib.import_module(module).add_arguments(parser)
        words = found[command] = Words()
        for action in parser._actions:
            for key in action.option_strings or [""]:
                if key.startswith("--"):
                    words.options[key] = action.help or ""
                    words.values += [key] if action.nargs != 0 else []
                if action.choices is not None:
                    words.choices[key] = list(map(str, action.choices))
                elif action.dest in NAMES:
                    words.names[key] = NAMES[action.dest]
    return {command: summary for command, (_, summary) in COMMANDS.items()}, found


def _bash(found: dict[str, Words]) -> str:
    values, options, positionals = [], [], []
    for command, words in found.items():
        for option in words.values:
            place = shlex.quote(f"{command} {option}")
            values.append(f"    {place}) {_offer(words, option)};;")
        quoted = shlex.quote(command)
        options.append(
            f"            {quoted}) words={shlex.quote(' '.join([*words.options, *_help(words)]))} ;;"
        )
        positionals.append(f"            {quoted}) {_offer(words, '')};;")
    return BASH.format(
        commands="|".join(filter(None, found)),
        values="\n".join(values),
        options="\n".join(options),
        positionals="\n".join(positionals),
    )


def _help(words: Words) -> list[str]:
    return [] if "--help" in words.options else ["--help"]


def _offer(words: Words, key: str) -> str:
    """Return what bash sets where a value is wanted; nothing, so that it completes files, where none is known."""
    said = f"words={shlex.quote(' '.join(words.choices[key]))} " if key in words.choices else ""
    return said + (f"names={words.names[key]} " if key in words.names else "")


def _fish(commands: dict[str, str], found: dict[str, Words]) -> str:
    return "\n".join(_fish_lines(commands, found)) + "\n"


def _fish_lines(commands: dict[str, str], found: dict[str, Words]) -> Iterator[str]:
    seen = f"__fish_seen_subcommand_from {' '.join(commands)}"
    for command, words in found.items():
        # Not fish's own `__fish_use_subcommand`: the value of an option before the subcommand is a word, too.
        where = f"__fish_seen_subcommand_from {command}" if command else f"not {seen}"
        start = f"complete -c scopedepth -n {_quoted(where)}"
        if not command:
            yield from (f"{start} -f -a {name} -d {_quoted(said)}" for name, said in commands.items())
        elif "" in words.choices or "" in words.names:
            yield f"{start} -f -a {_fish_offer(words, '')}"
        for option, said in words.options.items():
            wants = " -r" if option in words.values else ""
            known = option in words.choices or option in words.names
            offered = f" -f -a {_fish_offer(words, option)}" if known else ""
            yield f"{start} -l {option.removeprefix('--')}{wants}{offered} -d {_quoted(said)}"


def _fish_offer(words: Words, key: str) -> str:
    if key in words.choices:
        return _quoted(" ".join(words.choices[key]))
    return _quoted(f"(scopedepth completion --names {words.names[key]} 2>/dev/null)")


def _quoted(text: str) -> str:
    """Return text as fish takes it between single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
