"""The contest on catch, tiny: one stage for all, the schema, stopping anywhere, giving up what is clearly worse."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import pytest
import torch
from matplotlib.figure import Figure
from rich.console import Console
from typer.testing import CliRunner

from jedi_cli.main import app
from jedi_sdk import JEDI, precision
from jedi_sdk.benchmark import Contest, find_variants
from jedi_sdk.benchmark.plot import _unique, plot_contest
from jedi_sdk.benchmark.result import SCHEMA, Result, _settings, load_results, to_json
from jedi_sdk.benchmark.stage import Stage, set_stage
from jedi_sdk.benchmark.table import contest_markdown, contest_table
from jedi_sdk.checkpoint import CheckpointError
from jedi_sdk.config import ConfigError
from jedi_sdk.envs import resolve_game
from jedi_sdk.envs.catch import CatchEnv
from jedi_sdk.fidelity.progress import silent
from jedi_sdk.precision import Precision
from jedi_sdk.presets import TINY
from jedi_sdk.progress import RunProgress
from jedi_sdk.run_folder import RunFolderError

CPU = Precision(torch.device("cpu"), torch.float32)


def contest(out: Path, names: str = "default,paper", **values) -> Contest:
    fixed = {"preset": "tiny", "updates": 4, "frames": 300, "contexts": 40, "every": 2, "device": "cpu"}
    return Contest(["catch"], find_variants(names.split(",")), out, **{**fixed, **values})


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Result]]:
    out = tmp_path_factory.mktemp("contest")
    return out, contest(out, seeds=(0, 1)).run(progress=False)


def test_every_variant_and_seed_is_measured_on_the_frames_of_its_seed(done) -> None:
    _, results = done
    assert [(r.variant, r.seed) for r in results] == [("default", 0), ("default", 1), ("paper", 0), ("paper", 1)]
    assert all([point["updates"] for point in r.curve] == [2, 4] for r in results)
    prints = {r.seed: {o.fingerprint for o in results if o.seed == r.seed} for r in results}
    assert all(len(of_seed) == 1 for of_seed in prints.values())
    assert prints[0] != prints[1]


def test_the_json_has_the_documented_schema(done) -> None:
    out, results = done
    data = json.loads(json.dumps(to_json(results), allow_nan=False))
    assert data["schema"] == SCHEMA
    (point, _) = data["entries"][0]["curve"]
    assert set(point["ratio"]) == {"1", "3", "10", "15", "50"}
    assert set(point["latent"]) == {
        "latent/std_data",
        "latent/effective_rank",
        "latent/repeat_last",
        "latent/repeat_last_frames",
    }
    assert set(point["ratio_learned"]) == {"1", "3"}
    assert point["ratio"]["1"] > 0
    assert point["ratio"]["50"] is None  # an episode of catch is over by then
    assert 0 <= point["reward"]["balanced_accuracy"] <= 1
    assert point["displacement"] == []
    assert data["entries"][0]["settings"]["predict"] == "change"
    assert data["entries"][2]["settings"]["predict"] == "latent"
    assert load_results(out) == results


def test_the_same_contest_gives_the_same_curves(done, tmp_path: Path) -> None:
    again = contest(tmp_path, names="default").run(progress=False)
    assert without_clock(again[0]) == without_clock(done[1][0])


def without_clock(result: Result) -> list[dict]:
    return [{**point, "seconds": 0} for point in result.curve]


def test_more_updates_go_on_where_fewer_ended(done, tmp_path: Path) -> None:
    """Stopped after 2 and gone on with, the networks are bit for bit those of a run in one go."""
    contest(tmp_path, names="default", updates=2).run(progress=False)
    longer = contest(tmp_path, names="default", updates=4).run(progress=False)
    for point, other in zip(without_clock(longer[0]), without_clock(done[1][0]), strict=True):
        point["loss"] = other["loss"] = None
        assert point == other


def test_what_is_known_by_heart_shows(tmp_path: Path) -> None:
    """Two dozen frames of catch are learned by heart; of two thousand, what is learned holds for others, too."""
    quick = ["objective.predictor=mse", "objective.encoder_grad=false", "objective.heads_grad=false", "optim.lr=1e-2"]
    shares = []
    for frames in (24, 2000):
        out = tmp_path / str(frames)
        (result,) = contest(out, "default", overrides=quick, frames=frames, updates=80, every=80).run(progress=False)
        shares.append(result.last["ratio_learned"]["3"] / result.last["ratio"]["3"])
    assert shares[0] < 0.5
    assert shares[1] > 0.8


def test_other_settings_do_not_go_on_in_the_same_folder(tmp_path: Path) -> None:
    contest(tmp_path, names="default", updates=2).run(progress=False)
    with pytest.raises(CheckpointError, match=r"other settings, or on other frames.*--out"):
        contest(tmp_path, names="default", overrides=["optim.lr=1e-3"]).run(progress=False)
    with pytest.raises(CheckpointError, match="other frames"):
        contest(tmp_path, names="default", frames=400).run(progress=False)


def test_two_contests_do_not_write_to_one_folder(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from jedi_sdk.run_folder import hold\n"
    script += "with hold(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(RunFolderError, match="another process"):
            contest(tmp_path).run(progress=False)
        assert other.stdin
        other.stdin.close()


def test_what_is_clearly_worse_is_given_up_and_keeps_its_curve(tmp_path: Path) -> None:
    (kept, given_up) = contest(tmp_path, prune=2.0).run(progress=False)
    assert kept.stopped is None
    assert given_up.stopped is not None
    assert "given up after 2 updates" in given_up.stopped
    assert [point["updates"] for point in given_up.curve] == [2]
    assert contest(tmp_path, prune=2.0).run(progress=False) == [kept, given_up]  # nor is it taken up again


def test_latents_out_of_bounds_end_an_entry(tmp_path: Path) -> None:
    (result,) = contest(tmp_path, names="default", overrides=["run.min_effective_rank=500"]).run(progress=False)
    assert result.stopped is not None
    assert "collapsed" in result.stopped
    assert len(result.curve) == 1


def test_what_diverges_is_stopped_and_others_go_on(tmp_path: Path) -> None:
    (result,) = contest(tmp_path, names="wild:optim.lr=1e30,default").run(progress=False)
    assert (result.variant, result.updates) == ("default", 4)
    stopped = json.loads((tmp_path / "catch" / "wild-0" / "progress.json").read_text())
    assert "no longer finite" in stopped["stopped"]
    assert stopped["updates"] == 2
    assert contest(tmp_path, names="wild:optim.lr=1e30,default").run(progress=False) == [result]


def test_who_has_collapsed_is_no_rival(tmp_path: Path) -> None:
    """``paper`` is many times as far off, but there is nobody left to lose to; and a collapse stays one."""
    dead, alive = contest(tmp_path, "default:run.min_effective_rank=500,paper", prune=1.5).run(progress=False)
    assert "collapsed" in (dead.stopped or "")
    assert alive.stopped is None
    late = contest(tmp_path, "late:run.min_effective_rank=500;objective.predict=latent", prune=1e-3).run(progress=False)
    assert "collapsed" in (next(result for result in late if result.variant == "late").stopped or "")


@pytest.mark.parametrize("setting", ["context=3", "env.epsilon=0.5", "seed=7"])
def test_variants_that_would_learn_from_other_frames_are_refused(tmp_path: Path, setting: str) -> None:
    key = setting.split("=")[0]
    with pytest.raises(ConfigError, match=rf"mine sets {key}, which decides the frames.*--set {key}="):
        contest(tmp_path, names=f"default,mine:{setting}").run(progress=False)
    assert not any(tmp_path.iterdir())
    assert len(contest(tmp_path, names=f"mine:{setting}", updates=2).run(progress=False)) == 1  # alone it may


def test_an_entry_goes_on_in_the_dtype_it_began_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two dtypes are about as fast as each other on some machines: which of them is faster may change any time."""
    for updates, faster in ((2, torch.bfloat16), (4, torch.float32)):
        monkeypatch.setattr(precision, "_seconds_per_convolution", lambda dtype, faster=faster: 1.0 - (dtype == faster))
        (result,) = contest(tmp_path, "default", updates=updates, overrides=["run.dtype=auto"]).run(progress=False)
        assert result.dtype == "bfloat16"


