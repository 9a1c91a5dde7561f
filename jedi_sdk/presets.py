"""Presets set sizes and schedule, objectives set what is learned; the two choices are independent, but that
``space=pixel`` has an objective of its own, and that ``default`` is what suits the preset.

Each is the page of ``config.py`` with a few values replaced.
"""

from __future__ import annotations

from dataclasses import replace

from jedi_sdk.config import (
    ActorCriticConfig,
    Config,
    DenoiserConfig,
    EncoderConfig,
    EnvConfig,
    HeadsConfig,
    ObjectiveConfig,
    OptimConfig,
    PixelConfig,
    ReplayConfig,
    RunConfig,
    SamplerConfig,
    ScheduleConfig,
    Work,
)

ATARI100K = Config(preset="atari100k")

SMALL = replace(
    ATARI100K,
    preset="small",
    context=8,  # a ball that is missed in Breakout is out of sight for 5 steps; a context of 4 forgets it
    # a policy that sits in a corner shows its dreams nothing else; one that has left it shows more than chance does
    env=EnvConfig(num_envs=4, explorers=2, explore_steps=20_000),
    encoder=EncoderConfig(patch=4),
    denoiser=DenoiserConfig(channels=64, cond_channels=128, attention=False),
    heads=HeadsConfig(channels=32, depths=(1,), cond_channels=64, pool=True, lstm=256, attention=False),
    pixel=PixelConfig(channels=32, heads_channels=16, depths=(1, 1, 1, 1)),
    actor_critic=ActorCriticConfig(channels=32, lstm=256, gradient_steps=4),  # dreams teach more than one step learns
    objective=ObjectiveConfig(
        heads_latents="dreamed",  # cheap here; not at the paper's sizes
        encoder_lr_scale=0.015,  # 9e-6, where the paper's is 3e-5: latents that hold still can be foreseen
        encoder_lr_halving=10_000,
        p_mean=2.5,  # dreams take one denoiser call here, and that one sees nothing but noise
    ),
    sampler=SamplerConfig(steps=1),  # on Breakout truer than more of them, and cheaper
    optim=OptimConfig(
        lr=6e-4,  # a small budget wants a faster start
        actor_critic_lr=3e-4,
        weights_ema=0.99,  # at such a rate the newest weights are never quite right
        policy_ema=0.99,  # and the newest policy is as good as its last few batches
    ),
    schedule=ScheduleConfig(
        env_steps=75_000,  # real steps cost next to nothing here, and rare rewards want many
        first_epoch=Work(12_000, 1_200, 400, 100),  # only in a true dream is there much to learn
        epoch=Work(1_000, 160, 60, 80),
        final_epochs=5,
    ),
    replay=ReplayConfig(recency=(0.1, 0.2, 0.3, 0.4)),  # the dreams of a run this short need all it has seen
)

CATCH = replace(
    SMALL,
    preset="catch",
    context=4,
    env=EnvConfig(num_envs=8),
    encoder=EncoderConfig(patch=8, channels=(32, 16)),
    denoiser=DenoiserConfig(channels=32, cond_channels=64, attention=False),
    heads=HeadsConfig(channels=32, depths=(1,), cond_channels=64, pool=False, lstm=256, attention=False),
    pixel=PixelConfig(channels=16, heads_channels=8, depths=(1, 1, 1, 1)),
    actor_critic=ActorCriticConfig(channels=32, lstm=256, horizon=7),
    objective=ObjectiveConfig(heads_latents="dreamed", encoder_lr_scale=0.03, p_mean=1.0),
    optim=OptimConfig(lr=1e-3, actor_critic_lr=6e-4, weights_ema=0.99),
    schedule=ScheduleConfig(
        env_steps=6_800, first_epoch=Work(4_000, 300, 300, 150), epoch=Work(400, 60, 60, 80), final_epochs=1
    ),
    replay=ReplayConfig(capacity=20_000, recency=(0.25, 0.25, 0.25, 0.25)),
    run=RunConfig(fidelity_every=1),
)

TINY = replace(
    CATCH,
    preset="tiny",
    env=EnvConfig(num_envs=2),
    encoder=EncoderConfig(patch=8, channels=(8, 4)),
    denoiser=DenoiserConfig(channels=8, cond_channels=16, attention=False),
    heads=HeadsConfig(channels=8, depths=(1,), cond_channels=8, pool=True, lstm=16, attention=False),
    pixel=PixelConfig(channels=8, heads_channels=8, depths=(1, 1, 1, 1)),
    actor_critic=ActorCriticConfig(channels=8, lstm=16, horizon=3),
    objective=ObjectiveConfig(heads_latents="dreamed"),
    optim=OptimConfig(batch_size=4, warmup=2),
    sampler=SamplerConfig(steps=2),
    schedule=ScheduleConfig(env_steps=48, first_epoch=Work(32, 2, 2, 2), epoch=Work(16, 2, 2, 2), final_epochs=1),
    replay=ReplayConfig(capacity=512),
    run=RunConfig(dtype="float32", fidelity_every=1, fidelity_contexts=8),
)

PRESETS: dict[str, Config] = {"atari100k": ATARI100K, "small": SMALL, "catch": CATCH, "tiny": TINY}

OBJECTIVES: dict[str, ObjectiveConfig] = {
    "default": ObjectiveConfig(),
    "paper": ObjectiveConfig(
        predict="latent",
        relative_to_mean=False,
        latent_scale="none",
        target_scale="none",
        encoder_lr_scale=0.3,
        encoder_lr_halving=0,
        p_mean=-0.4,
    ),
    "pixel": ObjectiveConfig(  # DIAMOND's, for space=pixel: frames are bounded and scaled as they are
        predict="latent",
        relative_to_mean=False,
        latent_scale="none",
        target_scale="none",
        switch="always",
        clamp=False,
        encoder_grad=False,
        heads_grad=False,
        p_mean=-0.4,
    ),
}


def in_pixels(preset: Config) -> Config:
    """``preset`` with ``space=pixel``: it dreams in DIAMOND's three steps, however few are enough for latents."""
    return replace(preset, sampler=SamplerConfig(steps=3))


def default_objective(space: str) -> str:
    """The objective taken when none is named."""
    return "pixel" if space == "pixel" else "default"


def default_preset(game: str, device: str) -> str:
    """The preset taken when none is named: ``catch`` for catch, else by the machine."""
    if game == "catch":
        return "catch"
    return "small" if device == "cpu" else "atari100k"
