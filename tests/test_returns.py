"""λ-returns against a hand-computed example and their definition as a weighted mean of n-step returns."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jedi_sdk.returns import lambda_returns

NO = torch.zeros(1, 3, dtype=torch.bool)
REW, VAL_NEXT = torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[4.0, 8.0, 16.0]])


def at(t: int) -> torch.Tensor:
    return torch.arange(3)[None] == t


def returns(end=NO, trunc=NO, gamma=0.5, lambda_=0.5) -> list[float]:
    return lambda_returns(REW, end, trunc, VAL_NEXT, gamma, lambda_)[0].tolist()


def test_by_hand() -> None:
    # 2 + 16/2 = 10; then 0 + (8/2 + 10/2)/2 = 4.5; then 1 + (4/2 + 4.5/2)/2 = 3.125
    assert returns() == [3.125, 4.5, 10.0]


def test_an_end_earns_its_reward_and_nothing_later() -> None:
    # 0; then 1 + (4/2 + 0/2)/2 = 2; behind the end all is as before
    assert returns(end=at(1)) == [2.0, 0.0, 10.0]
    assert returns(end=at(2)) == [1 + (2 + (4 + 1) / 4) / 2, (4 + 1) / 2, 2.0]


def test_a_truncation_bootstraps_from_its_value_alone() -> None:
    # 0 + 8/2 = 4; then 1 + (4/2 + 4/2)/2 = 3
    assert returns(trunc=at(1)) == [3.0, 4.0, 10.0]


def test_an_end_that_is_also_a_truncation_is_an_end() -> None:
    assert returns(end=at(1), trunc=at(1)) == returns(end=at(1))


def test_lambda_0_is_one_step_and_lambda_1_is_monte_carlo() -> None:
    assert returns(lambda_=0.0) == [1 + 4 / 2, 0 + 8 / 2, 2 + 16 / 2]
    assert returns(lambda_=1.0) == [1 + 0 / 2 + 2 / 4 + 16 / 8, 0 + 2 / 2 + 16 / 4, 2 + 16 / 2]
    assert returns(lambda_=1.0, end=at(2)) == [1 + 0 / 2 + 2 / 4, 0 + 2 / 2, 2.0]
    assert returns(lambda_=1.0, trunc=at(0)) == [1 + 4 / 2, 0 + 2 / 2 + 16 / 4, 2 + 16 / 2]


@st.composite
def rows(draw):
    flags = st.lists(st.sampled_from(["on", "on", "on", "end", "trunc", "both"]), min_size=1, max_size=8)
    marks = draw(flags)
    number = st.floats(-3, 3, width=32)
    rew, val = (draw(st.lists(number, min_size=len(marks), max_size=len(marks))) for _ in range(2))
    return np.array(rew), np.array(val), np.array(marks)


@settings(deadline=None, max_examples=150)
@given(rows(), st.floats(0, 1), st.floats(0, 1))
def test_they_are_the_weighted_mean_of_n_step_returns(row, gamma: float, lambda_: float) -> None:
    rew, val, marks = row
    end, trunc = np.isin(marks, ["end", "both"]), np.isin(marks, ["trunc", "both"])
    rew_, end_, trunc_, val_ = (torch.from_numpy(x)[None] for x in (rew, end, trunc, val))
    measured = lambda_returns(rew_, end_, trunc_, val_, gamma, lambda_)[0].numpy()
    expected = [forward_view(rew[t:], val[t:], end[t:], trunc[t:], gamma, lambda_) for t in range(len(rew))]
    assert measured == pytest.approx(np.array(expected), abs=1e-6)


def forward_view(rew, val, end, trunc, gamma: float, lambda_: float) -> float:
    """Sutton & Barto, equation 12.3, from step 0 to the first cut: (1-λ) Σ λⁿ⁻¹ G⁽ⁿ⁾ + λᴺ⁻¹ G⁽ᴺ⁾."""
    cuts = np.flatnonzero(end | trunc)
    steps = int(cuts[0]) + 1 if len(cuts) else len(rew)

    def n_step(n: int) -> float:
        earned = sum(gamma**i * rew[i] for i in range(n))
        return earned + gamma**n * val[n - 1] * (not end[n - 1])

    weighted = sum((1 - lambda_) * lambda_ ** (n - 1) * n_step(n) for n in range(1, steps))
    return weighted + lambda_ ** (steps - 1) * n_step(steps)
