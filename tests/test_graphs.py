"""A recorded step does what the eager one does, and warming up leaves no trace."""

import warnings

import pytest
import torch

from helpers import graphs

gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


def counter(device):
    """A step that doubles x, counts, and gives x's sum; and the tensors that it changes."""
    x, count = torch.ones(3, device=device), torch.zeros((), dtype=torch.long, device=device)

    def step():
        x.mul_(2)
        count.add_(1)
        return x.sum()

    return step, x, count


def test_recorded_equals_eager_and_warming_up_leaves_no_trace(device):
    step, x, count = counter(device)
    advance = graphs.recorded(step, [x, count])
    assert (advance is step) == (device == "cpu")
    assert x.tolist() == [1, 1, 1]
    assert [advance().item() for _ in range(3)] == [6, 12, 24]
    x.fill_(5)  # in place: the step reads it where it lies
    assert advance().item() == 30
    assert count.item() == 4


def test_an_optimisers_moments_are_made_while_warming_up_and_start_at_zero(device):
    """The state of an optimiser does not exist before its first step: two of them, one recorded, end at the same weights."""
    ends = []
    for record in (False, True):
        p = torch.arange(1.0, 5.0, device=device, requires_grad=True)
        optimiser = torch.optim.AdamW([p], lr=0.1, capturable=device == "cuda")

        def step(p=p, optimiser=optimiser):
            optimiser.zero_grad()
            (p**2).sum().backward()
            optimiser.step()

        made = lambda p=p, optimiser=optimiser: [p, *(v for s in optimiser.state.values() for v in s.values())]
        advance = graphs.recorded(step, made) if record else step
        assert p.tolist() == [1, 2, 3, 4]
        for _ in range(5):
            advance()
        ends.append(p.detach())
    assert torch.allclose(*ends, atol=1e-6)


def test_what_is_undone():
    old, made = torch.ones(2), []
    with graphs.undone(lambda: [old, *made]):
        old.add_(7)
        made.append(torch.ones(3))
    assert old.tolist() == [1, 1]
    assert made[0].tolist() == [0, 0, 0]


def test_a_step_must_warm_up():
    step, x, _ = counter("cpu")
    with pytest.raises(ValueError, match="warm=0"):
        graphs.recorded(step, [x], warm=0)


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=gpu)])
def test_the_way_out(device, monkeypatch):
    monkeypatch.setenv("RUC_CUDA_GRAPHS", "0")
    step, x, _ = counter(device)
    assert graphs.recorded(step, [x]) is step


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=gpu)])
def test_a_step_that_cannot_be_recorded_runs_eagerly(device):
    """A step that waits for the GPU: warned once, the state as it was, the step given back; and the next one is recorded."""
    x = torch.ones(2, device=device)

    def step():
        x.mul_(2.0 if x.sum().item() > 0 else 1.0)

    with pytest.warns(UserWarning, match="cannot be recorded as a CUDA graph"):
        assert graphs.recorded(step, [x]) is step
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graphs.recorded(step, [x])
    assert x.tolist() == [1, 1]
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    step()
    assert x.tolist() == [2, 2]
    good, y, count = counter(device)
    advance = graphs.recorded(good, [y, count])
    assert advance is not good
    assert advance().item() == 6
