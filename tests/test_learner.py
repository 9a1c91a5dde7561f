"""The three updates: whom each trains, how fast, in what precision; and a learner put away and taken out again."""

import io
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from jedi_sdk.actor_critic import Actor, ActorCritic
from jedi_sdk.collect import Collector
from jedi_sdk.config import Config, ConfigError
from jedi_sdk.envs import make_envs
from jedi_sdk.learner import PARTS, Learner
from jedi_sdk.precision import Precision
from jedi_sdk.replay import Replay
from jedi_sdk.rng import Rng
from jedi_sdk.world_model import WorldModel

TRAINED = {"denoiser": {"denoiser", "encoder"}, "heads": {"heads", "encoder"}, "actor_critic": {"actor_critic"}}


@pytest.fixture(scope="module")
def replay() -> Replay:
    """Random play of Catch."""
    replay = Replay(None, 2, 512, recency=(0.25,) * 4)

    def policy(x, state, first):
        return torch.randint(3, (len(x),), generator=generator), None

    generator = torch.Generator().manual_seed(0)
    Collector(make_envs("catch", 2), replay, seed=0, device="cpu").collect(policy, 200)
    return replay


def thrice(config: Config) -> Config:
    """With three gradient steps on each dream."""
    return replace(config, actor_critic=replace(config.actor_critic, gradient_steps=3))


def build(config: Config, dtype: torch.dtype = torch.float32, wake=None) -> Learner:
    torch.manual_seed(config.seed)
    world_model = WorldModel(config, 3)
    actor_critic = ActorCritic(world_model.latent_shape, 3, config.actor_critic)
    if wake:
        for module in (world_model.denoiser, world_model.heads, actor_critic):
            wake(module)
    return Learner(config, world_model, actor_critic, Precision(torch.device("cpu"), dtype))


def with_optim(config: Config, **values) -> Config:
    return replace(config, optim=replace(config.optim, **values))


def with_objective(config: Config, **values) -> Config:
    return replace(config, objective=replace(config.objective, **values))


def weights(learner: Learner) -> dict[str, list[torch.Tensor]]:
    return {name: [p.detach().clone() for p in module.parameters()] for name, module in learner.modules.items()}


def changed(learner: Learner, before: dict[str, list[torch.Tensor]]) -> dict[str, list[bool]]:
    """For each network, which of its parameters are no longer bit for bit what they were."""
    after = weights(learner)
    return {name: [not torch.equal(a, b) for a, b in zip(after[name], before[name], strict=True)] for name in after}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("part", PARTS)
def test_each_update_changes_its_networks_whole_and_no_other(tiny, wake, replay, part, dtype) -> None:
    """Every single parameter, also under bfloat16: a dream's weights, cast without gradient, must not be reused."""
    learner = build(thrice(tiny), dtype, wake)
    before = weights(learner)
    terms = learner.update(part, 0, replay)
    for name, which in changed(learner, before).items():
        assert all(which) if name in TRAINED[part] else not any(which)
    assert all(term.isfinite() and not term.requires_grad for term in terms.values())
    for name in TRAINED[part]:
        assert all(p.grad is not None and p.grad.any() for p in learner.modules[name].parameters())


class Waits(TorchDispatchMode):
    """Notes what makes Python wait for the device: a number read from it, or a choice whose size only it knows."""

    READ = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select"}

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        name = operator.name().partition(".")[0]
        chosen = args[1] if name == "aten::index" else ()
        if name in self.READ or any(index is not None and index.dtype == torch.bool for index in chosen):
            self.found.append(name)
        return operator(*args, **(kwargs or {}))


@pytest.mark.parametrize("settings", [{}, {"switch": "alternate"}, {"predictor": "mse"}])
@pytest.mark.parametrize("part", PARTS)
def test_no_update_waits_for_the_device(tiny, replay, part, settings) -> None:
    learner = build(thrice(with_objective(tiny, **settings)))
    with Waits() as waits:
        learner.update(part, 0, replay)
    assert waits.found == []
    with waits:
        torch.ones(3)[torch.ones(3) > 0].sum().item()
    assert waits.found == ["aten::index", "aten::_local_scalar_dense"]


