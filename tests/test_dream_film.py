"""Films of dreams, and the probe that paints them, from a tiny run to mp4."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from jedi_cli.main import app
from jedi_sdk import JEDI, checkpoint
from jedi_sdk.dream import DreamError
from jedi_sdk.dream_film import BAR, GAP, PAUSE


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film") / "run"
    JEDI("catch", preset="tiny", device="cpu").learn(run_dir=folder, progress=False)
    return folder


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def jedi(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "100"})
    return result.exit_code, result.output


def test_dreams_stand_beside_what_really_happened(run: Path, tmp_path: Path) -> None:
    code, said = jedi("dream", run, "--side-by-side", "--episodes", 3, "--horizon", 4, "--out", tmp_path / "both.mp4")
    assert code == 0, said
    assert "error over repeat-last's: " in said
    film = pictures(tmp_path / "both.mp4")
    assert film[0].shape == (2 * (256 + BAR), 2 * (512 + GAP), 3)
    assert 3 * (1 + PAUSE) <= len(film) <= 3 * (4 + PAUSE)
    blue = film[0][: 2 * 256, : 2 * 256, 2]
    assert blue.max() > 200  # the paddle, on the left, where catch itself is


def test_no_figure_is_given_of_steps_that_no_game_reached(run: Path, tmp_path: Path) -> None:
    code, said = jedi("dream", run, "--side-by-side", "--episodes", 2, "--horizon", 50, "--out", tmp_path / "far.mp4")
    assert code == 0, said
    figures = said.partition("error over repeat-last's: ")[2].splitlines()[0]
    steps = [figure.rpartition(" ")[2] for figure in figures.split(", ")]
    assert steps[0] == "1"
    assert "50" not in steps  # catch is over by then
    assert "nan" not in figures


def test_the_agents_own_dreams(run: Path, tmp_path: Path) -> None:
    code, said = jedi("dream", run, "--episodes", 2, "--horizon", 5, "--out", tmp_path / "own.mp4")
    assert code == 0, said
    film = pictures(tmp_path / "own.mp4")
    assert film[0].shape == (2 * (256 + BAR), 512, 3)
    assert 2 * (2 + PAUSE) <= len(film) <= 2 * (6 + PAUSE)


def test_a_run_keeps_its_probe_and_goes_on_with_it(run: Path, tmp_path: Path) -> None:
    agent = JEDI.from_pretrained(run)
    assert agent.probe is not None
    copy = JEDI.from_pretrained(agent.save_pretrained(tmp_path / "copy"))
    assert copy.probe is not None
    for name, value in agent.probe.state_dict().items():
        assert torch.equal(value, copy.probe.state_dict()[name])
    trainer, _ = checkpoint.read_training(checkpoint.find(run))
    assert trainer["probe"]["optimizer"]["state"]


def test_the_probe_changes_nothing_in_the_run(tmp_path: Path) -> None:
    """The same networks, bit for bit, with and without one."""
    weights = []
    for probe in ("true", "false"):
        agent = JEDI("catch", preset="tiny", overrides=[f"run.probe={probe}"], device="cpu")
        agent.learn(run_dir=tmp_path / probe, progress=False)
        weights.append(agent.world_model.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_an_agent_without_a_probe_gets_one(tmp_path: Path) -> None:
    JEDI("catch", preset="tiny", overrides=["run.probe=false"], device="cpu").learn(
        run_dir=tmp_path / "run", progress=False
    )
    with pytest.raises(DreamError, match="jedi probe"):
        JEDI.from_pretrained(tmp_path / "run").film_dreams(tmp_path / "none.mp4")
    assert jedi("dream", tmp_path / "run")[0] == 2
    code, said = jedi("probe", tmp_path / "run", "--frames", 64, "--updates", 3)
    assert code == 0, said
    assert jedi("dream", tmp_path / "run", "--horizon", 3, "--out", tmp_path / "now.mp4")[0] == 0
