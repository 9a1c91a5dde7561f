"""What the files of a checkpoint are called, which of them travel, and the error that all of this package raises."""

from __future__ import annotations

from pathlib import Path

CONFIG, MODEL, MANIFEST = "config.json", "model.safetensors", "manifest.json"
STARTS, PROBE = "starts.safetensors", "probe.safetensors"
RESULTS, README, VIDEO, CURVE = "results.json", "README.md", "video.mp4", "learning_curve.png"
POLICY, POLICY_WEIGHTS = "policy.json", "policy.safetensors"  # of another library, see kinds.py
EMBEDDED = "agent"  # the folder in a policy's, of the agent whose latents it reads
TRAINER, PROGRESS = "trainer.pt", "progress.json"  # what a run goes on from: never public

AGENT_FILES = (CONFIG, MODEL, STARTS, PROBE)
ABOUT_FILES = (RESULTS, README, VIDEO, CURVE)  # for people, who may edit them: no checksum covers these
TRAINING_FILES = (TRAINER, PROGRESS)
PUBLIC_FILES = (*AGENT_FILES, MANIFEST, *ABOUT_FILES)
CHECKED_FILES = (*AGENT_FILES, *TRAINING_FILES)  # those the manifest holds checksums of


def old(folder: Path) -> Path:
    """Where what stood at ``folder`` lies while it is replaced."""
    return folder.with_name(f".{folder.name}.old")


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written, or will not be read: says which file, why, and what to do."""