@pytest.mark.parametrize("decoder", ["joint", "alone"])
@pytest.mark.parametrize("part", PARTS)
def test_a_decoder_is_trained_in_the_denoisers_update_and_in_no_other(tiny, wake, replay, part, decoder) -> None:
    """Where it alone teaches the encoder, the heads' update leaves that one, too."""
    learner = build(with_objective(tiny, decoder=decoder), wake=wake)
    before = weights(learner)
    terms = learner.update(part, 0, replay)
    trained = TRAINED[part] | ({"decoder"} if part == "denoiser" else set())
    if (part, decoder) == ("heads", "alone"):
        trained = trained - {"encoder"}
        assert float(terms["grad_norm/encoder"]) == 0
    for name, which in changed(learner, before).items():
        assert all(which) if name in trained else not any(which)
    assert all(term.isfinite() and not term.requires_grad for term in terms.values())


def test_without_encoder_grad_the_denoisers_update_leaves_the_encoder(tiny, wake, replay) -> None:
    learner = build(with_optim(with_objective(tiny, encoder_grad=False), weight_decay=0.0), wake=wake)
    before = weights(learner)
    learner.update("denoiser", 0, replay)
    assert not any(changed(learner, before)["encoder"])
    learner.update("heads", 0, replay)
    assert all(changed(learner, before)["encoder"])


