"""Completion of the command's words, by the shells that are here."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scopedepth.cli import COMMANDS, main
from scopedepth.commands.completion import SHELLS, script

CONFIG = "studies: {mine: {}, yours: {}}\nmodels: {tiny_net: {}, tiny_other: {}, big: {}}\ndatasets: {phantom: {}}\n"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration, the script, and a command `scopedepth` that runs this library."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    for shell in SHELLS:
        (folder / f"script.{shell}").write_text(script(shell), encoding="utf-8")
    (folder / "functions").mkdir()
    (folder / "functions" / "_scopedepth").write_text(script("zsh"), encoding="utf-8")
    program = folder / "scopedepth"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m scopedepth.cli "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return folder


def complete(folder: Path, *words: str) -> list[str]:
    """Return what bash offers for the last one of the words after `scopedepth`."""
    given = " ".join(f"'{word}'" for word in ("./scopedepth", *words))
    asked = f"""
        source script.bash
        COMP_WORDS=({given}); COMP_CWORD={len(words)}
        _scopedepth
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", asked], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_subcommands_options_choices_and_names(here: Path) -> None:
    assert complete(here, "") == list(COMMANDS)
    assert complete(here, "ex") == ["explain", "export"]
    assert complete(here, "--w") == ["--workflow"]
    assert complete(here, "--workflow", "elsewhere", "ver") == ["verify"]
    assert set(complete(here, "export", "--")) >= {
        "--out",
        "--author",
        "--licence",
        "--predictions",
        "--help",
    }
    assert complete(here, "completion", "f") == ["fish"]
    assert complete(here, "card", "--ou") == ["--out"]
    assert complete(here, "card", "--out", "x") == [], "a file: bash's own"
    assert complete(here, "card", "tiny_") == ["tiny_net", "tiny_other"]
    assert complete(here, "card", "--study", "m") == ["mine"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_asks_for_the_names_of_this_folder(here: Path) -> None:
    assert complete(here, "export", "") == ["mine", "yours"]
    assert complete(here, "check-dataset", "p") == ["phantom"]


ANSWERS = {
    "verif": "verify",
    "--workflow elsewhere verif": "verify",
    "card tiny_n": "tiny_net",
    "card --study m": "mine",
    "export --au": "--author",
    "completion f": "fish",
    "check-dataset p": "phantom",
}


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_completes_the_same(here: Path) -> None:
    asked = "; ".join(f"echo (complete -C 'scopedepth {line}')" for line in ["", "card --out conf", *ANSWERS])
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"set PATH . $PATH; source script.fish; {asked}"],
        cwd=here, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    commands, file, *found = done.stdout.splitlines()
    assert set(COMMANDS) <= set(commands.replace("\t", " ").split())
    assert file.split() == ["config.yaml"]
    assert [line.split()[0] for line in found] == [*ANSWERS.values()]


ZSH = {
    "sourced": "source script.zsh",
    # Its first word alone is another way.
    "in a folder of functions": "fpath=($PWD/functions $fpath); autoload -U compinit; compinit -u -D",
}


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
@pytest.mark.parametrize("begun", ZSH.values(), ids=ZSH)
def test_zsh_completes_the_same_from_the_first_word_on(here: Path, begun: str) -> None:
    """A zsh at a terminal, which completes a word to its end when nothing else begins so."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["zsh", "-f", "-i"], cwd=here, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={**os.environ, "TERM": "dumb", "HOME": str(here), "ZDOTDIR": str(here)},
    ) as shell:  # fmt: skip
        os.close(theirs)

        def typed(text: str, until: str) -> str:
            os.write(ours, text.encode())
            said = ""
            while until not in said:
                assert select.select([ours], [], [], 20)[0], f"{until!r} did not come: {said!r}"
                said += os.read(ours, 4096).decode(errors="replace")
            return said

        try:
            typed(
                f"PS1= PATH=$PWD:$PATH; unsetopt prompt_sp; autoload -U compinit; {begun}; echo be''gun\n",
                "begun",
            )
            for line, answer in [*ANSWERS.items()][: None if "source" in begun else 1]:
                typed("echo re''ady\n", "ready")
                typed(f"scopedepth {line}\t", answer)
                typed("\x15", "")  # the line is taken back
        finally:
            shell.kill()
            os.close(ours)


def test_the_command_prints_scripts_and_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(CONFIG, encoding="utf-8")
    assert main(["completion", "--names", "models"]) == 0
    assert capsys.readouterr().out.split() == ["tiny_net", "tiny_other", "big"]
    for shell in ("bash", "zsh", "fish"):
        assert main(["completion", shell]) == 0
        printed = capsys.readouterr().out
        assert all(command in printed for command in COMMANDS)
        assert "--names models" in printed or "names=models" in printed
        assert printed == script(shell)
    assert script("zsh").startswith("#compdef scopedepth\n")
    assert main(["completion"]) == 1
    assert "Name a shell" in capsys.readouterr().err


def test_fish_takes_the_words_between_quotes() -> None:
    for line in script("fish").splitlines():
        assert line.startswith("complete -c scopedepth -n '"), line
        assert line.replace("\\'", "").count("'") % 2 == 0, line