def test_threads_are_those_that_were_set(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        contest(tmp_path, "default", updates=2, overrides=["run.threads=1"]).run(progress=False)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)


def test_heads_are_updated_as_often_as_in_an_epoch(tmp_path: Path) -> None:
    share = ["schedule.epoch.denoiser=6", "schedule.epoch.heads=2"]
    few = contest(tmp_path, names="default", overrides=share, updates=2).run(progress=False)
    assert "heads/reward" not in few[0].last["loss"]
    more = contest(tmp_path, names="default", overrides=share, updates=6).run(progress=False)
    assert ["heads/reward" in point["loss"] for point in more[0].curve] == [False, True, True]  # after 3, after 6


def test_a_killed_contest_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jedi_cli", "bench", "variants", "--games", "catch", "--variants", "default"]
    command += ["--preset", "tiny", "--frames", "300", "--contexts", "40", "--every", "20", "--out", str(tmp_path)]
    process = subprocess.Popen([*command, "--updates", "100000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / "catch" / "default-0" / "progress.json").exists():
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = load_results(tmp_path)[0].updates
    environment = {**os.environ, "COLUMNS": "200"}
    said = subprocess.run([*command, "--updates", str(reached + 20)], capture_output=True, text=True, env=environment)
    assert said.returncode == 0, said.stderr
    assert load_results(tmp_path)[0].updates == reached + 20
    for name in ("variants.json", "variants.md", "variants.png"):
        assert (tmp_path / name).stat().st_size > 0
    assert f"{reached + 20}" in said.stdout


def test_table_and_picture(done, tmp_path: Path) -> None:
    _, results = done
    text = contest_markdown(results)
    assert f"{results[0].last['ratio']['1']:.2f}" in text
    assert all(line.count("|") == lines[0].count("|") for lines in tables(text) for line in lines)
    plot_contest(results, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_the_legend_names_variants_that_only_one_game_has() -> None:
    figure = Figure()
    for axes, names in zip(figure.subplots(1, 2), (["mse", "default"], ["default", "ema"]), strict=True):
        for name in names:
            axes.plot([0, 1], label=name)
    assert _unique(figure.axes)[1] == ["default", "ema", "mse"]


def test_a_narrow_terminal_shows_every_name_whole(done) -> None:
    """``change-standard-slow`` and ``-annealed``, cut short, are one."""
    _, results = done
    written = io.StringIO()
    narrow = Console(width=80, file=written)
    narrow.print(contest_table([replace(results[0], variant="change-standard-annealed")]))
    text = written.getvalue()
    assert "…" not in text
    cells = [line.split("│")[2].strip() for line in text.splitlines() if line.startswith("│")]
    assert "".join(cells).count("change-standard-annealed") == 4  # tables: catch has no displacement


def test_only_things_that_a_game_has_are_columns(done) -> None:
    """Catch has none whose positions are known; of Breakout's two, each is a column, and no boxer."""
    _, results = done
    assert "Displacement" not in contest_markdown(results)
    known = [
        {"thing": thing, "steps": 3, "pairs": 9, "encoded": 0.5, "dreamed": 0.25, "repeated": 0.0}
        for thing in ("ball", "paddle")
    ]
    located = replace(results[0], curve=[{**results[0].last, "displacement": known}])
    heads = [table[0] for table in tables(contest_markdown([located, results[0]]))]
    assert heads[1] == "| game | variant | seed | updates | ball | paddle |"


def tables(text: str) -> list[list[str]]:
    blocks = [block.splitlines() for block in text.split("\n\n")]
    return [block for block in blocks if block and block[0].startswith("|")]


def test_curves_from_before_frames_learned_from_were_measured_are_still_reported(done, tmp_path: Path) -> None:
    _, results = done
    older = {name: value for name, value in results[0].last.items() if name != "ratio_learned"}
    assert "from frames learned" in contest_markdown(results)
    assert "from frames learned" not in contest_markdown([replace(results[0], curve=[older])])
    plot_contest([replace(results[0], curve=[older])], tmp_path / "curves.png")


def test_breakout_has_displacement() -> None:
    def play(probe_steps: int) -> Stage:
        config, sizes = replace(TINY, game="breakout"), {"frames": 300, "contexts": 20, "horizon": 50}
        return set_stage(resolve_game("breakout"), config, CPU, probe_steps=probe_steps, progress=silent, **sizes)

    stage, again, more = play(300), play(300), play(600)
    assert stage.located is not None
    assert more.located is not None
    assert stage.located.in_play.any()
    assert stage.num_actions == 4
    assert again.fingerprint == stage.fingerprint
    assert 600 <= 4 * more.located.replay.count < 800  # four consoles side by side
    assert more.replay.count == stage.replay.count


def test_what_is_held_out_may_be_an_agents_play(done, tmp_path: Path) -> None:
    """The same frames to learn from; what is measured comes from an agent that goes right and nowhere else."""
    agent = JEDI("catch", preset="tiny", device="cpu")
    agent.actor_critic.actor.bias.data[2] = 30
    agent.save_pretrained(tmp_path / "agent")
    (own,) = contest(
        tmp_path / "out", names="default", updates=2, played_by=str(tmp_path / "agent"), overrides=["env.epsilon=0"]
    ).run(progress=False)
    assert own.played_by == str(tmp_path / "agent")
    assert f"| catch, played by {own.played_by} |" in contest_markdown([own])
    _, (random, *_) = done
    assert random.played_by is None
    assert own.curve[0]["loss"] == random.curve[0]["loss"]
    assert own.curve[0]["ratio"] != random.curve[0]["ratio"]
    config = replace(TINY, env=replace(TINY.env, epsilon=0.0))
    stage = set_stage(agent.game, config, CPU, 300, 40, 1000, 50, silent, agent)
    held_out = stage.held_out.replay
    assert (held_out.columns["act"][: held_out.count][~held_out.columns["dead"][: held_out.count]] == 2).all()
    assert set(stage.replay.columns["act"][: stage.replay.count].flatten()) == {0, 1, 2}


def test_an_agent_of_another_game_cannot_play_what_is_held_out(tmp_path: Path) -> None:
    agent = JEDI("catch", preset="tiny", device="cpu").save_pretrained(tmp_path / "agent")
    command = ["bench", "variants", "--games", "breakout", "--preset", "tiny", "--played-by", str(agent)]
    said = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])
    assert said.exit_code != 0
    assert "plays catch and not breakout: write --games catch" in " ".join(said.stderr.split())
    assert not (tmp_path / "out").exists()


def test_curves_from_before_heads_were_shown_real_frames_are_still_reported(done) -> None:
    _, (result, *_) = done
    encoded = ("balanced_accuracy_encoded", "frequency_encoded")
    assert all(name in result.last["reward"] and name in result.last["termination"] for name in encoded)
    older = {
        name: {k: v for k, v in value.items() if k not in encoded} if name in ("reward", "termination") else value
        for name, value in result.last.items()
    }
    share = result.last["termination"]["frequency_encoded"]["ends"]
    assert f", {share:.2%} |" in contest_markdown([result])
    assert "| off real frames" not in contest_markdown([replace(result, curve=[older])])


def test_names_of_variants() -> None:
    _, mine = found = find_variants(["ema", "mine:objective.clamp=false;optim.lr=1"])
    assert [variant.name for variant in found] == ["ema", "mine"]
    assert mine.overrides == ("objective.clamp=false", "optim.lr=1")
    assert len(find_variants(["all-grid"])) == 16
    with pytest.raises(ConfigError, match="did you mean sigreg"):
        find_variants(["sigregg"])
    with pytest.raises(ConfigError, match="letters"):
        find_variants(["../mine:objective.clamp=false"])


def test_commas_in_a_list_are_no_commas_between_variants() -> None:
    said = CliRunner().invoke(app, ["bench", "variants", "--variants", "wide:encoder.channels=[8,4],defaul"])
    assert "there is no variant 'defaul'" in said.stderr


def test_no_two_variants_are_the_same_but_for_the_default_in_its_grid(tmp_path: Path) -> None:
    """In the preset that is compared unless another one is asked for."""
    everything = contest(tmp_path, names="all-factors,all-grid", preset="small")
    first: dict = {}
    for variant in everything.variants:
        config = everything._config("catch", variant, 0)
        first.setdefault(json.dumps(_settings(config)), []).append(variant.name)  # as the JSON tells them
    twins = [names for names in first.values() if len(names) > 1]
    assert twins == [["default", "change-standard-slow"]]


def test_two_entries_of_one_name_and_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mine with seed 0 on catch is meant twice"):
        contest(tmp_path, names="mine:objective.switch=never,mine:objective.clamp=false").run(progress=False)
    with pytest.raises(ConfigError, match="default with seed 3 on catch is meant twice"):
        contest(tmp_path, names="default", seeds=(0, 1), overrides=["seed=3"]).run(progress=False)
    with pytest.raises(ConfigError, match="nothing to compare"):
        contest(tmp_path, names="default", seeds=()).run(progress=False)
    assert [variant.name for variant in find_variants(["all-grid", "default"])].count("default") <= 1
    assert not any(tmp_path.glob("*/*"))


def test_a_game_of_ones_own_is_reported_too(tmp_path: Path) -> None:
    gymnasium.register("own/Catch-v0", CatchEnv)
    (result,) = replace(contest(tmp_path, names="default"), games=["own/Catch-v0"]).run(progress=False)
    assert result.game == "own/Catch-v0"
    assert (tmp_path / "own-Catch-v0" / "default-0" / "progress.json").exists()


def test_ctrl_c_is_heard_while_play_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show = RunProgress.show

    def interrupted(bar: RunProgress, phase: str, *rest: Any) -> None:
        if "playing" in phase:
            signal.raise_signal(signal.SIGINT)
        show(bar, phase, *rest)

    monkeypatch.setattr(RunProgress, "show", interrupted)
    with pytest.raises(KeyboardInterrupt):
        contest(tmp_path, names="default", frames=1_000_000).run(progress=False)
