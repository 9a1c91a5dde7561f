"""A stranger's folder: what does not fit, or would lead elsewhere, is refused, and nothing is written or imported."""

from __future__ import annotations

import json
import os
import resource
import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from gymnasium.envs.registration import registry

from jedi_sdk import JEDI, CheckpointError, RunError, UnknownGameError, checkpoint
from jedi_sdk.arguments import saved_game
from jedi_sdk.checkpoint import Card
from jedi_sdk.envs import make_envs
from jedi_sdk.presets import TINY

Tensors = dict[str, torch.Tensor]
Retouch = Callable[[str, Callable[[Tensors], object]], None]
ACTOR, MEAN, COUNT = "actor_critic.actor.weight", "world_model.frame_mean.mean", "world_model.batches"
BIAS, OF_THE_SAME_SIZE = "actor_critic.critic.bias", "world_model.target_scale.batches"


def refused(folder: Path, match: str) -> None:
    before = {path: path.stat() for path in sorted(folder.parent.rglob("*")) if path.is_file()}
    with pytest.raises(CheckpointError, match=match):
        JEDI.from_pretrained(folder, device="cpu")
    after = {path: path.stat() for path in sorted(folder.parent.rglob("*")) if path.is_file()}
    assert before.keys() == after.keys()
    assert all(before[path].st_mtime_ns == after[path].st_mtime_ns for path in before)


# -- tensors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.pop(ACTOR), f"{ACTOR} is missing in it"),
        (lambda t: t.update(stowaway=torch.zeros(1)), "they have no 'stowaway'"),
        (
            lambda t: t.update({ACTOR: t[ACTOR].T.contiguous()}),
            rf"{ACTOR} is float32 of \[16, 3\].*float32 of \[3, 16\]",
        ),
        (lambda t: t.update({ACTOR: t[ACTOR].short()}), f"{ACTOR} is int16"),
        (lambda t: t.update({COUNT: t[COUNT].float()}), f"{COUNT} is float32 of .*must be int64"),
        (lambda t: t[ACTOR].view(-1)[3].fill_(torch.nan), f"{ACTOR} has values that are NaN or infinite"),
        (lambda t: t[MEAN].view(-1)[7].fill_(-torch.inf), f"{MEAN} has values that are NaN or infinite"),
    ],
)
def test_weights_that_do_not_fit(
    folder: Path, retouch: Retouch, change: Callable[[Tensors], object], reason: str
) -> None:
    retouch(checkpoint.MODEL, change)
    refused(folder, rf"model\.safetensors.*{reason}")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_floats_of_another_width_are_taken(folder: Path, retouch: Retouch, agent: JEDI, dtype: torch.dtype) -> None:
    retouch(checkpoint.MODEL, lambda t: t.update({ACTOR: t[ACTOR].to(dtype)}))
    weight = JEDI.from_pretrained(folder, device="cpu").actor_critic.actor.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, agent.actor_critic.actor.weight.to(dtype).float())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.pop("mask"), "must hold z, act, mask"),
        (lambda t: t.update(more=t["z"].clone()), "must hold z, act, mask"),
        (lambda t: t.update(z=t["z"][:, 1:].clone()), r"z is float16 of \[8, 3, 4, 8, 8\]"),
        (lambda t: t.update(act=t["act"][:5].clone()), r"act is int16 of \[5, 3\]"),
        (lambda t: t.update(act=t["act"].long()), "act is int64"),
        (lambda t: t.update(mask=t["mask"].short()), "mask is int16"),
        (lambda t: t["act"][2].fill_(3), "act has actions that are not from 0 to 2"),
        (lambda t: t["act"][2].fill_(-1), "act has actions"),
        (lambda t: t["mask"].view(torch.uint8)[0].fill_(7), "mask has bytes that are neither"),
        (lambda t: t["z"][0].fill_(torch.inf), "z has values that are NaN or infinite"),
        (lambda t: t.update({name: t[name][:0].clone() for name in t}), "mask is|z is"),
    ],
)
def test_starts_that_do_not_fit(
    folder: Path, retouch: Retouch, change: Callable[[Tensors], object], reason: str
) -> None:
    retouch(checkpoint.STARTS, change)
    refused(folder, rf"starts\.safetensors.*({reason})")


