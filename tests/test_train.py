"""The loop on the real Catch: what it logs, when it saves, and when it refuses to go on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from jedi_sdk import JEDI, ConfigError, RunError, checkpoint
from jedi_sdk.curves import plot_learning_curve
from jedi_sdk.runlog import RunLog, read_log
from jedi_sdk.schedule import Counters

LOGGED = {
    "updates": "denoise/step1 denoise/sigma<0.25 denoise/sigma>1.0 heads/reward heads/termination grad_norm/denoiser "
    "grad_norm/encoder grad_norm/heads grad_norm/actor_critic policy/entropy imagined/return latent/std "
    "latent/change",
    "epoch": "latent/std_data latent/effective_rank latent/repeat_last real/return real/reward "
    "played/reward played/end",
    "fidelity": "fidelity/ratio_step1 fidelity/ratio_step3",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> JEDI:
    agent = JEDI("catch", preset="tiny", overrides=["schedule.env_steps=80"])
    return agent.learn(run_dir=tmp_path_factory.mktemp("runs") / "run", progress=False)


def test_a_run_folder(run: JEDI) -> None:
    assert run.run_dir is not None
    names = {path.name for path in run.run_dir.iterdir()}
    assert {"config.yaml", "log.jsonl", "tensorboard", "checkpoints", "replay", "learning_curve.png"} <= names
    assert len(checkpoint.list_checkpoints(run.run_dir)) == run.config.run.keep_checkpoints


@pytest.mark.parametrize("kind", LOGGED)
def test_what_is_logged_from_the_first_run_on(run: JEDI, kind: str) -> None:
    assert run.run_dir is not None
    records = [record for record in read_log(run.run_dir) if record["kind"] == kind]
    assert records, kind
    seen = {name for record in records for name in record}
    assert set(LOGGED[kind].split()) <= seen


@pytest.mark.usefixtures("run")
def test_a_gpu_may_round_to_tf32_in_training_as_in_the_benchmark() -> None:
    assert torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32


def test_the_schedule_was_kept(run: JEDI) -> None:
    """32 steps, then 16 an epoch up to 80, one epoch without: five epochs of two updates each."""
    assert run._trainer is not None
    counters = run._trainer.counters
    assert (counters.denoiser, counters.heads, counters.actor_critic) == (10, 10, 10)
    assert 80 <= counters.env_steps < 80 + 2 * run.config.env.num_envs
    assert counters.epoch == 5


def test_what_is_done_is_not_done_again(run: JEDI) -> None:
    """A requeued job, or a notebook's cell run twice, asks for as many real steps as there are."""
    assert run._trainer is not None
    before = run._trainer.counters.as_dict()
    run.learn(env_steps=80, progress=False)
    assert {**run._trainer.counters.as_dict(), "seconds": 0} == {**before, "seconds": 0}


def test_what_an_epoch_played_is_told_of_its_own_steps(run: JEDI) -> None:
    """A game of catch pays in its last step, and nowhere else. The last epoch has no real steps."""
    assert run.run_dir is not None
    assert run._trainer is not None
    *epochs, idle = [record for record in read_log(run.run_dir) if record["kind"] == "epoch"]
    taken = np.diff([0, *(record["env_steps"] for record in epochs)])
    rew, end = run._trainer.replay.steps_since(0)
    assert len(rew) == taken.sum()
    assert sum(record["played/end"] * steps for record, steps in zip(epochs, taken, strict=True)) == pytest.approx(
        end.sum()
    )
    paid = sum(record["played/reward"] * steps for record, steps in zip(epochs, taken, strict=True))
    assert paid == pytest.approx(rew.sum())
    assert np.abs(rew).sum() == end.sum() > 0
    assert "played/reward" not in idle