def test_without_heads_grad_the_heads_update_leaves_the_encoder(tiny, wake, replay) -> None:
    learner = build(with_objective(tiny, heads_grad=False), wake=wake)
    before = weights(learner)
    learner.update("heads", 0, replay)
    assert not any(changed(learner, before)["encoder"])
    learner.update("denoiser", 0, replay)
    assert all(changed(learner, before)["encoder"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("regularizer", ["vicreg", "sigreg"])
def test_heads_that_learn_on_dreams_and_a_guarded_encoder_train_whole(tiny, wake, replay, regularizer, dtype) -> None:
    """Also under bfloat16: nothing of the dream's weights, cast without gradient, reaches the heads' loss."""
    learner = build(with_objective(tiny, heads_latents="dreamed", regularizer=regularizer), dtype, wake)
    for part in PARTS:
        before = weights(learner)
        learner.update(part, 0, replay)
        for name, which in changed(learner, before).items():
            assert all(which) if name in TRAINED[part] else not any(which)


class Pixels(torch.nn.Module):
    """An encoder with nothing to learn: every eighth pixel."""

    latent_shape = (3, 8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, ::8, ::8]


def test_an_encoder_without_parameters_is_none_to_train(tiny, wake, replay) -> None:
    world_model = wake(WorldModel(tiny, 3, encoder=Pixels()))
    actor_critic = wake(ActorCritic(world_model.latent_shape, 3, tiny.actor_critic))
    learner = Learner(tiny, world_model, actor_critic, Precision(torch.device("cpu"), torch.float32))
    before = weights(learner)
    for part in PARTS:
        learner.update(part, 0, replay)
    after = changed(learner, before)
    assert all(all(after[part]) for part in PARTS)


def test_only_learning_moves_the_running_scales(tiny, wake, replay) -> None:
    """And of the parts only the denoiser's: it sees what the others see."""
    learner = build(with_objective(tiny, relative_to_mean=True, heads_latents="dreamed"), wake=wake)
    world_model = learner.world_model
    learner.update("denoiser", 0, replay)
    scales = (world_model.frame_mean, world_model.latent_scale, world_model.target_scale)
    assert [float(scale.batches) for scale in scales] == [1, 1, 1]
    for part in ("heads", "actor_critic"):
        learner.update(part, 0, replay)
        assert [float(scale.batches) for scale in scales] == [1, 1, 1]


@pytest.mark.parametrize("part", PARTS)
def test_learning_rates_warm_up_and_the_encoders_is_lower(tiny, wake, replay, part) -> None:
    config = with_objective(tiny, encoder_lr_scale=0.3, encoder_lr_halving=0)
    config = with_optim(config, lr=1e-3, actor_critic_lr=2e-3, warmup=4)
    learner = build(config, wake=wake)
    full = {"denoiser": 1e-3, "heads": 1e-3, "encoder": 0.3e-3, "actor_critic": 2e-3}
    for so_far, warmth in ((0, 0.25), (1, 0.5), (3, 1.0), (1_000, 1.0)):
        learner.update(part, so_far, replay)
        for name in TRAINED[part]:
            for group in learner.optimizers[name].param_groups:
                assert group["lr"] == pytest.approx(full[name] * warmth)


@pytest.mark.parametrize("part", ["denoiser", "heads"])
def test_the_encoder_slows_down_to_a_half_a_third_a_quarter(tiny, wake, replay, part) -> None:
    """1/(1 + n/halving), on top of the warm-up; whatever else is trained keeps its rate."""
    config = with_objective(tiny, encoder_lr_scale=0.3, encoder_lr_halving=10, decoder="joint")
    learner = build(with_optim(config, lr=1e-3, warmup=4), wake=wake)
    for so_far, warmth, slowed in ((0, 0.25, 1), (5, 1, 2 / 3), (10, 1, 1 / 2), (20, 1, 1 / 3), (30, 1, 1 / 4)):
        learner.update(part, so_far, replay)
        for name in TRAINED[part] | ({"decoder"} if part == "denoiser" else set()):
            expected = 0.3e-3 * warmth * slowed if name == "encoder" else 1e-3 * warmth
            for group in learner.optimizers[name].param_groups:
                assert group["lr"] == pytest.approx(expected)


def test_a_halving_of_0_never_slows_the_encoder_down(tiny, wake, replay) -> None:
    learner = build(with_optim(with_objective(tiny, encoder_lr_scale=0.3, encoder_lr_halving=0), lr=1e-3), wake=wake)
    for so_far in (100, 1_000_000):
        learner.update("denoiser", so_far, replay)
        assert [group["lr"] for group in learner.optimizers["encoder"].param_groups] == pytest.approx([0.3e-3] * 2)


def test_a_first_step_of_adam_is_as_long_as_the_learning_rate(tiny, wake, replay) -> None:
    """The rate set is the rate used: Adam's first step is lr·sign(gradient)."""
    config = with_optim(with_objective(tiny, encoder_lr_scale=0.3), lr=1e-3, weight_decay=0.0, warmup=2)
    learner = build(config, wake=wake)
    before = weights(learner)
    learner.update("denoiser", 0, replay)
    for name, rate in (("denoiser", 0.5e-3), ("encoder", 0.15e-3)):
        steps = [(p - q).abs().max() for p, q in zip(weights(learner)[name], before[name], strict=True)]
        assert float(max(steps)) == pytest.approx(rate, rel=0.01)


def test_weights_decay_but_no_bias_norm_embedding_and_nothing_of_the_actor_critic(tiny) -> None:
    learner = build(with_optim(tiny, weight_decay=0.01))
    for name, optimizer in learner.optimizers.items():
        decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
        module = learner.modules[name]
        assert decay.keys() == {id(p) for p in module.parameters()}
        for owner in module.modules():
            kernels = isinstance(owner, torch.nn.Linear | torch.nn.Conv2d) and name != "actor_critic"
            for kind, parameter in owner.named_parameters(recurse=False):
                assert decay[id(parameter)] == (0.01 if kernels and kind == "weight" else 0.0)


@pytest.mark.parametrize("part", PARTS)
def test_gradients_are_clipped_together_and_the_norm_told_is_that_before(tiny, wake, replay, part) -> None:
    free, clipped = (build(with_optim(tiny, **{f"clip_{part}": clip}), wake=wake) for clip in (1e9, 1e-3))
    told = [float(learner.update(part, 0, replay)[f"grad_norm/{part}"]) for learner in (free, clipped)]
    assert told[0] == told[1]

    def norm(learner: Learner) -> float:
        parameters = [p for name in TRAINED[part] for p in learner.modules[name].parameters()]
        return float(torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]).norm())

    assert norm(free) == pytest.approx(told[0], rel=1e-4)
    assert norm(clipped) == pytest.approx(1e-3, rel=1e-2)


