"""Checkpoints: whole or not at all, damage is noticed, nothing is unpickled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from jedi_sdk import checkpoint
from jedi_sdk.checkpoint import Card, CheckpointError
from jedi_sdk.presets import TINY
from jedi_sdk.world_model import WorldModel


@pytest.fixture
def networks() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict({"a": nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last), "b": nn.BatchNorm1d(3)})


@pytest.fixture
def card() -> Card:
    return Card(TINY, num_actions=3, device="cpu", dtype="float32", custom={"encoder": "Mine"})


def test_round_trip(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    folder = tmp_path / "agent"
    checkpoint.save(folder, card, networks, {"trainer": {"x": torch.arange(3), "n": 2**70}, "progress": {"y": 1}})
    other = nn.ModuleDict({"a": nn.Conv2d(3, 4, 3), "b": nn.BatchNorm1d(3)})
    checkpoint.load_networks(folder, other)
    for name, tensor in networks.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    assert checkpoint.read_card(folder) == card
    trainer, progress = checkpoint.read_training(folder)
    assert trainer["x"].tolist() == [0, 1, 2]
    assert trainer["n"] == 2**70
    assert progress == {"y": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["agent"]  # nothing left aside


def test_where_dreams_begin_is_kept_if_it_is_known(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    world_model = WorldModel(TINY, num_actions=3)
    k, shape = world_model.context, world_model.latent_shape
    starts = {
        "z": torch.randn(2, k, *shape).half(),
        "act": torch.randint(3, (2, k - 1)).short(),
        "mask": torch.tensor([[True] * k, [False] + [True] * (k - 1)]),
    }
    checkpoint.save(tmp_path / "one", card, networks, starts=starts)
    checkpoint.save(tmp_path / "other", card, networks)
    read = checkpoint.read_starts(tmp_path / "one", world_model)
    assert read is not None
    assert all(torch.equal(read[name], tensor) for name, tensor in starts.items())
    assert checkpoint.read_starts(tmp_path / "other", world_model) is None
    (tmp_path / "one" / "starts.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"starts\.safetensors is damaged"):
        checkpoint.verify(tmp_path / "one")


def test_an_agent_alone_cannot_be_resumed(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    checkpoint.save(tmp_path / "agent", card, networks)
    with pytest.raises(CheckpointError, match="no training state"):
        checkpoint.read_training(tmp_path / "agent")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_flipped_byte_is_noticed(tmp_path: Path, networks: nn.ModuleDict, card: Card, name: str) -> None:
    folder = tmp_path / "agent"
    checkpoint.save(folder, card, networks)
    data = bytearray((folder / name).read_bytes())
    data[-3] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"{name} is damaged"):
        checkpoint.read_card(folder)


def test_a_missing_file_is_named(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    folder = tmp_path / "agent"
    checkpoint.save(folder, card, networks)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        checkpoint.read_card(folder)


def test_an_earlier_checkpoint_is_offered(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    for step in ("step-000000001", "step-000000002"):
        checkpoint.save(tmp_path / "checkpoints" / step, card, networks)
    newest = checkpoint.find(tmp_path)
    (newest / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="step-000000001"):
        checkpoint.read_card(newest)


def test_other_shapes_do_not_load(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    checkpoint.save(tmp_path / "agent", card, networks)
    other = nn.ModuleDict({"a": nn.Conv2d(3, 5, 3), "b": nn.BatchNorm1d(3)})
    with pytest.raises(CheckpointError, match="does not fit"):
        checkpoint.load_networks(tmp_path / "agent", other)


def test_strangers_are_not_overwritten(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CheckpointError, match=r"thesis\.tex"):
        checkpoint.save(tmp_path, card, networks)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_what_a_run_goes_on_from_is_not_lost_for_an_agent(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    folder = tmp_path / "step-000000001"
    checkpoint.save(folder, card, networks, {"trainer": {"x": torch.arange(3)}, "progress": {"y": 1}})
    with pytest.raises(CheckpointError, match=r"progress\.json, trainer\.pt"):
        checkpoint.save(folder, card, networks)
    assert checkpoint.read_training(folder)[1] == {"y": 1}
    checkpoint.add(folder, "probe.safetensors", {"w": torch.ones(2)})
    assert checkpoint.read_training(folder)[1] == {"y": 1}


def test_killed_between_the_two_renames_the_old_one_comes_back(
    tmp_path: Path, networks: nn.ModuleDict, card: Card
) -> None:
    checkpoint.save(tmp_path / "agent", card, networks, {"trainer": {}, "progress": {"y": 1}})
    os.rename(tmp_path / "agent", tmp_path / ".agent.old")
    checkpoint.recover(tmp_path / "agent")
    assert checkpoint.read_training(tmp_path / "agent")[1] == {"y": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["agent"]


def test_where_it_lies_until_then_is_said(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    checkpoint.save(tmp_path / "agent", card, networks)
    os.rename(tmp_path / "agent", tmp_path / ".agent.old")
    with pytest.raises(CheckpointError, match=r"killed while it replaced it.* rename .*\.agent\.old to .*agent\)"):
        checkpoint.find(tmp_path / "agent")


def test_a_file_is_no_place_for_an_agent(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    (tmp_path / "agent").write_text("mine")
    with pytest.raises(CheckpointError, match="agent is a file, and a checkpoint is a folder"):
        checkpoint.save(tmp_path / "agent", card, networks)
    assert (tmp_path / "agent").read_text() == "mine"


def test_what_a_killed_process_left_does_not_matter(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    checkpoint.save(tmp_path / "agent", card, networks)
    checkpoint.save(tmp_path / ".agent.old", card, networks)
    checkpoint.save(tmp_path / "agent", card, networks)
    assert [path.name for path in tmp_path.iterdir()] == ["agent"]


def test_what_could_not_be_replaced_is_put_back(
    tmp_path: Path, networks: nn.ModuleDict, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path / "agent", card, networks)
    before = (tmp_path / "agent" / "model.safetensors").read_bytes()
    rename = os.rename

    def broken(source: Path, target: Path) -> None:
        if source.name.endswith(".tmp"):
            raise OSError("the disk is gone")
        rename(source, target)

    monkeypatch.setattr(os, "rename", broken)
    with pytest.raises(CheckpointError, match="the disk is gone"):
        checkpoint.save(tmp_path / "agent", card, nn.ModuleDict({"a": nn.Linear(1, 1)}))
    assert (tmp_path / "agent" / "model.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["agent"]


def test_the_folder_one_is_in_is_not_replaced(
    tmp_path: Path, networks: nn.ModuleDict, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"the folder you are in.*name another"):
        checkpoint.save(Path("."), card, networks)
    assert list(tmp_path.iterdir()) == []


def test_adding_does_not_bring_in_what_lies_elsewhere(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    checkpoint.save(tmp_path / "agent", card, networks)
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "agent" / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(CheckpointError, match=r"README\.md is a link out of its folder"):
        checkpoint.add(tmp_path / "agent", checkpoint.PROBE, {"x": torch.zeros(1)})
    assert not (tmp_path / "agent" / checkpoint.PROBE).exists()


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.sha256(tmp_path)  # a folder: nobody, and not root either, may read it as a file


def test_what_was_written_about_an_agent_is_not_left_to_another(
    tmp_path: Path, networks: nn.ModuleDict, card: Card
) -> None:
    checkpoint.save(tmp_path / "agent", card, networks)
    (tmp_path / "agent" / "results.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"results\.json about the agent there"):
        checkpoint.save(tmp_path / "agent", card, networks)
    assert (tmp_path / "agent" / "results.json").exists()


def test_anyone_may_read_what_is_written(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    checkpoint.save(tmp_path / "agent", card, networks)
    (tmp_path / "ordinary").touch()
    modes = {path.stat().st_mode for path in (tmp_path / "agent").iterdir()}
    assert modes == {(tmp_path / "ordinary").stat().st_mode}


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="neither a checkpoint nor a run folder"):
        checkpoint.find(tmp_path / "nowhere")


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    """Code in a trainer.pt is not run: it is read with ``weights_only``."""

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("unpickled!",)

    torch.save({"x": Evil()}, tmp_path / "trainer.pt")
    (tmp_path / "progress.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"[Ww]eights"):
        checkpoint.read_training(tmp_path)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import torch
from torch import nn
from jedi_sdk import checkpoint
from jedi_sdk.checkpoint import Card, CheckpointError
from jedi_sdk.presets import TINY
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write beyond the limit fails like one on a full disk
folder, card = Path(sys.argv[1]), Card(TINY, 3, "cpu", "float32")
networks = nn.ModuleDict({"a": nn.Linear(300, 300)})
nn.init.ones_(networks["a"].weight)
checkpoint.save(folder, card, networks)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
nn.init.zeros_(networks["a"].weight)
try:
    checkpoint.save(folder, card, networks, {"trainer": {}, "progress": {}})
except CheckpointError as error:
    print("refused:", error)
checkpoint.read_card(folder)
checkpoint.load_networks(folder, networks)
print("kept:", float(networks["a"].weight.mean()), sorted(path.name for path in folder.parent.iterdir()))
"""


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    """A real write that fails half-way: the limit on file sizes stands in for the disk's end."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "agent")]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "refused: could not write the checkpoint" in out
    assert "kept: 1.0 ['agent']" in out


def test_a_probe_can_be_added_later_and_again(tmp_path: Path, networks: nn.ModuleDict, card: Card) -> None:
    checkpoint.save(tmp_path / "one", card, networks)
    (tmp_path / "one" / "README.md").write_text("written by hand")
    probe = nn.Linear(2, 3)
    assert not checkpoint.load_probe(tmp_path / "one", probe)
    for value in (1.0, 2.0):
        painter = {"weight": torch.full((3, 2), value), "bias": torch.zeros(3)}
        checkpoint.add(tmp_path / "one", checkpoint.PROBE, painter)
        checkpoint.verify(tmp_path / "one")
        assert checkpoint.load_probe(tmp_path / "one", probe)
        assert torch.equal(probe.weight, painter["weight"])
    assert (tmp_path / "one" / "README.md").read_text() == "written by hand"
    assert checkpoint.read_card(tmp_path / "one") == card
    checkpoint.load_networks(tmp_path / "one", networks)
