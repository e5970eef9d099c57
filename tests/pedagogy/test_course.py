"""The stacked games against the same games one model at a time, in plain torch."""

from dataclasses import replace

import plain_games
import pytest
import torch
from plain_games import of

from helpers import stacked
from helpers.pedagogy import nets
from helpers.pedagogy.arms import ARMS
from helpers.pedagogy.config import Body, Raising, Sense
from helpers.pedagogy.course import Game
from helpers.topology import judge

SEEDS, STEPS = (3, 5), 6
CONFIG = Raising(
    steps=30, batch=8, rate=1e-3, seeds=2, first=3,
    body=Body(8, (6, 5, 4), 3, 2, 4, 3),
    witness=Sense(8, (4, 6), 4, 5, 3),
    critic=Sense(8, (4, 6), 4, 0, 0, labelled=True, drop=0.25),
)  # fmt: skip
WORLD = torch.Generator().manual_seed(0)
PIXELS, LABELS = torch.rand(40, 1, 8, 8, generator=WORLD) * 2 - 1, torch.arange(40) % 4
TEACHERS = judge.untrained(judge.JudgeShape(8, (3, 4), (5,), 4), SEEDS)
PEDAGOGICAL = ("coded", "coded, constant", "wired", "wired, light", "judge only")
ADVERSARIAL = ("cGAN", "AC-GAN", "hybrid")


def game(kind, names, config=CONFIG, seeds=SEEDS, **more):
    which = [SEEDS.index(s) for s in seeds]
    return Game(config, kind, names, seeds, PIXELS, LABELS, {k: v[which] for k, v in TEACHERS.items()}, **more)


def played(one, steps, start=0, memory=None):
    """Losses (steps, M) of every step, all players' together."""
    seen = []
    losses = {
        k: (lambda p, clock, loss=loss, k=k: noted(seen, k, loss(p, clock))) for k, loss in one.losses(start).items()
    }
    how = {"lr": one.config.rate, "betas": one.config.betas, "learn": one.learn, "keeps": one.keeps}
    stacked.fit(one.params, losses, steps=steps, memory=memory, **how)
    turns = len(losses)
    return torch.stack([sum(seen[i * turns : (i + 1) * turns]) for i in range(steps)])


def noted(seen, name, loss):
    seen.append(loss.detach().clone())
    return loss


@pytest.mark.parametrize(("kind", "names"), [("pedagogical", PEDAGOGICAL), ("adversarial", ADVERSARIAL)])
def test_a_stacked_game_is_its_models_trained_one_by_one(kind, names):
    config = replace(CONFIG, steps=30)
    one = game(kind, names, config)
    other = "witness." if kind == "pedagogical" else "critic."
    start = {k: v.clone() for k, v in one.params.items()}
    losses = played(one, STEPS, start=8)  # across the first phase's end, at a third of 30
    for m, (name, seed) in enumerate(one.cells):
        single = [
            {k.removeprefix(who): v for k, v in of(start, m).items() if k.startswith(who)}
            for who in ("generator.", other)
        ]
        alone = plain_games.taught if kind == "pedagogical" else plain_games.against
        teacher = of(TEACHERS, SEEDS.index(seed))
        theirs = list(alone(config, ARMS[name], seed, *single, teacher, PIXELS, LABELS, STEPS, start=8))
        torch.testing.assert_close(
            losses[:, m], torch.tensor(theirs), atol=2e-4, rtol=2e-4, msg=lambda m, name=name: f"{name}: {m}"
        )
        for who, params in zip(("generator.", other), single, strict=True):
            for k, v in params.items():
                mine = one.params[who + k][m]
                mine = mine[:, : v.shape[1]] if v.dim() == 4 else mine
                torch.testing.assert_close(mine, v.detach(), atol=3e-3, rtol=1e-2, msg=f"{name}: {who}{k}")


def test_as_coded_schedule_and_constant_are_one_run_to_the_last_bit():
    one = game("pedagogical", ("coded", "coded, constant", "wired"))
    played(one, STEPS, start=8)
    for k, v in one.params.items():
        v = v.view(len(SEEDS), 3, *v.shape[1:])
        assert torch.equal(v[:, 0], v[:, 1]), k
    out = one.params["generator.out"].view(len(SEEDS), 3, -1)
    assert not torch.equal(out[:, 0], out[:, 2])


def test_as_coded_nothing_that_draws_the_image_learns():
    one = game("pedagogical", ("coded",))
    before = {k: v.clone() for k, v in one.params.items()}
    played(one, 3)
    assert torch.equal(before["generator.out"], one.params["generator.out"])
    assert not torch.equal(before["generator.conv3"], one.params["generator.conv3"])
    one = game("pedagogical", ("wired",))
    played(one, 3)
    assert not torch.equal(before["generator.out"], one.params["generator.out"])


def test_arms_of_a_seed_share_their_start_and_seeds_do_not():
    one = game("adversarial", ADVERSARIAL)
    first = one.params["generator.first"]
    assert torch.equal(first[0], first[2])
    assert not torch.equal(first[0], first[3])


@pytest.mark.parametrize(("kind", "names"), [("pedagogical", ("wired",)), ("adversarial", ("hybrid",))])
def test_a_game_goes_on_where_it_was_interrupted(kind, names):
    whole, broken = game(kind, names), game(kind, names)
    played(whole, 6)
    memory = {}
    played(broken, 4, memory=memory)
    again = game(kind, names)
    for k, v in again.params.items():
        v.copy_(broken.params[k])
    played(again, 2, start=4, memory=memory)
    for k, v in whole.params.items():
        torch.testing.assert_close(again.params[k], v, atol=1e-6, rtol=1e-5, msg=k)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("kind", "names"), [("pedagogical", PEDAGOGICAL), ("adversarial", ADVERSARIAL)])
def test_a_recorded_step_on_a_gpu_is_the_eager_one(kind, names):
    ways = {}
    for graph in (False, None):
        one = game(kind, names, device="cuda")
        how = {"lr": 1e-3, "betas": (0.5, 0.999), "learn": one.learn, "keeps": one.keeps, "graph": graph}
        stacked.fit(one.params, one.losses(), steps=20, **how)
        ways[graph] = {k: v.cpu() for k, v in one.params.items()}
    for k, v in ways[False].items():
        torch.testing.assert_close(ways[None][k], v, atol=1e-4, rtol=1e-3, msg=k)


def test_a_start_is_looked_at_through_moments_of_its_own_batches_the_same_in_both_games():
    taught, against = (game(*pair).generators() for pair in (("pedagogical", ("wired",)), ("adversarial", ("cGAN",))))
    assert all(torch.equal(taught[k], against[k]) for k in taught)
    rng = torch.Generator().manual_seed(1)
    z, asked = torch.randn(len(SEEDS), 200, CONFIG.body.latent, generator=rng), torch.randint(4, (200,), generator=rng)
    kept = {k: v.clone() for k, v in taught.items()}
    seen = [nets.draw(kept, CONFIG.body, z, asked, training=way).var(1).mean() for way in (False, True)]
    assert 0.8 < seen[0] / seen[1] < 1.25