def test_its_first_line_says_which_settings_it_took(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    JEDI("catch", preset="tiny", seed=3, device="cpu").learn(run_dir=tmp_path / "run")
    said = capsys.readouterr()
    told = " ".join((said.out + said.err).split())
    threads = torch.get_num_threads()
    assert "catch: preset tiny, objective default, seed 3; cpu, float32, channels_last, not compiled, " in told
    assert f", {threads} threads" in told


def test_its_config_makes_the_same_agent(run: JEDI) -> None:
    assert run.run_dir is not None
    assert JEDI("catch", config=run.run_dir / "config.yaml").config == run.config


def test_a_collapse_stops_the_run_and_says_what_to_change(tmp_path: Path) -> None:
    agent = JEDI("catch", preset="tiny", overrides=["run.min_effective_rank=1000"])
    with pytest.raises(RunError, match=r"collapsed: latent/effective_rank .* floor of 1000.*objective\.predict=change"):
        agent.learn(run_dir=tmp_path / "run", progress=False)


def test_drift_is_watched_without_a_frame_in_the_past(tmp_path: Path) -> None:
    JEDI("catch", preset="tiny", overrides=["context=1"]).learn(run_dir=tmp_path / "run", progress=False)
    epochs = [record for record in read_log(tmp_path / "run") if record["kind"] == "epoch"]
    assert all(record["latent/repeat_last"] > 0 < record["latent/repeat_last_frames"] for record in epochs)


def test_a_nan_stops_the_run_and_the_last_good_checkpoint_stays(tmp_path: Path) -> None:
    agent = JEDI("catch", preset="tiny").learn(run_dir=tmp_path / "run", progress=False)
    good = checkpoint.find(tmp_path / "run")
    with torch.no_grad():
        agent.world_model.denoiser.unet.conv_in.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(RunError, match=rf"no longer finite.*run\.dtype=float32.*{good.name}"):
        agent.learn(env_steps=200, progress=False)
    JEDI.from_pretrained(good)
    assert checkpoint.find(tmp_path / "run") == good


def test_a_run_cannot_be_shortened_below_what_it_has_taken(run: JEDI) -> None:
    before = run.config
    with pytest.raises(RunError, match=r"has taken 8\d real steps already"):
        run.learn(env_steps=20, progress=False)
    with pytest.raises(ConfigError, match=r"schedule.env_steps=-5 must be above 0"):
        run.learn(env_steps=-5, progress=False)
    assert run.config == before


def test_a_resumed_log_forgets_what_came_later(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.write("updates", Counters(denoiser=1), {"x": 1.0})
    size = log.size
    log.write("updates", Counters(denoiser=2), {"x": 2.0})
    log.close()
    log = RunLog(tmp_path, size, step=1)
    log.write("updates", Counters(denoiser=2), {"x": 3.0})
    log.close()
    assert [record["x"] for record in read_log(tmp_path)] == [1.0, 3.0]


def test_so_does_tensorboard_from_the_first_checkpoint_on(tmp_path: Path) -> None:
    """A checkpoint of the first collection has logged nothing yet."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for value in (2.0, 3.0):
        log = RunLog(tmp_path, size=0, step=0)
        log.write("updates", Counters(denoiser=5), {"x": value})
        log.close()
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.value for event in board.Scalars("x")] == [3.0]


@pytest.mark.parametrize("left", [0, 10, -10])
def test_a_log_that_a_power_cut_has_shortened(tmp_path: Path, left: int) -> None:
    """Half a line goes, too, and nothing takes the place of what is lost."""
    log = RunLog(tmp_path)
    for x in (1.0, 2.0):
        log.write("updates", Counters(denoiser=1), {"x": x})
    size = log.size
    log.close()
    os.truncate(tmp_path / "log.jsonl", left if left >= 0 else size + left)
    log = RunLog(tmp_path, size, step=1)
    log.write("updates", Counters(denoiser=2), {"x": 3.0})
    log.close()
    assert [record["x"] for record in read_log(tmp_path)] == ([3.0] if left >= 0 else [1.0, 3.0])


def test_what_a_killed_process_was_writing_goes_with_the_oldest(tmp_path: Path) -> None:
    for name in ("step-1", "step-2", "step-3", ".step-3.4711.tmp", ".step-2.old"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    checkpoint.prune(tmp_path, keep=2)
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"step-2", "step-3"}


def test_curves_of_an_empty_run(tmp_path: Path) -> None:
    RunLog(tmp_path).close()
    assert plot_learning_curve(tmp_path) is None


def test_finished_episodes_are_counted(run: JEDI) -> None:
    """Catch's episodes have seven steps: 80 steps of two games are at least ten of them."""
    assert run._trainer is not None
    assert 10 <= run._trainer.counters.episodes <= run._trainer.counters.env_steps // 7
    assert all(episode.length == 7 for episode in run._trainer.episodes)


def test_a_checkpoint_by_the_clock(tmp_path: Path) -> None:
    """Ten milliseconds between checkpoints: one behind almost every update, and not only one an epoch."""
    settings = ["run.checkpoint_minutes=0.0001", "run.keep_checkpoints=1000", "schedule.final_epochs=0"]
    JEDI("catch", preset="tiny", overrides=settings).learn(run_dir=tmp_path / "run", progress=False)
    assert len(checkpoint.list_checkpoints(tmp_path / "run")) > 6  # of two epochs
