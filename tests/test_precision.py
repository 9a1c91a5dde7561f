"""What is computed fast is what plain float32 computes, within the rounding of bfloat16 (eight bits)."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jedi_sdk.actor_critic import ActorCritic
from jedi_sdk.benchmark.speed.ours import noise
from jedi_sdk.config import Config, EncoderConfig
from jedi_sdk.learner import PARTS, Learner
from jedi_sdk.nn import _attend
from jedi_sdk.precision import DTYPES, Precision, _faster, _seconds_per_convolution, choose_precision, fastest_dtype
from jedi_sdk.rng import Rng
from jedi_sdk.world_model import Encoder, WorldModel
from jedi_sdk.world_model.encoder import pixels

CPU = torch.device("cpu")
LOSS, DIRECTION, DREAM = 0.02, 0.99, 0.1  # relative error, cosine of all gradients, relative error after 15 steps


@pytest.mark.parametrize(
    ("float32", "bfloat16", "fresh", "trained_in_float32", "trained_in_bfloat16"),
    [
        (1.0, 0.1, "bfloat16", "bfloat16", "bfloat16"),  # a CPU with AMX
        (1.0, 0.6, "bfloat16", "float32", "bfloat16"),
        (0.6, 1.0, "float32", "float32", "bfloat16"),
        (1.0, 6.0, "float32", "float32", "float32"),  # one with AVX2 alone
    ],
)
def test_an_agents_own_dtype_is_left_for_one_that_is_much_faster(
    float32: float, bfloat16: float, fresh: str, trained_in_float32: str, trained_in_bfloat16: str
) -> None:
    seconds = {torch.float32: float32, torch.bfloat16: bfloat16}
    assert _faster(seconds, None) == DTYPES[fresh]
    assert _faster(seconds, torch.float32) == DTYPES[trained_in_float32]
    assert _faster(seconds, torch.bfloat16) == DTYPES[trained_in_bfloat16]


def test_a_dtype_is_measured_once_in_a_process() -> None:
    """Or two agents of one program might compute differently, and each would wait for it."""
    found = fastest_dtype(CPU)
    measured = _seconds_per_convolution.cache_info().misses
    assert {fastest_dtype(CPU) for _ in range(20)} == {found}
    assert _seconds_per_convolution.cache_info().misses == measured


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_asked_for_is_taken_at_any_speed(dtype: str) -> None:
    for trained in (None, *DTYPES):
        assert choose_precision(CPU, dtype, trained).name == dtype


@pytest.fixture
def pair(tiny: Config, wake: Callable[[nn.Module], None]) -> tuple[Learner, Learner]:
    """The same agent twice, in bfloat16 and in float32, on noise."""
    torch.manual_seed(0)
    world_model = WorldModel(tiny, 3)
    actor_critic = ActorCritic(world_model.latent_shape, 3, tiny.actor_critic)
    for module in (world_model.denoiser, world_model.heads, actor_critic):
        wake(module)

    def learner(dtype: torch.dtype) -> Learner:
        precision = Precision(CPU, dtype)
        parts = (precision.place(copy.deepcopy(module)) for module in (world_model, actor_critic))
        return Learner(tiny, *parts, precision)

    return learner(torch.bfloat16), learner(torch.float32)


def gradients(learner: Learner) -> Tensor:
    parameters = [p for module in learner.modules.values() for p in module.parameters()]
    return torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])


@pytest.mark.parametrize("part", PARTS)
def test_losses_and_gradients_of_an_update(pair: tuple[Learner, Learner], tiny: Config, part: str) -> None:
    fast, plain = pair
    replay = noise(200, tiny.context, 3)
    found, wanted = (learner.update(part, 0, replay) for learner in pair)
    for name in wanted:
        if name.startswith(("denoise/step", "heads/")):
            torch.testing.assert_close(found[name], wanted[name], rtol=LOSS, atol=LOSS)
    assert F.cosine_similarity(gradients(fast), gradients(plain), dim=0) > DIRECTION


def test_a_dream_of_15_steps(pair: tuple[Learner, Learner], tiny: Config) -> None:
    segment = pair[1]._sample(noise(200, tiny.context, 3), tiny.context)
    acts = torch.randint(3, (15, len(segment.obs)), generator=torch.Generator().manual_seed(0))

    def dream(learner: Learner) -> Tensor:
        rng, zs = Rng(0), []
        with learner.precision.autocast():
            state = learner.world_model.start(segment)
            for act in acts:
                state, _, _ = learner.world_model.step(state, act, rng)
                zs.append(state.z[:, -1])
        return torch.stack(zs)

    found, wanted = map(dream, pair)
    assert (wanted[-1] - wanted[0]).square().mean() > 0.01 * wanted.square().mean()  # it moves
    assert (found - wanted).norm() < DREAM * wanted.norm()


def test_convolutions_do_not_mind_the_order_of_memory(tiny: Config) -> None:
    torch.manual_seed(0)
    world_model = WorldModel(tiny, 3)
    frames = torch.randint(256, (4, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        wanted = world_model.encode(frames)
        torch.testing.assert_close(Precision(CPU, torch.float32).place(world_model).encode(frames), wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_attention_of_a_gpu_is_that_of_a_cpu(dtype: torch.dtype) -> None:
    q, k, v = torch.randn(3, 2, 4, 64, 8).to(dtype)
    rounding = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(_attend(q, k, v), F.scaled_dot_product_attention(q, k, v), rtol=rounding, atol=rounding)


@pytest.mark.parametrize("config", [EncoderConfig(patch=4), EncoderConfig(patch=8, start="cosines")])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_moves_in_a_game_is_not_lost_in_rounding(seed: int, config: EncoderConfig, random_play) -> None:
    """Little of a frame moves: all in bfloat16, the change of the latents would be off by three hundredths and more."""
    torch.manual_seed(seed)
    encoder = Encoder(config)
    frames = pixels(random_play("breakout", 64, seed))
    with torch.no_grad():
        wanted = encoder(frames).diff(dim=0)
        with torch.autocast("cpu", torch.bfloat16):
            found = encoder(frames).diff(dim=0)
    assert (found - wanted).square().mean() < 0.01 * wanted.square().mean()
