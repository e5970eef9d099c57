"""Judges stacked against single torch modules, and what they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from helpers.data import load_images
from helpers.topology import judge


def module(shape, params, m):
    """One judge of the stack as a plain torch module."""
    layers, one = [], {k: v[m] for k, v in params.items()}
    channels = [1, shape.channels[0], shape.channels[0], shape.channels[1], shape.channels[1]]
    for i in range(1, 5):
        conv = nn.Conv2d(channels[i - 1], channels[i], 3, padding=1)
        conv.weight.data, conv.bias.data = one[f"conv{i}"], one[f"conv{i}.bias"]
        layers += [conv, nn.ReLU()] + [nn.MaxPool2d(2)] * (i % 2 == 0)
    widths = (shape.features, *shape.hidden, shape.classes)
    head = []
    for i in range(1, len(widths)):
        linear = nn.Linear(widths[i - 1], widths[i])
        linear.weight.data, linear.bias.data = one[f"head{i}"], one[f"head{i}.bias"]
        head += [linear, nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten()), nn.Sequential(*head[:-1])


def test_the_documents_judge_has_its_size_and_features():
    shape = judge.JudgeShape()
    assert shape.features == 3136
    params = judge.untrained(shape, [0])
    assert sum(v[0].numel() for v in params.values()) == 1_805_034 + 0 * shape.classes


def test_a_stack_sees_what_each_judge_would_see_alone():
    shape = judge.JudgeShape(9, (4, 6), (8, 5), 3)
    params = judge.untrained(shape, ["a", "b"])
    images = torch.rand(2, 7, 1, 9, 9, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found, said = judge.features(params, images), judge.opinions(params, images)
    for m in range(2):
        maps, head = module(shape, params, m)
        torch.testing.assert_close(found[m], maps(images[m]).detach())
        torch.testing.assert_close(said[m], head(maps(images[m])).detach())
    torch.testing.assert_close(judge.features(params, images[0])[0], found[0])
    assert not torch.equal(params["conv1"][0], params["conv1"][1])
    assert torch.equal(judge.untrained(shape, ["b"])["conv1"][0], params["conv1"][1])


def test_training_in_a_stack_is_training_alone():
    shape = judge.JudgeShape(8, (3, 4), (5,), 10)
    images, labels = (torch.from_numpy(a) for a in load_images().scaled())
    both = judge.train(shape, images, labels, [0, 1], steps=20, batch=16)
    alone = judge.train(shape, images, labels, [1], steps=20, batch=16)
    for name, value in alone.items():
        torch.testing.assert_close(value[0], both[name][1], rtol=1e-4, atol=1e-5)


def test_a_judge_learns_the_digits_and_an_untrained_one_does_not_know_them():
    images = load_images()
    shape = judge.JudgeShape(images.size, (8, 16), (32,), images.classes)
    x, y = (torch.from_numpy(a) for a in images.scaled())
    held = [torch.from_numpy(a) for a in images.scaled("test")]
    params = judge.train(shape, x, y, [0], steps=150, batch=64, rate=3e-3)
    assert float(judge.accuracy(params, *held)) > 0.9
    assert float(judge.accuracy(judge.untrained(shape, [0]), *held)) < 0.4


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda x, y: judge.JudgeShape(3), "4 pixels a side"),
        (lambda x, y: judge.JudgeShape(8, classes=1), "two classes"),
        (lambda x, y: judge.train(judge.JudgeShape(28), x, y, [0], steps=1), "do not fit a judge"),
        (lambda x, y: judge.train(judge.JudgeShape(8), x, y[:-1], [0], steps=1), "labels for"),
        (lambda x, y: judge.train(judge.JudgeShape(8), 2 * x, y, [0], steps=1), r"lie in \[−1, 1\]"),
        (lambda x, y: judge.train(judge.JudgeShape(8), x * np.nan, y, [0], steps=1), "finite"),
        (lambda x, y: judge.train(judge.JudgeShape(8, classes=5), x, y, [0], steps=1), "of 5 classes"),
    ],
)
def test_what_a_judge_cannot_learn_from_is_refused(make, told):
    x, y = (torch.from_numpy(a[:50]) for a in load_images().scaled())
    with pytest.raises(ValueError, match=told):
        make(x, y)


def test_the_relation_judge_has_the_documents_size_and_sees_what_plain_layers_see():
    shape = judge.JudgeShape(hidden=(128,), deep=1)
    params = judge.untrained(shape, [0, 1])
    assert sum(v[0].numel() for v in params.values()) == 421_642
    images = torch.rand(2, 3, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    one = {k: v[1] for k, v in params.items()}
    x = images[1]
    for i in (1, 2):
        x = nn.functional.max_pool2d(
            nn.functional.conv2d(x, one[f"conv{i}"], one[f"conv{i}.bias"], padding=1).relu(), 2
        )
    x = nn.functional.linear(x.flatten(1), one["head1"], one["head1.bias"]).relu()
    alone = nn.functional.linear(x, one["head2"], one["head2.bias"])
    torch.testing.assert_close(judge.opinions(params, images)[1], alone)


def test_judges_with_images_of_their_own_are_what_each_becomes_alone():
    shape = judge.JudgeShape(8, (3, 4), (5,), 10, deep=1)
    images, labels = (torch.from_numpy(a[:60]) for a in load_images().scaled())
    both = judge.train(shape, torch.stack([images, -images]), labels, [0, 1], steps=15, batch=16)
    alone = judge.train(shape, -images, labels, [1], steps=15, batch=16)
    for name, value in alone.items():
        torch.testing.assert_close(value[0], both[name][1], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="59 labels for 60 images"):
        judge.train(shape, torch.stack([images, images]), labels[:-1], [0, 1], steps=1)
