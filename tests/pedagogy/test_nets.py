"""The stacked networks against plain torch modules with the same weights, one at a time."""

import pytest
import torch
from plain_games import generator, judge, of, sense

from helpers.pedagogy import layers, nets
from helpers.pedagogy.config import Body, Sense
from helpers.topology import judge as judges

SMALL = Body(size=8, channels=(6, 5, 4), latent=3, embed=2, classes=4, told=3)
FULL = Body()
WEAVER = Body(channels=(512, 256, 128), first=False)
EYE = Sense(size=8, channels=(4, 6), classes=4, hidden=5, told=3, drop=0.0)


def given(params, seed=0):
    """Weights and buffers that are nobody's start, so that nothing cancels."""
    rng = torch.Generator().manual_seed(seed)
    for name, value in params.items():
        noise = torch.rand(value.shape, generator=rng)
        value.copy_(0.5 + noise if name.endswith((".var", ".weight")) else noise - 0.5)
    return params


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_a_stacked_generator_is_its_models_one_by_one(training, first):
    body = Body(**{**SMALL.__dict__, "first": first})
    params = given(nets.generators(body, ["a", "b"]))
    single = [of(params, m) for m in (0, 1)]
    z, labels = torch.randn(2, 7, 3), torch.randint(4, (2, 7))
    images = nets.draw(params, body, z, labels, training=training)
    told = nets.picture({k: v.clone() for k, v in params.items()}, body, z, labels, training=training)[1]
    for m, one in enumerate(single):
        x, seen = generator(one, body, z[m], labels[m], training)
        torch.testing.assert_close(images[m], x, atol=1e-5, rtol=1e-4)
        if not training:
            torch.testing.assert_close(told[m].T, seen, atol=1e-5, rtol=1e-4)
        for name in layers.buffers(params):
            torch.testing.assert_close(params[name][m], one[name], atol=1e-5, rtol=1e-4)


def test_gradients_are_those_of_plain_torch():
    params = given(nets.generators(SMALL, [0, 1]))
    z, labels = torch.randn(2, 6, 3, requires_grad=True), torch.randint(4, (6,))
    learnt = [k for k in params if k not in layers.buffers(params) and not k.startswith("told")]
    weigh = torch.randn(2, 6, 1, 8, 8)
    one = of(params, 1)
    for k in learnt:
        params[k].requires_grad_()
        one[k].requires_grad_()
    ours = torch.autograd.grad(
        (nets.draw(params, SMALL, z, labels, training=True) * weigh).sum(), [z, *(params[k] for k in learnt)]
    )
    alone = z.detach()[1].requires_grad_()
    theirs = torch.autograd.grad(
        (generator(one, SMALL, alone, labels, True)[0] * weigh[1]).sum(), [alone, *(one[k] for k in learnt)]
    )
    for name, a, b in zip(["z", *learnt], ours, theirs, strict=True):
        torch.testing.assert_close(a[1], b, atol=2e-4, rtol=1e-3, msg=name)


def test_evaluation_changes_nothing_and_is_each_image_for_itself():
    params = given(nets.generators(SMALL, [0]))
    before = {k: v.clone() for k, v in params.items()}
    z, labels = torch.randn(1, 5, 3), torch.tensor([0, 1, 2, 3, 0])
    whole = nets.draw(params, SMALL, z, labels)
    part = nets.draw(params, SMALL, z[:, 2:3], labels[2:3])
    torch.testing.assert_close(whole[:, 2:3], part, atol=1e-6, rtol=1e-5)
    assert all(torch.equal(v, before[k]) for k, v in params.items())


@pytest.mark.parametrize(
    ("made", "published"),
    [
        (lambda: nets.generators(WEAVER, [0]), 4_732_433),
        (lambda: without_told(nets.generators(FULL, [0])), 2_013_697),
        (lambda: nets.senses("witness", Sense(), [0]), 1_422_746),
        (lambda: cgan(), 382_945),
        (lambda: nets.senses("critic", Sense(hidden=0, told=0, drop=0.25), [0]), 415_499),
    ],
)
def test_the_networks_have_the_documents_size(made, published):
    """But for the biases in front of normalisations, one a channel."""
    params = made()
    spare = sum(v.numel() for k, v in params.items() if k.startswith("norm") and k.endswith(".weight"))
    assert sum(v.numel() for k, v in params.items() if k not in layers.buffers(params)) + spare == published


