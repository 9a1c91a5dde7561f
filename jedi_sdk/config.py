"""Every knob on one page. Frozen and typed; the comment beside a knob is the paper's value where one is known.

Sizes and schedule come from a *preset*, what is learned from an *objective* (both in ``presets.py``); a YAML
file and ``--set a.b=c`` change single values. ``load.py`` reads and checks them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


class ConfigError(ValueError):
    """A configuration that cannot be used: says which dotted key, why, and what to write instead."""


@dataclass(frozen=True)
class EnvConfig:
    num_envs: int = 1  # 1; real envs stepped side by side while collecting
    life_loss_ends: bool = True  # True; a lost life ends a training episode, never an evaluation episode
    epsilon: float = 0.01  # 0.01; share of random actions while collecting
    explorers: int = 0  # 0; envs, at most all but one, that play random actions that last: dreamed of, not scored
    explore_steps: int = 0  # 0; real steps of a run after which explorers follow the policy, too; 0: they never do


@dataclass(frozen=True)
class ReplayConfig:
    capacity: int = 100_000  # 100k; frames kept, 12,288 bytes each
    recency: tuple[float, ...] = (0.1, 0.1, 0.1, 0.7)  # sampling weight of each quarter, oldest first


@dataclass(frozen=True)
class EncoderConfig:
    patch: Literal[1, 2, 4, 8] = 2  # 1; stride of the first convolution (a cheaper first stage when > 1)
    channels: tuple[int, ...] = (32, 32, 32, 16)  # (32, 32, 32, 16); one stage each, the last is the latent's
    start: Literal["random", "cosines"] = "random"  # not given; cosines: low frequencies of each patch, then learned


@dataclass(frozen=True)
class DenoiserConfig:
    channels: int = 160  # 160
    depth: int = 1  # 1; residual blocks a stage
    cond_channels: int = 256  # 256; width of the noise-and-action embedding
    attention: bool = True  # True; self-attention in the middle stage


@dataclass(frozen=True)
class HeadsConfig:
    channels: int = 32  # 32
    depths: tuple[int, ...] = (2, 2, 2, 2)  # (2, 2, 2, 2)
    cond_channels: int = 128  # 128; width of the action embedding
    pool: bool = False  # False; a 2x2 pool before the LSTM (a quarter of its input)
    lstm: int = 512  # 512
    attention: bool = True  # True
    reads: Literal["pair", "change"] = "pair"  # pair; both latents of a transition, or their difference
    dropout: float = 0.0  # 0; share of what the memory is told that is left out in learning


@dataclass(frozen=True)
class PixelConfig:
    """Only for ``space=pixel``: what denoiser and heads are there; the comments have DIAMOND's values.

    All else (conditions, attention, memories, the policy's width) is in the groups of latents.
    """

    channels: int = 64  # 64; the denoiser's
    heads_channels: int = 32  # 32
    depths: tuple[int, ...] = (2, 2, 2, 2)  # (2, 2, 2, 2); blocks on each level, with half the side of the one before


@dataclass(frozen=True)
class ActorCriticConfig:
    channels: int = 64  # 64; with space=pixel, the first two of its four stages have half as many
    lstm: int = 512  # 512
    horizon: int = 15  # 15; imagined steps
    gamma: float = 0.985  # 0.985
    lambda_: float = 0.95  # 0.95
    entropy: float = 0.001  # 0.001
    reward: Literal["sample", "mean"] = "sample"  # sample; what a dreamed step pays: what is drawn, or its mean
    gradient_steps: int = 1  # 1; on each batch of dreams, all but the first as PPO takes them
    clip_range: float = 0.2  # none; by what share these may change an action's chance before it earns no more
    normalize_advantage: bool = False  # no; to unit spread in a batch: small rewards then outweigh the entropy


@dataclass(frozen=True)
class ObjectiveConfig:
    target_net: Literal["stop_grad", "ema"] = "stop_grad"  # stop_grad; where the target latent comes from
    predict: Literal["latent", "change"] = "change"  # latent; z[t+1], or the standardised z[t+1] - z[t]
    relative_to_mean: bool = True  # False; features minus those of the mean frame: what never changes weighs nothing
    latent_scale: Literal["none", "standard", "channels"] = "standard"  # none; by one std, or each channel's
    switch: Literal["random", "always", "never", "alternate"] = "random"  # random; own prediction fed back
    clamp: bool = True  # True; s*tanh(z/s) on encoder's and denoiser's output
    clamp_scale: float = 3.0  # 3
    predictor: Literal["diffusion", "mse"] = "diffusion"  # diffusion; mse: one regression step
    encoder_grad: bool = True  # True; the denoising loss trains the encoder (through the context)
    heads_grad: bool = True  # True; the heads' loss trains the encoder too
    latent_std: float = 0.5  # open; spread of standardised latents
    target_scale: Literal["none", "tracked"] = "tracked"  # none; tracked: over its running RMS, so that σ_data fits
    encoder_lr_scale: float = 0.1  # 0.3; the encoder's learning rate over the denoiser's
    encoder_lr_halving: int = 2000  # 0; updates after which the encoder learns half as fast (1/(1+n/halving)); 0: never
    ema_decay: float = 0.995  # open; only for target_net=ema
    regularizer: Literal["none", "vicreg", "sigreg"] = "none"  # none; against collapse, on the encoder's latents
    regularizer_weight: float = 0.05  # open
    decoder: Literal["none", "joint", "alone"] = "none"  # none; joint: its gradient too, alone: nothing else
    heads_latents: Literal["encoded", "dreamed"] = "encoded"  # encoded; dreamed: half of each batch is a dream
    predicted_steps: int = 2  # 2; predicted latents a segment
    scale_momentum: float = 0.9  # open; of the running statistics
    sigma_data: float = 0.5  # 0.5
    p_mean: float = 0.4  # -0.4; training noise: ln sigma ~ N(p_mean, p_std^2)
    p_std: float = 1.2  # 1.2
    sigma_clip: tuple[float, float] = (2e-3, 20.0)  # (2e-3, 20)
    offset_noise: float = 0.3  # 0.3 in DIAMOND; noise shared by all positions of a channel


@dataclass(frozen=True)
class SamplerConfig:
    steps: int = 2  # 3; denoiser calls (Heun: almost twice as many)
    method: Literal["euler", "heun"] = "euler"  # euler
    sigma_min: float = 2e-3  # 2e-3
    sigma_max: float = 5.0  # 5
    rho: float = 7.0  # 7
    start: Literal["unit", "sigma_max"] = "unit"  # open; size of the noise it starts from: DIAMOND's, or EDM's
    s_churn: float = 0.0  # 0; stochasticity, as in Karras et al. (2022), algorithm 2
    s_tmin: float = 0.0
    s_tmax: float = 50.0
    s_noise: float = 1.0


@dataclass(frozen=True)
class OptimConfig:
    batch_size: int = 32  # 32 (or 64, the better per game)
    lr: float = 1e-4  # 1e-4
    actor_critic_lr: float = 1e-4  # 1e-4
    weight_decay: float = 1e-2  # 1e-2; the actor-critic has none
    clip_denoiser: float = 1.0  # 1
    clip_heads: float = 100.0  # 100
    clip_actor_critic: float = 100.0  # 100
    warmup: int = 100  # 100; updates of linear warm-up
    weights_ema: float = 0.0  # 0; decay of the average of denoiser's and heads' weights, which dreams; 0: no average
    policy_ema: float = 0.0  # 0; the same of the policy's weights, which then plays and is saved; the newest dream


@dataclass(frozen=True)
class Work:
    """What one epoch does: real steps first, then updates of each part."""

    env_steps: int
    denoiser: int
    heads: int
    actor_critic: int


@dataclass(frozen=True)
class ScheduleConfig:
    env_steps: int = 100_000  # 100k; real steps in all
    first_epoch: Work = field(default_factory=lambda: Work(5_000, 10_000, 10_000, 5_000))  # 5-10k, 10k, 10k, 5k
    epoch: Work = field(default_factory=lambda: Work(100, 400, 400, 400))  # 100, 400, 400, 400
    final_epochs: int = 50  # 50; epochs without new data at the end


@dataclass(frozen=True)
class RunConfig:
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: the faster of the two, measured at the start
    threads: int = 0  # CPU threads; 0 leaves torch's choice
    compile: bool = False  # networks through torch.compile: minutes at the start, then faster
    checkpoint_minutes: float = 5.0  # a checkpoint at least this often, and after every epoch
    keep_checkpoints: int = 2
    fidelity_every: int = 5  # epochs between the short fidelity checks in the log
    fidelity_contexts: int = 128  # contexts of one such check
    probe: bool = True  # a pixel probe is fitted beside the run, so that its dreams can be seen
    min_latent_std: float = 1e-3  # below it the run stops: the latents have collapsed
    min_effective_rank: float = 2.0  # likewise
    max_repeat_last: float = 1.5  # above it the run stops: neighbouring latents have little in common (2: nothing)


@dataclass(frozen=True)
class Config:
    game: str = "catch"
    preset: str = "atari100k"  # where the sizes came from; a name for people, nothing depends on it
    objective_name: str = "default"  # likewise
    seed: int = 0
    space: Literal["latent", "pixel"] = "latent"  # latent; pixel: no encoder, DIAMOND's networks: the baseline
    context: int = 4  # 4; latents and actions the denoiser sees
    env: EnvConfig = field(default_factory=EnvConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    denoiser: DenoiserConfig = field(default_factory=DenoiserConfig)
    heads: HeadsConfig = field(default_factory=HeadsConfig)
    pixel: PixelConfig = field(default_factory=PixelConfig)
    actor_critic: ActorCriticConfig = field(default_factory=ActorCriticConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    run: RunConfig = field(default_factory=RunConfig)