def test_the_ema_target_follows_the_encoder_whoever_moved_it(tiny, wake, replay) -> None:
    learner = build(with_objective(tiny, target_net="ema", ema_decay=0.5), wake=wake)
    target, encoder = learner.world_model.target_encoder, learner.world_model.encoder
    assert target is not None
    for part in ("denoiser", "heads"):
        old = [p.clone() for p in target.parameters()]
        learner.update(part, 0, replay)
        for slow, was, fast in zip(target.parameters(), old, encoder.parameters(), strict=True):
            torch.testing.assert_close(slow, (was + fast) / 2)
            assert slow.grad is None


@pytest.mark.parametrize("part", ["denoiser", "heads"])
def test_what_dreams_is_the_average_of_the_weights_that_are_moved(tiny, wake, replay, part) -> None:
    """By hand: of each new weight 9/10 after the first update, 9/11 after the second, then half, as asked."""
    learner = build(with_optim(tiny, weights_ema=0.5, lr=1e-2), wake=wake)
    dreams, moved = getattr(learner.world_model, part), learner.modules[part]
    expected = [p.detach().clone() for p in dreams.parameters()]
    for n, decay in enumerate((1 / 10, 2 / 11)):
        learner.update(part, n, replay)
        expected = [decay * e + (1 - decay) * p for e, p in zip(expected, moved.parameters(), strict=True)]
    learner.update(part, 1000, replay)
    expected = [(e + p) / 2 for e, p in zip(expected, moved.parameters(), strict=True)]
    for average, by_hand in zip(dreams.parameters(), expected, strict=True):
        torch.testing.assert_close(average, by_hand)
        assert average.grad is None
    assert any(changed_by(dreams, moved))


@pytest.mark.parametrize("steps", [1, 3])
def test_what_plays_is_the_average_of_the_policy_that_dreams(tiny, wake, replay, steps) -> None:
    """By hand, once an update whatever it took; what is dreamed and learned is as without an average."""
    config = replace(tiny, actor_critic=replace(tiny.actor_critic, gradient_steps=steps))
    plain, averaged = (build(with_optim(config, policy_ema=ema, actor_critic_lr=1e-2), wake=wake) for ema in (0.0, 0.5))
    expected = [p.detach().clone() for p in averaged.actor_critic.parameters()]
    for n, decay in enumerate((1 / 10, 2 / 11)):
        told, also_told = (learner.update("actor_critic", n, replay) for learner in (plain, averaged))
        assert {name: float(x) for name, x in told.items()} == {name: float(x) for name, x in also_told.items()}
        newest = averaged.taught_policy.parameters()
        expected = [decay * e + (1 - decay) * p for e, p in zip(expected, newest, strict=True)]
    for average, by_hand in zip(averaged.actor_critic.parameters(), expected, strict=True):
        torch.testing.assert_close(average, by_hand)
    assert not any(changed_by(plain.actor_critic, averaged.taught_policy))
    assert any(changed_by(averaged.actor_critic, averaged.taught_policy))
    assert plain.taught_policy is plain.actor_critic
    assert "denoiser" not in averaged.averages


def changed_by(one: torch.nn.Module, other: torch.nn.Module) -> list[bool]:
    return [not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)]


def test_averaging_changes_no_denoisers_update(tiny, wake, replay) -> None:
    """The loss, what is moved and by how much are those of a learner without an average."""
    plain, averaged = build(tiny, wake=wake), build(with_optim(tiny, weights_ema=0.9), wake=wake)
    for n in range(3):
        told, also_told = (x.update("denoiser", n, replay) for x in (plain, averaged))
        assert {name: float(x) for name, x in told.items()} == {name: float(x) for name, x in also_told.items()}
    assert not any(changed_by(plain.modules["denoiser"], averaged.modules["denoiser"]))
    assert not any(changed_by(plain.world_model.encoder, averaged.world_model.encoder))
    assert any(changed_by(plain.world_model.denoiser, averaged.world_model.denoiser))
    assert torch.equal(plain.world_model.batches, averaged.world_model.batches)


