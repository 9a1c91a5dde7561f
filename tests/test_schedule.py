"""The schedule: cumulative targets, and which update is due."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jedi_sdk.config import ScheduleConfig, Work
from jedi_sdk.presets import ATARI100K, SMALL
from jedi_sdk.schedule import Counters, next_part, num_epochs, share, target, total_work

WORK = st.builds(
    Work,
    env_steps=st.integers(1, 50),
    denoiser=st.integers(0, 20),
    heads=st.integers(0, 20),
    actor_critic=st.integers(0, 20),
)


def test_the_papers_schedule() -> None:
    """First 5,000 steps, then 100 an epoch to 100k, and 50 epochs without new data."""
    schedule = ATARI100K.schedule
    assert num_epochs(schedule) == 1 + 950 + 50
    assert target(schedule, 0) == Work(5_000, 10_000, 10_000, 5_000)
    assert target(schedule, 1) == Work(5_100, 10_400, 10_400, 5_400)
    assert total_work(schedule).env_steps == 100_000
    assert total_work(schedule).denoiser == 10_000 + 1_000 * 400


def test_fewer_steps_than_a_first_epoch() -> None:
    schedule = replace(ATARI100K.schedule, env_steps=7, final_epochs=0)
    assert num_epochs(schedule) == 1
    assert target(schedule, 0).env_steps == 7


@given(first=WORK, epoch=WORK, env_steps=st.integers(1, 200), final=st.integers(0, 3))
def test_following_next_part_reaches_every_target(first: Work, epoch: Work, env_steps: int, final: int) -> None:
    schedule = ScheduleConfig(env_steps, first, epoch, final)
    done = Counters()
    for number in range(num_epochs(schedule)):
        goal = target(schedule, number)
        while part := next_part(done, goal, share(schedule, number)):
            setattr(done, part, getattr(done, part) + 1)
        assert (done.denoiser, done.heads, done.actor_critic) == (goal.denoiser, goal.heads, goal.actor_critic)
    assert target(schedule, num_epochs(schedule) - 1).env_steps == env_steps


def test_the_world_model_comes_first_and_its_parts_take_turns() -> None:
    done, goal, order = Counters(), Work(1, 3, 3, 2), []
    while part := next_part(done, goal, goal):
        order.append(part)
        setattr(done, part, getattr(done, part) + 1)
    assert order == ["denoiser", "heads"] * 3 + ["actor_critic"] * 2


def test_turns_are_even_where_one_part_has_more_to_do() -> None:
    done, goal, order = Counters(), Work(1, 6, 2, 0), []
    while part := next_part(done, goal, goal):
        order.append(part)
        setattr(done, part, getattr(done, part) + 1)
    assert [part[0] for part in order] == list("dhdddhdd")


def test_turns_stay_even_from_epoch_to_epoch() -> None:
    """The first epoch mixes the parts otherwise than the ones behind it; none of them begins with one part alone."""
    schedule, done = SMALL.schedule, Counters()
    for epoch in range(4):
        order, goal, added = [], target(schedule, epoch), share(schedule, epoch)
        while part := next_part(done, goal, added):
            order.append(part)
            setattr(done, part, getattr(done, part) + 1)
        streaks = "".join(part[0] for part in order).split("h")
        assert max(map(len, streaks[:-1])) <= added.denoiser // added.heads + 1
