"""What is told of vector envs, in gymnasium's form."""

from __future__ import annotations

import numpy as np

from jedi_sdk.dream.infos import begun_anew, info_of


def masks(*values: bool) -> np.ndarray:
    return np.array(values)


def test_where_games_begin_anew_only_the_reset_speaks() -> None:
    old = {
        "lives": np.array([1, 2, 3]),  # without a mask: of all
        "success": np.array([1.0, 1.0, 0.0]),
        "_success": masks(True, True, False),
        "episode": {"r": np.array([5.0, 0.0, 0.0]), "_r": masks(True, False, False)},
        "_episode": masks(True, False, False),
    }
    fresh = {"lives": np.array([5, 0, 0]), "seed": np.array([7, 0, 0]), "_seed": masks(True, False, False)}
    merged = begun_anew(old, fresh, masks(True, False, False))
    assert info_of(merged, 0) == {"lives": 5, "seed": 7}
    assert info_of(merged, 1) == {"lives": 2, "success": 1.0}
    assert info_of(merged, 2) == {"lives": 3}
    assert "episode" not in merged  # nobody told of it but the one that begins anew
    assert info_of(old, 0)["success"] == 1.0  # what was given is left as it was


def test_of_what_is_nested_too() -> None:
    old = {"episode": {"r": np.array([5.0, 6.0]), "_r": masks(True, True)}, "_episode": masks(True, True)}
    fresh = {"episode": {"r": np.array([0.5, 0.0]), "_r": masks(True, False)}, "_episode": masks(True, False)}
    merged = begun_anew(old, fresh, masks(True, False))
    assert [info_of(merged, i) for i in range(2)] == [{"episode": {"r": 0.5}}, {"episode": {"r": 6.0}}]
