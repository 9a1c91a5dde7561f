"""What can be wrong with a configuration, each with what to write instead."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from math import inf, isfinite, log2
from typing import Any, Literal, get_args, get_origin

from jedi_sdk.config import Config, ConfigError, EncoderConfig
from jedi_sdk.settings import Settings, flatten, nearest_keys

EXPECTED = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
FRACTIONS = (
    "env.epsilon",
    "heads.dropout",
    "actor_critic.clip_range",
    "actor_critic.gamma",
    "actor_critic.lambda_",
    "objective.ema_decay",
    "objective.scale_momentum",
    "optim.weights_ema",
    "optim.policy_ema",
)
MAY_BE_ZERO = (
    *FRACTIONS,
    "seed",
    "env.explorers",
    "env.explore_steps",
    "replay.recency",
    "actor_critic.entropy",
    "objective.encoder_lr_scale",
    "objective.encoder_lr_halving",
    "objective.regularizer_weight",
    "objective.offset_noise",
    "sampler.s_churn",
    "sampler.s_tmin",
    "optim.weight_decay",
    "optim.warmup",
    "schedule.first_epoch.denoiser",
    "schedule.first_epoch.heads",
    "schedule.first_epoch.actor_critic",
    "schedule.epoch.denoiser",
    "schedule.epoch.heads",
    "schedule.epoch.actor_critic",
    "schedule.final_epochs",
    "run.threads",
    "run.min_latent_std",
    "run.min_effective_rank",
)
ANY_SIGN = ("objective.p_mean",)
MAY_BE_INFINITE = ("sampler.s_tmax",)
MOST = {  # beyond anything useful: a stranger's checkpoint must not be able to ask for all memory, or for all threads
    "channels": 4096,
    "heads_channels": 4096,
    "cond_channels": 4096,
    "lstm": 16_384,
    "depth": 64,
    "depths": 64,
    "context": 64,
    "predicted_steps": 64,
    "steps": 1000,
    "horizon": 10_000,
    "gradient_steps": 1000,
    "threads": 1024,
    "seed": 2**63 - 1,
}
MOST_OF_OTHERS = 10**12  # whole numbers
LONGEST = 16  # items in a list
LATENT_SIDE = 8  # the encoder brings 64x64 pixels down to 8x8: to an eighth
FRAME_HALVINGS = 6  # times that a frame's 64 pixels a side can be halved
WITHOUT_ENCODER = {  # settings that bend latents or teach an encoder, as they must be where frames are the latents
    "target_net": "stop_grad",
    "relative_to_mean": False,
    "latent_scale": "none",
    "clamp": False,
    "encoder_grad": False,
    "heads_grad": False,
    "regularizer": "none",
    "decoder": "none",
}
GROUP = 32  # channels a normalisation group holds, about
CHANNELS = (
    "encoder.channels",
    "denoiser.channels",
    "heads.channels",
    "pixel.channels",
    "pixel.heads_channels",
    "actor_critic.channels",
)


def check(config: Config) -> None:
    """Raises ``ConfigError`` with every value that has the right type and yet cannot work, one a line."""
    settings, example = flatten(asdict(config)), flatten(asdict(Config()))
    problems = [*_out_of_range(settings, example), *_at_odds(config), *_about_pixels(config), *_indivisible(settings)]
    if problems:
        raise ConfigError("\n".join(problems))


def check_name(kind: str, name: object, names: Iterable[str]) -> None:
    """Raises ``ConfigError`` unless ``name`` is one of the presets (or objectives: ``kind`` says which)."""
    names = list(names)
    if name in names:
        return
    near = get_close_matches(str(name).lower(), names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ConfigError(f"there is no {kind} {name!r}; {hint}the {kind}s are {', '.join(names)}")


def unknown_key(key: str, value: object, known: Settings) -> str:
    """What to write instead of ``key=value``, where ``known`` holds all settings there are."""
    given = f"{key}={json.dumps(value, default=str)}"
    inside = [name for name in known if name.startswith(f"{key}.")]
    if inside:
        return f"{given}: {key} is a group; write one of its settings, for example {_line(inside[0], known)}"
    near = nearest_keys(key, known)
    hint = f"did you mean {_either(near)}?" if near else f"the groups are {', '.join(_groups(known))}"
    return f"{given}: there is no setting {key}; {hint}"


def wrong_type(key: str, value: object, kind: Any, example: Settings) -> str:
    """What to write instead of ``key=value``, where ``kind`` is the type that the setting has."""
    return f"{key} must be {_expected(kind, value)}, not {json.dumps(value)}; write for example {_line(key, example)}"


def _expected(kind: Any, value: object) -> str:
    if get_origin(kind) is Literal:
        return f"one of {_either([repr(choice) for choice in get_args(kind)])}"
    if get_origin(kind) is not tuple:
        return EXPECTED[kind]
    items = get_args(kind)
    if not isinstance(value, list):
        return "a list"
    if ... not in items and len(value) != len(items):
        return f"a list of {len(items)}"
    return f"a list, each item {EXPECTED[items[0]]}"


def _line(key: str, settings: Settings) -> str:
    value = settings[key]
    return f"{key}={value if isinstance(value, str) else json.dumps(value)}"


def _either(names: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _groups(known: Settings) -> list[str]:
    return list(dict.fromkeys(key.partition(".")[0] for key in known if "." in key))


def _out_of_range(settings: Settings, example: Settings) -> Iterator[str]:
    for key, value in settings.items():
        numbers = value if isinstance(value, tuple) else (value,)
        if len(numbers) > LONGEST:
            yield f"{key} has {len(numbers)} items, more than {LONGEST}; write for example {_line(key, example)}"
        if any(isinstance(number, int | float) and not _in_range(key, number) for number in numbers):
            must = _range(key, max(numbers))
            yield f"{key}={json.dumps(value)} must be {must}; write for example {_line(key, example)}"


def _in_range(key: str, number: float) -> bool:
    if isinstance(number, bool):
        return True
    high_enough = number > 0 or key in ANY_SIGN or (number == 0 and key in MAY_BE_ZERO)
    low_enough = number <= _most(key, number)
    return high_enough and low_enough and (isfinite(number) or key in MAY_BE_INFINITE)


def _most(key: str, number: float) -> float:
    if key in FRACTIONS:
        return 1
    return MOST.get(key.rpartition(".")[2], MOST_OF_OTHERS) if isinstance(number, int) else inf


def _range(key: str, number: float) -> str:
    if key in FRACTIONS:
        return "between 0 and 1"
    if key in ANY_SIGN:
        return "a finite number"
    least = "0 or above" if key in MAY_BE_ZERO else "above 0"
    return f"{least} and at most {_most(key, number)}" if number > _most(key, number) else least


def _at_odds(config: Config) -> Iterator[str]:
    """Values that are fine alone and not together."""
    sampler, low_high, encoder = config.sampler, config.objective.sigma_clip, config.encoder
    if sampler.sigma_min >= sampler.sigma_max:
        yield "sampler.sigma_min must be below sampler.sigma_max; write for example sampler.sigma_max=5.0"
    if sampler.method == "heun" and config.objective.offset_noise > sampler.sigma_min:
        yield (
            "sampler.method=heun divides by the lowest noise level, below which offset noise hides "
            f"(offset_noise={config.objective.offset_noise}): train with objective.offset_noise=0, or keep "
            "sampler.method=euler"
        )
    if sampler.s_tmin > sampler.s_tmax:
        yield "sampler.s_tmin must not exceed sampler.s_tmax; write for example sampler.s_tmin=0.0"
    if low_high[0] >= low_high[1]:
        yield "objective.sigma_clip must rise; write for example objective.sigma_clip=[0.002, 20.0]"
    first = min(config.schedule.env_steps, config.schedule.first_epoch.env_steps)
    if first <= config.env.num_envs:
        yield (
            f"a first epoch of {first} real steps in {config.env.num_envs} envs shows no transition; write for example "
            f"schedule.env_steps={10 * config.env.num_envs}"
        )
    if not any(config.replay.recency):
        yield "replay.recency needs a weight above 0; write for example replay.recency=[0.1, 0.1, 0.1, 0.7]"
    if not config.heads.depths:
        yield "heads.depths must have a stage; write for example heads.depths=[1]"
    if config.heads.dropout == 1:
        yield "heads.dropout=1 tells the heads' memory nothing; write for example heads.dropout=0.5"
    stages = max(1, int(log2(LATENT_SIDE / encoder.patch)))  # each of them can halve the frame once
    if len(encoder.channels) < stages:
        yield (
            f"encoder.channels needs {stages} stages or more to reach {LATENT_SIDE}x{LATENT_SIDE} from "
            f"encoder.patch={encoder.patch}; write for example encoder.channels={[32] * (stages - 1) + [16]}"
        )
    if encoder.start == "cosines":
        yield from _about_cosines(encoder)
    if config.context > config.denoiser.cond_channels:
        yield (
            f"denoiser.cond_channels={config.denoiser.cond_channels} is shared by the {config.context} actions of the "
            f"context, one channel each at least; write for example denoiser.cond_channels={32 * config.context}"
        )
    segment = config.context + config.objective.predicted_steps
    if config.replay.capacity <= config.env.num_envs * (segment - 1):  # rows of each, rounded up
        yield (
            f"replay.capacity={config.replay.capacity} must hold a segment, {segment} frames, of each of the "
            f"{config.env.num_envs} envs; write replay.capacity=10000"
        )


def _about_cosines(encoder: EncoderConfig) -> Iterator[str]:
    waves = 3 * LATENT_SIDE**2  # as many frequencies and colours as a patch has numbers
    if encoder.patch != LATENT_SIDE:
        yield "encoder.start=cosines wants nothing pooled behind it; write encoder.patch=8 or encoder.start=random"
    elif encoder.channels and encoder.channels[0] > waves:
        yield f"encoder.start=cosines has {waves} filters, not {encoder.channels[0]}; write encoder.channels=[32, 16]"
    elif encoder.channels and min(encoder.channels) < encoder.channels[-1]:
        yield (
            f"encoder.start=cosines hands {min(encoder.channels)} of its filters on, and the last of encoder.channels "
            f"wants {encoder.channels[-1]}; write for example encoder.channels=[32, 16]"
        )


def _about_pixels(config: Config) -> Iterator[str]:
    if not 1 <= len(config.pixel.depths) <= FRAME_HALVINGS + 1:
        yield (
            f"pixel.depths has {len(config.pixel.depths)} levels, and a frame's 64 pixels allow 1 to "
            f"{FRAME_HALVINGS + 1}, each half the side of the one before; write for example pixel.depths=[2, 2, 2, 2]"
        )
    given = {name: getattr(config.objective, name) for name in WITHOUT_ENCODER}
    if config.space == "pixel" and given != WITHOUT_ENCODER:
        wrong = [name for name in given if given[name] != WITHOUT_ENCODER[name]]
        yield (
            f"space=pixel has no encoder and takes frames as they are, against {_objective(wrong, given)}; take the "
            f"objective pixel, or write {_objective(wrong, WITHOUT_ENCODER)}"
        )
    half = config.actor_critic.channels // 2
    if config.space == "pixel" and _uneven(half):
        yield (
            f"actor_critic.channels={2 * half}: with space=pixel the policy begins with half of them, and {half} do "
            f"not split into equal groups of about {GROUP}; write a multiple of {2 * GROUP}, for example "
            f"{2 * (half // GROUP * GROUP)}"
        )


def _objective(names: Iterable[str], values: Mapping[str, Any]) -> str:
    return " ".join(f"objective.{name}={str(values[name]).lower()}" for name in names)


def _uneven(channels: int) -> bool:
    return channels > 0 and channels % max(1, channels // GROUP) > 0


def _indivisible(settings: Settings) -> Iterator[str]:
    for key in CHANNELS:
        channels = settings[key]
        for number in channels if isinstance(channels, tuple) else (channels,):
            if _uneven(number):
                yield (
                    f"{key}: {number} channels do not split into equal groups of about {GROUP}; "
                    f"write a multiple of {GROUP}, for example {number // GROUP * GROUP}"
                )