def test_policy_and_heads_see_the_dreams_of_the_average(tiny, wake, replay, monkeypatch) -> None:
    """Whatever is dreamed is dreamed by the weights that are saved, the dreams on which the heads learn too."""
    config = with_optim(with_objective(tiny, heads_latents="dreamed"), weights_ema=0.9)
    learner = build(config, wake=wake)
    asked = []
    for denoiser in (learner.world_model.denoiser, learner.modules["denoiser"]):
        monkeypatch.setattr(denoiser, "forward", watched(asked, denoiser))
    learner.update("actor_critic", 0, replay)
    learner.update("heads", 0, replay)
    assert asked
    assert all(denoiser is learner.world_model.denoiser for denoiser in asked)


def watched(asked: list, denoiser: torch.nn.Module):
    forward = denoiser.forward

    def told(*args):
        asked.append(denoiser)
        return forward(*args)

    return told


def test_a_policy_is_paid_what_its_config_says(tiny, wake, replay) -> None:
    paid = {}
    for reward in ("sample", "mean"):
        config = replace(tiny, actor_critic=replace(tiny.actor_critic, reward=reward))
        learner = build(config, wake=wake)
        paid[reward] = learner.dream(learner._sample(replay, config.context)).rew
    assert torch.equal(paid["sample"], paid["sample"].round())
    assert not torch.equal(paid["mean"], paid["mean"].round())


def test_several_gradient_steps_are_taken_on_one_dream(tiny, wake, replay) -> None:
    """The dreams of one update are those of one step; the later steps move on, towards what the first aimed at."""
    one, three = build(tiny, wake=wake), build(thrice(tiny), wake=wake)
    told, also_told = (learner.update("actor_critic", 0, replay) for learner in (one, three))
    assert torch.equal(one.rng.generator.get_state(), three.rng.generator.get_state())
    assert float(told["imagined/reward"]) == float(also_told["imagined/reward"])
    for learner, steps in ((one, 1), (three, 3)):
        taken = learner.optimizers["actor_critic"].state.values()
        assert {float(state["step"]) for state in taken} == {steps}
    again = build(tiny, wake=wake)
    rollout = again.dream(again._sample(replay, tiny.context))
    first = again.actor_critic.loss(rollout)
    again.descend("actor_critic", first, 0)
    for _ in range(2):
        again.descend("actor_critic", again.actor_critic.loss(rollout, first.targets), 0)
    assert not any(changed_by(again.actor_critic, three.actor_critic))
    assert any(changed_by(again.actor_critic, one.actor_critic))


class Forgetful(ActorCritic):
    """One of a user's own, with the loss that was asked for when there was one gradient step."""

    def loss(self, rollout):  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().loss(rollout)


class Silent(ActorCritic):
    """Takes targets, and does not say any."""

    def loss(self, rollout, **targets):  # pyright: ignore[reportIncompatibleMethodOverride]
        return replace(super().loss(rollout, **targets), targets=None)


def test_an_actor_critic_without_targets_takes_one_gradient_step(tiny, replay) -> None:
    def learner(kind: type[ActorCritic], config: Config) -> Learner:
        world_model = WorldModel(config, 3)
        own = kind(world_model.latent_shape, 3, config.actor_critic)
        return Learner(config, world_model, own, Precision(torch.device("cpu"), torch.float32))

    for kind in (Forgetful, Silent):
        assert learner(kind, tiny).update("actor_critic", 0, replay)["policy/loss"].isfinite()
    with pytest.raises(ConfigError, match=r"Forgetful.loss takes no targets.*write actor_critic.gradient_steps=1"):
        learner(Forgetful, thrice(tiny))
    with pytest.raises(ConfigError, match=r"Silent.loss returns no targets.*write actor_critic.gradient_steps=1"):
        learner(Silent, thrice(tiny)).update("actor_critic", 0, replay)


