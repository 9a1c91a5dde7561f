"""Fidelity against speed: every sampler dreams from the same contexts."""

import json
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from jedi_cli.main import app
from jedi_sdk import JEDI
from jedi_sdk.benchmark.sampling import SAMPLERS, measure_sampling


def silent(done, what=None):
    pass


@pytest.fixture(scope="module")
def agent():
    return JEDI("catch", preset="tiny", overrides=["objective.offset_noise=0.0"], seed=0)


@pytest.fixture(scope="module")
def rows(agent):
    return {(row.method, row.steps): row for row in measure_sampling(agent, 70, 4, seed=0, report=silent)}


def test_every_sampler_has_its_row(rows):
    assert set(rows) == set(SAMPLERS)
    for row in rows.values():
        assert row.seconds > 0
        assert row.loop.count[0] == rows["euler", 1].loop.count[0] > 0
        torch.testing.assert_close(row.loop.repeat_error, rows["euler", 1].loop.repeat_error)  # the same contexts


def test_more_calls_take_longer_and_dream_otherwise(rows):
    assert rows["euler", 5].seconds > rows["euler", 1].seconds
    assert not torch.allclose(rows["euler", 5].loop.error, rows["euler", 1].loop.error)


def test_a_row_is_what_the_model_dreams_when_it_is_set_so(agent, rows):
    """The agent's own measurement, with the sampler in its configuration, gives the same figures."""
    other = JEDI("catch", config=replace(agent.config, sampler=replace(agent.config.sampler, steps=5)))
    again = {(row.method, row.steps): row for row in measure_sampling(other, 70, 4, seed=0, report=silent)}
    torch.testing.assert_close(again["euler", 2].loop.error, rows["euler", 2].loop.error)


def test_in_another_dtype_the_same_contexts_are_dreamed_on_in_that(wake):
    """A fresh denoiser says nothing, in any dtype: this one has been woken."""
    agent = JEDI("catch", preset="tiny", overrides=["objective.offset_noise=0.0"], seed=0)
    wake(agent.world_model)
    both = measure_sampling(agent, 70, 4, seed=0, report=silent, dtypes=["float32", "bfloat16"])
    by = {(row.dtype, row.method, row.steps): row for row in both}
    assert len(by) == 2 * len(SAMPLERS)
    plain, rounded = by["float32", "euler", 2].loop, by["bfloat16", "euler", 2].loop
    own = next(row for row in measure_sampling(agent, 70, 4, seed=0, report=silent) if row.steps == 2)
    torch.testing.assert_close(plain.error, own.loop.error)  # the preset's own is float32
    assert not torch.equal(rounded.error, plain.error)
    torch.testing.assert_close(rounded.error, plain.error, rtol=0.05, atol=0.0)


def test_games_shorter_than_the_dream_are_measured_as_far_as_they_go(tmp_path):
    """A game of catch is over after seven steps, and a dream has fifteen."""
    folder = JEDI("catch", preset="tiny", overrides=["objective.offset_noise=0.0"]).save_pretrained(tmp_path / "agent")
    told = ["bench", "sampling", str(folder), "--contexts", "20", "--json", str(tmp_path / "s.json")]
    result = CliRunner().invoke(app, told)
    assert result.exit_code == 0, result.output
    assert "–" in result.output
    (first, *_) = json.loads((tmp_path / "s.json").read_text())
    assert first["ratio"][0] > 0
    assert first["ratio"][14] is None


def test_what_cannot_be_sampled_says_why(tmp_path):
    folder = JEDI("catch", preset="tiny", seed=0).save_pretrained(tmp_path / "agent")
    told = ["bench", "sampling", str(folder), "--contexts", "20", "--horizon", "3", "--json", str(tmp_path / "s.json")]
    result = CliRunner().invoke(app, told)
    assert result.exit_code == 0, result.output
    assert "offset noise" in result.output
    written = {(row["method"], row["steps"]): row for row in json.loads((tmp_path / "s.json").read_text())}
    assert len(written["euler", 3]["ratio"]) == 3
    assert written["heun", 2]["refused"]
    assert "ratio" not in written["heun", 2]
