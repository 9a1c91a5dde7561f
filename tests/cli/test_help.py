"""``jedi`` as a person meets it: quick to answer, and clear about what to type."""

from __future__ import annotations

import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from jedi_cli.errors import is_for_the_user
from jedi_cli.main import app
from jedi_sdk.config import ConfigError

DOCS = Path(__file__).parents[2] / "docs" / "command_line.md"
COMMANDS = ("train", "eval", "dream", "probe", "models", "pull", "export", "push", "presets")
HEAVY = ("torch", "huggingface_hub", "numpy", "gymnasium", "yaml", "matplotlib", "av")


def jedi(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "100"})
    return result.exit_code, result.output


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["eval", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    ask = (
        "import sys\nfrom jedi_cli.main import app\n"
        f"try: app({arguments!r})\nexcept SystemExit as leave: assert not leave.code, leave.code\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", ask], text=True, capture_output=True, check=True)
    assert done.stdout.endswith("heavy: []\n"), done.stdout


def test_help_is_instant() -> None:
    """Little more than Typer alone takes, on any machine. Best of five in CPU seconds, since tests run beside it."""
    bare = "import typer; app = typer.Typer(); app.command()(lambda: None); app(['--help'])"
    ours, typers = zip(
        *((cpu_seconds("-m", "jedi_cli", "--help"), cpu_seconds("-c", bare)) for _ in range(5)), strict=True
    )
    assert min(ours) < 1.6 * min(typers)


def cpu_seconds(*python: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *python], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_version() -> None:
    assert jedi("--version") == (0, f"jedi {version('jedi-sdk')}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_docs_name_every_option(command: str) -> None:
    page = DOCS.read_text(encoding="utf-8")
    group = typer.main.get_command(app)
    assert f"## jedi {command}" in page
    for parameter in group.commands[command].params:  # pyright: ignore[reportAttributeAccessIssue]
        for name in (*parameter.opts, *parameter.secondary_opts):
            if name.startswith("--"):
                assert f"`{name}" in page, f"{DOCS} does not mention {name}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches(command: str) -> None:
    code, output = jedi(command, "--help")
    assert code == 0
    assert command in ("presets", "models") or f"jedi {command} " in output.partition("Examples")[2]


def test_train_without_a_game() -> None:
    code, output = jedi("train")
    assert code == 2
    assert "jedi train breakout" in output
    assert "jedi train --resume" in output


def test_resume_keeps_its_own_settings() -> None:
    code, output = jedi("train", "pong", "--resume", "runs/b0", "--preset", "small", "--seed", "0")
    assert code == 2
    assert "GAME, --preset, --seed cannot stand beside it" in output
    assert "`jedi train --resume runs/b0`" in output


def test_an_agent_to_begin_with_brings_its_game() -> None:
    code, output = jedi("train", "pong", "--init", "breakout")
    assert code == 2
    assert "GAME cannot stand beside it" in output
    assert "`jedi train --init breakout`" in output


def test_a_new_policy_needs_an_agent_to_begin_with() -> None:
    code, output = jedi("train", "pong", "--new-policy")
    assert code == 2
    assert "jedi train --init breakout --new-policy" in output


def test_a_used_run_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    code, output = jedi("train", "pong", "--run-dir", tmp_path)
    assert code == 2
    assert "not a run folder" in output
    checkpoint = tmp_path / "checkpoints" / "step-000000048"
    checkpoint.mkdir(parents=True)
    (checkpoint / "manifest.json").touch()
    code, output = jedi("train", "pong", "--run-dir", tmp_path)
    assert code == 2
    assert f"jedi train --resume {tmp_path}" in output
    assert "--overwrite" in output
    assert {file.name for file in tmp_path.iterdir()} == {"precious", "checkpoints"}


def test_fidelity_films_nothing(tmp_path: Path) -> None:
    code, output = jedi("eval", tmp_path, "--fidelity", "--json", tmp_path / "out.json")
    assert code == 2
    assert "Type two commands" in output


def test_a_typo_gets_the_nearest_option() -> None:
    code, output = jedi("train", "--sed", "3")
    assert code == 2
    assert "--seed" in output


def test_users_get_advice_and_bugs_a_traceback() -> None:
    assert is_for_the_user(ConfigError("what to write"))
    assert is_for_the_user(PermissionError(13, "Permission denied"))
    assert is_for_the_user(OSError(28, "No space left on device"))
    assert not is_for_the_user(ValueError("a bug"))
    assert not is_for_the_user(FileNotFoundError(2, "a bug"))
