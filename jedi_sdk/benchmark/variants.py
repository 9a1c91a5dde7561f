"""The objectives that are compared: a grid of the three open questions, and one factor at a time around the default."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from difflib import get_close_matches

from jedi_sdk.config import ConfigError


@dataclass(frozen=True)
class Variant:
    """An objective (``default`` or ``paper``) with some of its settings replaced."""

    name: str
    overrides: tuple[str, ...] = ()
    objective: str = "default"


TARGETS = {
    "latent": ("objective.predict=latent", "objective.target_scale=none"),
    "change": ("objective.predict=change", "objective.target_scale=tracked"),
}
RATES = {
    "0.3": ("objective.encoder_lr_scale=0.3", "objective.encoder_lr_halving=0"),
    "0.1": ("objective.encoder_lr_scale=0.1", "objective.encoder_lr_halving=0"),
    "annealed": ("objective.encoder_lr_scale=0.1", "objective.encoder_lr_halving=2000"),
    "slow": ("objective.encoder_lr_scale=0.015", "objective.encoder_lr_halving=10000"),
}
GRID = [
    Variant(f"{target}-{scale}-{rate}", (*TARGETS[target], f"objective.latent_scale={scale}", *RATES[rate]))
    for target, scale, rate in itertools.product(TARGETS, ("none", "standard"), RATES)
]
FACTORS = [
    Variant("default"),
    Variant("paper", objective="paper"),
    Variant("ema", ("objective.target_net=ema",)),
    Variant("switch-never", ("objective.switch=never",)),
    Variant("switch-always", ("objective.switch=always",)),
    Variant("switch-alternate", ("objective.switch=alternate",)),
    Variant("one-step", ("objective.predicted_steps=1",)),
    Variant("four-steps", ("objective.predicted_steps=4",)),
    Variant("scale-fixed", ("objective.target_scale=none",)),
    Variant("vicreg", ("objective.regularizer=vicreg",)),
    Variant("sigreg", ("objective.regularizer=sigreg",)),
    Variant("no-offset-noise", ("objective.offset_noise=0",)),
    Variant("absolute", ("objective.relative_to_mean=false",)),
    Variant("no-average", ("optim.weights_ema=0",)),
    Variant("slow-statistics", ("objective.scale_momentum=0.99",)),
    Variant("less-noise", ("objective.p_mean=-0.4",)),
    Variant("sigma-max-start", ("sampler.start=sigma_max",)),
    Variant("heads-apart", ("objective.heads_grad=false",)),
    Variant("heads-encoded", ("objective.heads_latents=encoded",)),
    Variant("mse", ("objective.predictor=mse",)),
    Variant("no-gradient", ("objective.encoder_grad=false",)),
    Variant("no-clamp", ("objective.clamp=false",)),
    Variant("decoder", ("objective.decoder=joint",)),
    Variant("autoencoder", ("objective.decoder=alone",)),
]
VARIANTS = {variant.name: variant for variant in (*FACTORS, *GRID)}


def find_variants(names: list[str]) -> list[Variant]:
    """The variants of these names; ``all-grid`` and ``all-factors`` stand for their lists, and
    ``name:a.b=c;d.e=f`` makes a variant of one's own. Raises ``ConfigError``.
    """
    found: list[Variant] = []
    for name in names:
        own, colon, settings = name.partition(":")
        if colon and not own.replace("-", "").isalnum():
            raise ConfigError(f"{own!r}: a variant's name is that of its folder; write letters, digits and -")
        if colon:
            found.append(Variant(own, tuple(settings.split(";"))))
        elif name in ("all-grid", "all-factors"):
            found.extend(GRID if name == "all-grid" else FACTORS)
        else:
            found.append(_named(name))
    return list(dict.fromkeys(found))  # a list may hold what is named beside it


def _named(name: str) -> Variant:
    if name in VARIANTS:
        return VARIANTS[name]
    near = get_close_matches(name, VARIANTS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    own = "write one of your own as name:objective.switch=never"
    raise ConfigError(f"there is no variant {name!r}; {hint}there are {', '.join(VARIANTS)}; {own}")