def without_told(params):
    return {k: v for k, v in params.items() if not k.startswith("told")}


def cgan():
    made = nets.senses("critic", Sense(hidden=0, told=0, labelled=True, drop=0.25), [0])
    return {k: v for k, v in made.items() if not k.startswith("class")}


def test_witnesses_and_discriminators_are_theirs_one_by_one():
    x, labels = torch.rand(2, 5, 1, 8, 8), torch.randint(4, (2, 5))
    last = x.permute(0, 2, 3, 4, 1)
    params = given(nets.senses("witness", EYE, [0, 1]))
    found = nets.look(params, EYE, last)
    for m in (0, 1):
        want = sense(of(params, m), EYE, x[m])
        for head in ("class", "seen"):
            torch.testing.assert_close(found[head][m].T, want[head], atol=1e-5, rtol=1e-4)
    eye = Sense(size=8, channels=(4, 6), classes=4, hidden=0, told=0, labelled=True, drop=0.0)
    params = given(nets.senses("critic", eye, [0, 1]))
    found = nets.look(params, eye, last, labels=labels)
    for m in (0, 1):
        want = sense(of(params, m), eye, x[m], labels[m])["real"]
        torch.testing.assert_close(found["real"][m].T, want, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("deep", [1, 2])
def test_a_teachers_opinion_is_the_judges_own_and_has_a_gradient(deep):
    shape = judges.JudgeShape(8, (3, 4), (5,), 4, deep)
    params = judges.untrained(shape, [0, 1])
    images = torch.rand(6, 5, 1, 8, 8, requires_grad=True)  # three models a judge
    found = nets.opinions(params, images.permute(0, 2, 3, 4, 1).contiguous())
    want = judges.opinions(params, images.detach().view(2, 15, 1, 8, 8)).view(6, 5, 4)
    torch.testing.assert_close(found.transpose(1, 2), want, atol=1e-5, rtol=1e-4)
    if deep == 2:
        weigh = torch.randn(5, 4)
        ours = torch.autograd.grad((found[4].T * weigh).sum(), images)[0]
        alone = images.detach()[4].requires_grad_()
        theirs = torch.autograd.grad((judge(of(params, 1), alone) * weigh).sum(), alone)[0]
        torch.testing.assert_close(ours[4], theirs, atol=1e-6, rtol=1e-4)
        assert not ours[3].any()


def test_a_discriminator_that_is_told_no_labels_starts_and_stays_blind_to_them():
    eye = Sense(size=8, channels=(4, 6), classes=4, hidden=0, told=0, labelled=True, drop=0.0)
    both = nets.senses("critic", eye, [0, 0], labelled=[True, False])
    plain = nets.senses("critic", Sense(**{**eye.__dict__, "labelled": False}), [0])
    torch.testing.assert_close(both["conv1"][1, :, :1], plain["conv1"][0])
    assert not both["conv1"][1, :, 1:].any()
    for v in both.values():
        v.requires_grad_()
    found = nets.look(both, eye, torch.rand(2, 1, 8, 8, 5), labels=torch.randint(4, (2, 5)))
    found["real"].sum().backward()
    assert not both["label"].grad[1].any()
    assert not both["conv1"].grad[1, :, 1:].any()
    assert both["label"].grad[0].any()


def test_dropped_channels_are_whole_and_keep_the_mean():
    x, chance = torch.ones(2, 3, 4, 4, 1000), torch.rand(2, 3, 1000)
    found = layers.dropped(x, 0.3, chance)
    assert torch.equal(found[:, :, 0, 0], found[:, :, 3, 2])
    assert found.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert abs(found.mean() - 1) < 0.03


@pytest.mark.parametrize(
    ("z", "labels", "told"),
    [((2, 5, 3), (5,), "expected \\(1, B, 3\\)"), ((1, 5, 4), (5,), "do not fit"), ((1, 5, 3), (1, 4), "do not fit")],
)
def test_what_does_not_fit_is_refused(z, labels, told):
    with pytest.raises(ValueError, match=told):
        nets.draw(nets.generators(SMALL, [0]), SMALL, torch.zeros(z), torch.zeros(labels, dtype=torch.long))


def test_bodies_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"size=30: .* 32 pixels"):
        Body(size=30)
    with pytest.raises(ValueError, match="drop=1"):
        Sense(drop=1.0)