def test_a_probe_that_does_not_fit(folder: Path, retouch: Retouch) -> None:
    retouch(checkpoint.PROBE, lambda t: t.update({"frame_mean.mean": t["frame_mean.mean"][:32].clone()}))
    refused(folder, r"probe\.safetensors does not fit these networks: frame_mean\.mean")


def header_of(folder: Path) -> tuple[dict[str, Any], bytes]:
    data = (folder / checkpoint.MODEL).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_header(folder: Path, text: str, body: bytes) -> None:
    (folder / checkpoint.MODEL).write_bytes(struct.pack("<Q", len(text)) + text.encode() + body)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda h: h[ACTOR].update(shape=[10**9, 10**9]), "which is no tensor of a checkpoint"),
        (lambda h: h[ACTOR].update(shape=[-3, -16]), "which is no tensor"),
        (lambda h: h[ACTOR].update(shape=[True, 48]), "which is no tensor"),
        (lambda h: h[ACTOR].update(dtype="F128"), "which is no tensor"),
        (lambda h: h[ACTOR].update(code="os.system"), "which is no tensor"),
        (lambda h: h[ACTOR].update(data_offsets=h[BIAS]["data_offsets"]), "which is no tensor"),
        (lambda h: h[BIAS].update(data_offsets=h[OF_THE_SAME_SIZE]["data_offsets"]), "overlap"),
        (lambda h: h.update({ACTOR: 5}), "which is no tensor"),
        (lambda h: h.pop(BIAS), "overlap or leave gaps|its tensors have"),
    ],
)
def test_a_header_that_lies(
    folder: Path, signed: Callable[[], None], change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    header, body = header_of(folder)
    change(header)
    with_header(folder, json.dumps(header), body)
    signed()
    refused(folder, rf"model\.safetensors.*({reason})")


def test_a_name_twice_in_a_header(folder: Path, signed: Callable[[], None]) -> None:
    header, body = header_of(folder)
    text = json.dumps(header)
    with_header(folder, text[:-1] + f', "{ACTOR}": {json.dumps(header[ACTOR])}}}', body)
    signed()
    refused(folder, "a key is there twice")


def test_a_header_of_exabytes(folder: Path, signed: Callable[[], None]) -> None:
    path = folder / checkpoint.MODEL
    path.write_bytes(struct.pack("<Q", 2**60) + path.read_bytes()[8:])
    signed()
    refused(folder, r"its header would have 1,152,921,504,606,846,976 bytes")


def test_networks_that_the_file_does_not_fill_never_take_memory(folder: Path, edit: Callable[..., None]) -> None:
    """Widths that a config may ask for, and no machine could hold, were they built before they are compared."""
    edit(
        config__denoiser__channels=4096,
        config__denoiser__depth=64,
        config__heads__lstm=16_384,
        config__heads__channels=4096,
        parameters={},
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(folder, "does not fit these networks")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../config.yaml", "/etc/passwd", "..\\config.yaml", "a/b.json", "README.md", "x.py"])
def test_the_manifest_names_only_a_checkpoints_own_files(folder: Path, name: str) -> None:
    manifest = json.loads((folder / checkpoint.MANIFEST).read_text())
    (folder / checkpoint.MANIFEST).write_text(json.dumps({**manifest, name: "0" * 64}))
    refused(folder, r"manifest\.json lists .* of a checkpoint are only")


@pytest.mark.parametrize("name", [checkpoint.CONFIG, checkpoint.MODEL, checkpoint.STARTS])
def test_what_the_manifest_leaves_out_is_not_used(folder: Path, name: str) -> None:
    manifest = json.loads((folder / checkpoint.MANIFEST).read_text())
    del manifest[name]
    (folder / checkpoint.MANIFEST).write_text(json.dumps(manifest))
    refused(folder, rf"does not list {name}|{name} is not in manifest")


@pytest.mark.parametrize("name", [checkpoint.MANIFEST, checkpoint.CONFIG, checkpoint.MODEL, checkpoint.STARTS])
def test_a_link_out_of_the_folder(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.move(folder / name, tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    refused(folder, f"{name} is a link out of its folder")


def test_a_link_inside_the_folder(folder: Path) -> None:
    (folder / checkpoint.PROBE).rename(folder / "probe.bin")
    (folder / checkpoint.PROBE).symlink_to("probe.bin")
    assert JEDI.from_pretrained(folder, device="cpu").probe is not None


def test_the_links_of_the_hubs_cache(folder: Path, tmp_path: Path) -> None:
    """``snapshots/<sha>/file`` is a link to ``../../blobs/<hash>`` there, and to nowhere else."""
    repo = tmp_path / "hub" / "models--me--agent"
    snapshot, blobs = repo / "snapshots" / "0123abc", repo / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, path in enumerate(folder.iterdir()):
        shutil.copy(path, blobs / str(number))
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    JEDI.from_pretrained(snapshot, device="cpu")
    shutil.copy(folder / checkpoint.CONFIG, tmp_path / "hub" / "other")
    (snapshot / checkpoint.CONFIG).unlink()
    (snapshot / checkpoint.CONFIG).symlink_to("../../../other")
    refused(snapshot, r"config\.json is a link out of its folder")


def test_links_that_lead_to_each_other(folder: Path) -> None:
    (folder / checkpoint.CONFIG).unlink()
    (folder / checkpoint.CONFIG).symlink_to(checkpoint.CONFIG)
    refused(folder, r"config\.json cannot be read")


def test_what_is_no_plain_file(folder: Path) -> None:
    for make in (os.mkfifo, os.mkdir):
        (folder / checkpoint.PROBE).unlink(missing_ok=True)
        make(folder / checkpoint.PROBE)
        refused(folder, r"probe\.safetensors is no plain file")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": ' * 5000 + "1" + "}" * 5000,  # deeper than Python's stack
        '{"a": ' * 20 + "1" + "}" * 20,
        "[]",
        "7",
        '{"format": 1, "format": 1}',
        '{"format": ' + "9" * 5000 + "}",  # more digits than Python reads
        '{"game": "\\ud800"}',  # half a character
        "\ufeff{}",
        "",
    ],
)
def test_what_is_no_json_of_ours(folder: Path, signed: Callable[[], None], text: str) -> None:
    (folder / checkpoint.CONFIG).write_text(text, encoding="utf-8")
    signed()
    refused(folder, r"config\.json")


def test_a_config_as_long_as_a_book(folder: Path, signed: Callable[[], None]) -> None:
    with open(folder / checkpoint.CONFIG, "a") as file:
        file.write(" " * 2**20)
    signed()
    refused(folder, "no checkpoint needs more than 1,048,576")


def test_a_sparse_file_of_a_terabyte_is_not_read(folder: Path) -> None:
    os.truncate(folder / checkpoint.MODEL, 2**40)
    refused(folder, "no checkpoint needs more than 4,294,967,296")


# -- games ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module that registers a game where it is imported."""
    (tmp_path / "land_mine.py").write_text(
        "import gymnasium\ngymnasium.register('LandMine-v0', entry_point='jedi_sdk.envs.catch:CatchEnv')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "land_mine"
    sys.modules.pop("land_mine", None)
    registry.pop("LandMine-v0", None)


def test_loading_imports_no_game(folder: Path, edit: Callable[..., None], module: str) -> None:
    name = f"{module}:LandMine-v0"
    edit(game=name, config__game=name)
    agent = JEDI.from_pretrained(folder, device="cpu")
    assert module not in sys.modules
    agent.dream_env(2).reset()
    assert module not in sys.modules
    assert agent.real_env(1).reset()[0].shape == (1, *agent.world_model.latent_shape)
    assert module in sys.modules


def test_a_strangers_game_is_not_imported_even_to_play(module: str) -> None:
    card = Card(replace(TINY, game=f"{module}:LandMine-v0"), 3, "cpu", "float32")
    game = saved_game(card, None, trusted=False)
    with pytest.raises(RunError, match=r"the module 'land_mine' would be imported.*pass env="):
        make_envs(game, 1)
    assert module not in sys.modules


def test_a_game_that_is_not_registered_yet_is_only_missed_in_play(folder: Path, edit: Callable[..., None]) -> None:
    edit(game="MyOwnGame-v3", config__game="MyOwnGame-v3")
    agent = JEDI.from_pretrained(folder, device="cpu")
    with pytest.raises(UnknownGameError, match="MyOwnGame-v3"):
        agent.real_env(1)
