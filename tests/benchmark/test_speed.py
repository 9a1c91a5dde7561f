"""The speed benchmark: ratios and bars by hand, who gets how many turns, and the whole command with tiny networks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from jedi_cli.main import app
from jedi_sdk.benchmark.speed.ceilings import Machine
from jedi_sdk.benchmark.speed.child import Child
from jedi_sdk.benchmark.speed.count import Count
from jedi_sdk.benchmark.speed.race import Job, Race
from jedi_sdk.benchmark.speed.result import Figure, Row, Speed, make_row, summarize
from jedi_sdk.benchmark.speed.rows import Rows, Sampling, Training
from jedi_sdk.benchmark.speed.table import speed_markdown
from jedi_sdk.config import Config
from jedi_sdk.presets import ATARI100K

MACHINE = Machine("cpu", "abacus", "abacus", 2, 2, "float32", "2", "3", flops_per_second=100.0, bytes_per_second=10.0)


def figure(median: float) -> Figure:
    return Figure(median, median, median)


# -- arithmetic ---------------------------------------------------------------------------------------------------


def test_a_summary_is_the_median_between_the_extremes() -> None:
    assert summarize([3.0, 1.0, 2.0, 10.0]) == Figure(2.5, 1.0, 10.0, repeats=4)


def test_times_are_compared_as_times_as_fast() -> None:
    row = make_row("sample 32", "", "s", {"ours": figure(2.0), "pixel": figure(30.0)}, "cpu", "atari100k")
    assert (row.ratio, row.paper, row.bar, row.met) == (15.0, 3.0, 15.0, True)
    slower = make_row("sample 32", "", "s", {"ours": figure(2.1), "pixel": figure(30.0)}, "cpu", "atari100k")
    assert slower.met is False


def test_memory_is_compared_as_a_share() -> None:
    row = make_row("memory training", "", "B", {"ours": figure(3e9), "pixel": figure(10e9)}, "cuda", "atari100k")
    assert row.ratio == pytest.approx(0.3)
    assert (row.paper, row.bar, row.met) == (0.57, 0.4, True)
    more = make_row("memory training", "", "B", {"ours": figure(5e9), "pixel": figure(10e9)}, "cuda", "atari100k")
    assert more.met is False


def test_a_gpu_has_bars_of_its_own() -> None:
    row = make_row("combined", "", "s", {"ours": figure(1.0), "pixel": figure(8.0)}, "cuda", "atari100k")
    assert (row.bar, row.met) == (5.0, True)
    assert make_row("combined", "", "s", row.figures, "cpu", "atari100k").met is False


def test_other_sizes_are_held_against_nothing() -> None:
    row = make_row("combined", "", "s", {"ours": figure(1.0), "pixel": figure(8.0)}, "cpu", "small")
    assert (row.ratio, row.paper, row.bar, row.met) == (8.0, None, None, None)


def test_our_pixel_baseline_is_compared_with_diamond() -> None:
    figures = {"ours": figure(1.0), "pixel": figure(8.4), "diamond": figure(8.0)}
    assert make_row("combined", "", "s", figures, "cpu", "atari100k").over_diamond == pytest.approx(1.05)
    assert make_row("rate", "", "1/s", figures, "cpu", "atari100k").over_diamond is None


# -- turns --------------------------------------------------------------------------------------------------------


class Scripted(Child):
    """A child whose calls take what is written down."""

    def __init__(self, name: str, takes: dict[str, float], diary: list[tuple[str, str, str]]) -> None:
        super().__init__(name, {})
        self.takes, self.diary = takes, diary

    def ask(self, do: str, **arguments: Any) -> Any:
        self.diary.append((self.name, do, arguments["part"]))
        return {"flops": 1, "bytes": 1} if do == "warm_up" else [self.takes[arguments["part"]]]


def race(jobs: Sequence[Job], repeats: int, budget: float) -> tuple[Race, list[tuple[str, str, str]]]:
    diary: list[tuple[str, str, str]] = []
    quick, slow = Scripted("ours", {"a": 1.0, "b": 2.0}, diary), Scripted("pixel", {"a": 6.0, "b": 50.0}, diary)
    run = Race({"ours": quick, "pixel": slow}, jobs, repeats, budget)
    run.run(lambda done, what: None)
    return run, diary


def test_sides_take_turns_after_a_warm_up() -> None:
    _, diary = race([Job("a", 1)], repeats=2, budget=100.0)
    assert [(side, do) for side, do, _ in diary] == [
        ("ours", "warm_up"),
        ("pixel", "warm_up"),
        *[("ours", "time"), ("pixel", "time")] * 2,
    ]


def test_slow_rows_get_fewer_turns_and_at_least_one() -> None:
    _, diary = race([Job("a", 1), Job("b", 1)], repeats=4, budget=13.0)
    turns = Counter((side, part) for side, do, part in diary if do == "time")
    assert turns == {("ours", "a"): 4, ("ours", "b"): 4, ("pixel", "a"): 2, ("pixel", "b"): 1}


def test_progress_says_what_is_timed() -> None:
    said: list[tuple[float, str]] = []
    Race({"ours": Scripted("ours", {"a": 1.0}, [])}, [Job("a", 8)], 3, 9.0).run(
        lambda done, what: said.append((done, what))
    )
    assert said[0] == (0.0, "ours: a 8, warm-up")
    assert said[-1] == (0.75, "ours: a 8, round 3 of 3")


# -- rows ---------------------------------------------------------------------------------------------------------


def rows(config: Config = ATARI100K) -> dict[str, Row]:
    """Updates of 0.01, 0.02 and 0.03 s in latents, half a second more in round 2; in pixels a hundred times that."""
    children = {name: Child(name, {}) for name in ("ours", "pixel")}
    jobs = [Job("denoiser", 32), Job("heads", 32), Job("actor_critic", 32)]
    sampled, trained = Race(children, [Job("sample", 32)], 1, 1.0), Race(children, jobs, 2, 1.0)
    for side, slower in (("ours", 1), ("pixel", 100)):
        sampled.rounds[side, Job("sample", 32)] = [[0.5 * slower, 0.5 * slower]]
        sampled.counts[side, Job("sample", 32)] = Count(flops=10, bytes=2)
        for job, seconds in zip(jobs, (0.01, 0.02, 0.03), strict=True):
            trained.rounds[side, job] = [[seconds * slower], [(seconds + 0.5) * slower]]
            trained.counts[side, job] = Count(flops=1, bytes=1)
    sampling = Sampling(sampled, {"ours": 1, "pixel": 2}, {"ours": 7, "pixel": 8}, MACHINE)
    training = Training(trained, {"ours": 3, "pixel": 9}, epochs={"ours": 25.0})
    return {row.name: row for row in Rows(config, sampling, training).all()}


def test_a_combined_update_is_the_sum_within_each_round() -> None:
    combined = rows()["combined"].figures["ours"]
    assert (combined.low, combined.high) == (pytest.approx(0.06), pytest.approx(1.56))
    assert (combined.repeats, combined.flops, combined.bytes) == (2, 3, 3)
    rate = rows()["rate"].figures["ours"]
    assert rate.median == pytest.approx(1 / combined.median)
    assert rate.low <= rate.median <= rate.high


def test_shares_are_of_the_measured_ceilings() -> None:
    step = rows()["sample 32"].figures[
        "ours"
    ]  # 10 FLOP and 2 bytes in half a second, where 100 and 10 a second are possible
    assert (step.share_of_flops, step.share_of_bytes) == (pytest.approx(0.2), pytest.approx(0.4))


def test_what_was_not_measured_is_labelled() -> None:
    epoch, run = rows()["epoch"].figures, rows()["run"].figures
    assert (epoch["ours"].median, epoch["ours"].extrapolated) == (25.0, False)
    each = (0.01 + 0.02 + 0.03 + 3 * 0.25) * 100  # medians of the two rounds
    assert epoch["pixel"].median == pytest.approx(400 * each)
    assert epoch["pixel"].extrapolated
    assert run["ours"].extrapolated
    found = Speed("breakout", "atari100k", 32, 15, False, {}, MACHINE, {"ours": 7, "pixel": 8}, list(rows().values()))
    table, _, _ = speed_markdown(found).partition("How hard")
    lines = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("| ")}
    assert lines["updates of an epoch"].count("extrapolated") == 1
    assert lines["updates of a whole run"].count("extrapolated") == 2
    assert "33%" in lines["peak memory, training"]
    assert "≥ 15×, met" in lines["sampling, N = 32"]


# -- the command --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("speed")
    arguments = ["--game", "catch", "--preset", "tiny", "--device", "cpu", "--dreams", "1,2", "--repeats", "1"]
    files = ["--json", str(folder / "speed.json"), "--markdown", str(folder / "speed.md")]
    said = CliRunner().invoke(app, ["bench", "speed", *arguments, "--budget", "0.01", *files])
    assert said.exit_code == 0, said.output
    found = json.loads((folder / "speed.json").read_text())
    return SimpleNamespace(said=said.output, json=found, markdown=(folder / "speed.md").read_text())


TIMED = ["sample 1", "sample 2", "denoiser", "heads", "actor_critic", "combined"]


def test_the_json_has_its_schema(measured: SimpleNamespace) -> None:
    found = measured.json
    assert set(found) == {"schema", *Speed.__dataclass_fields__}
    assert (found["schema"], found["game"], found["preset"], found["compiled"]) == (1, "catch", "tiny", False)
    assert (found["batch_size"], found["horizon"]) == (4, 3)
    assert set(found["environment"]) == {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "OMP_WAIT_POLICY"}
    assert set(found["machine"]) == set(Machine.__dataclass_fields__)
    assert found["machine"]["flops_per_second"] > 1e6
    assert found["machine"]["bytes_per_second"] > 1e6
    assert set(found["parameters"]) == {"ours", "pixel"}
    assert [row["name"] for row in found["rows"]] == [
        *TIMED,
        "rate",
        "epoch",
        "run",
        "memory sampling",
        "memory training",
    ]
    for row in found["rows"]:
        assert set(row) == {"met", *Row.__dataclass_fields__}
        assert set(row["figures"]) == {"ours", "pixel"}
        assert row["unit"] in ("s", "1/s", "h", "B")
        for side in row["figures"].values():
            assert set(side) == set(Figure.__dataclass_fields__)
            assert 0 < side["low"] <= side["median"] <= side["high"]
            assert (side["flops"] is not None) == (row["name"] in TIMED)


def test_ratios_follow_from_the_figures(measured: SimpleNamespace) -> None:
    for row in measured.json["rows"]:
        ours, pixel = (row["figures"][side]["median"] for side in ("ours", "pixel"))
        assert row["ratio"] == pytest.approx(pixel / ours if row["unit"] in ("s", "h") else ours / pixel)
        assert (row["paper"], row["bar"], row["met"], row["over_diamond"]) == (None, None, None, None)


def test_a_step_of_two_dreams_is_twice_the_work(measured: SimpleNamespace) -> None:
    one, two = (row["figures"] for row in measured.json["rows"][:2])
    for side in ("ours", "pixel"):
        assert two[side]["flops"] == 2 * one[side]["flops"]


def test_the_table_is_printed_and_written(measured: SimpleNamespace) -> None:
    assert "combined update" in measured.said
    assert "| combined update |" in measured.markdown
    assert "peak memory, training" in measured.markdown


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--preset", "tinny"], "tiny"),
        (["--dreams", "one"], "--dreams 1,32,256"),
        (["--against", "."], "clone github.com/eloialonso/diamond"),
        (["--device", "cuda:x"], "cpu, cuda"),
        (["--device", "mps"], "--device cpu"),
        (["--dtype", "bf16"], "float32, bfloat16 or auto"),
        (["--game", "brekout"], "breakout"),
    ],
)
def test_mistakes_are_noticed_before_anything_is_timed(arguments: list[str], advice: str) -> None:
    refused("speed", arguments, advice)


@pytest.mark.parametrize("name", ["scaling", "profile"])
def test_an_unknown_game_is_noticed_before_anything_is_timed(name: str) -> None:
    refused(name, ["--game", "brekout"], "breakout")


def refused(name: str, arguments: list[str], advice: str) -> None:
    """With one message, and none of a process that has died."""
    said = CliRunner().invoke(app, ["bench", name, *arguments])
    assert said.exit_code == 2
    assert advice in said.output
    assert "its process" not in said.output


@pytest.mark.parametrize("name", ["speed", "scaling", "profile"])
def test_the_docs_name_every_option_and_help_has_examples(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "command_line.md").read_text(encoding="utf-8")
    section = page.partition(f"## jedi bench {name}\n")[2].partition("\n## ")[0]
    command = get_command(app).commands["bench"].commands[name]  # pyright: ignore[reportAttributeAccessIssue]
    for parameter in command.params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            assert f"`{option}" in section, option
    assert f"jedi bench {name} " in CliRunner().invoke(app, ["bench", name, "--help"]).output.partition("Examples")[2]