def test_a_dream_remembers_its_context_and_is_the_current_policys(tiny, wake, replay) -> None:
    learner = build(tiny, wake=wake)
    segment = replay.sample(4, 4, learner.sampling)
    rollout = learner.dream(segment)
    z = learner.world_model.encode(segment.obs)
    assert rollout.act.shape == (4, tiny.actor_critic.horizon)
    torch.testing.assert_close(rollout.z[:, 0], z[:, -1])
    for one, other in zip(rollout.lstm, learner.actor_critic.burn_in(z, segment.mask), strict=True):
        torch.testing.assert_close(one, other)
    torch.nn.init.constant_(learner.actor_critic.actor.bias, 0.0)
    learner.actor_critic.actor.bias.data[1] = 1e4
    assert (learner.dream(segment).act == 1).all()


def run(learner: Learner, replay: Replay, rounds: range) -> list[float]:
    """Some rounds of all updates; everything they said."""
    told = [learner.update(part, k, replay) for k in rounds for part in PARTS]
    return [float(term) for terms in told for term in terms.values()]


def networks(learner: Learner) -> dict[str, torch.Tensor]:
    modules = {"world_model": learner.world_model, "actor_critic": learner.actor_critic}
    return {f"{k}.{name}": value for k, module in modules.items() for name, value in module.state_dict().items()}


def assert_same_bits(one: Learner, other: Learner) -> None:
    a, b = networks(one), networks(other)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equal_seeds_learn_the_same_bit_for_bit_and_others_do_not(tiny, replay, dtype) -> None:
    one, again, other = (build(replace(tiny, seed=seed), dtype) for seed in (0, 0, 1))
    assert run(one, replay, range(2)) == run(again, replay, range(2))
    assert_same_bits(one, again)
    assert run(one, replay, range(2, 3)) != run(other, replay, range(2, 3))


VARIANTS: dict[str, dict] = {
    "default": {},
    "averaged": {"heads_latents": "dreamed"},
    "ema": {"target_net": "ema", "relative_to_mean": True, "encoder_lr_halving": 2},
    "joint": {"decoder": "joint", "heads_latents": "dreamed", "regularizer": "sigreg"},
    "alone": {"decoder": "alone", "switch": "alternate", "regularizer": "vicreg"},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("variant", VARIANTS)
def test_put_away_and_taken_out_it_goes_on_bit_for_bit(tiny, replay, variant, dtype) -> None:
    """A fresh learner has nothing of the other's but what was put away: no weights that were cast before a step."""
    decay = 0.9 if variant == "averaged" else 0.0
    config = with_optim(with_objective(tiny, **VARIANTS[variant]), weights_ema=decay, policy_ema=decay)
    learner = build(config, dtype)
    run(learner, replay, range(2))
    file = io.BytesIO()
    torch.save({"networks": networks(learner), "learner": learner.state_dict()}, file)
    expected = run(learner, replay, range(2, 5))

    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    fresh = build(replace(config, seed=77), dtype)
    for name, module in (("world_model", fresh.world_model), ("actor_critic", fresh.actor_critic)):
        of_it = {key.removeprefix(f"{name}."): x for key, x in loaded["networks"].items() if key.startswith(name)}
        module.load_state_dict(of_it)
    fresh.load_state_dict(loaded["learner"])
    assert run(fresh, replay, range(2, 5)) == expected
    assert_same_bits(fresh, learner)


def test_the_denoiser_learns_catch_a_little(tiny, replay) -> None:
    """Where a ball falls a row a step is soon known better than nothing: a network of 0 loses about 1 a step."""
    config = with_optim(with_objective(tiny, switch="never"), lr=1e-2, batch_size=16, warmup=10)
    learner = build(config)
    losses = [float(learner.update("denoiser", k, replay)["denoise/step1"]) for k in range(100)]
    assert sum(losses[-20:]) / 20 < 0.8 * sum(losses[:5]) / 5


def test_actors_of_a_learner_draw_from_its_generator(tiny, replay) -> None:
    learner = build(tiny)
    assert isinstance(learner.actor, Actor)
    assert isinstance(learner.rng, Rng)
    state = learner.rng.generator.get_state()
    learner.update("actor_critic", 0, replay)
    assert not torch.equal(learner.rng.generator.get_state(), state)
