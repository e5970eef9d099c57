"""Many matrices decoded at once give what each gives alone, in a live model and on a GPU in one launch."""

import pytest
import torch

from helpers import fused, lm, stores
from helpers.codec import Codec, Fill, decoding, encode, orders, staging, transform
from helpers.codec.live import Live

SHAPES = {"a.weight": (70, 96), "b.weight": (130, 384), "c.c_fc.weight": (64, 128), "odd.weight": (33, 40)}


def pairs(device, dtype=torch.float32, codec=None):
    """Encoded matrices, one of them transposed, one of an odd width, and empty tensors to decode into."""
    out = []
    for seed, (name, shape) in enumerate(SHAPES.items()):
        w = torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device, dtype)
        encoded = encode(w, codec or Codec(cap=32), name, transposed=name.startswith("c."))
        out.append((encoded, torch.full_like(w, float("nan"))))
    return out


def priors(made):
    return {e.name: encode(torch.ones(e.shape, device=e.device), e.codec, e.name, transposed=e.transposed)
            for e, _ in made[:3]}  # fmt: skip


@pytest.mark.parametrize("kind", ["zero", "gain", "random", "guided"])
@pytest.mark.parametrize("order", ["iid", "rows"])
@pytest.mark.parametrize("domain", transform.KINDS)
def test_all_at_once_is_each_alone(device, kind, order, domain):
    """Also with tensors that stay whole, with a prior that lacks one of them, and when it is done again."""
    made = pairs(device, codec=Codec(domain, cap=32))
    fill = Fill("guided", 0.3, priors(made)) if kind == "guided" else Fill(kind)
    live = Live(made)
    for fraction, whole in ((0.6, ()), (0.0, ()), (0.3, ("b.weight", "odd.weight")), (1.0, ())):
        live.decode(fraction, order, fill, 7, whole=whole)
        agree(made, lambda name: (1.0,) if name in whole else (fraction, order, fill, 7))  # noqa: B023


@pytest.mark.parametrize("domain", transform.KINDS)
def test_planes_and_spoiled_codes_at_once_are_those_of_each_alone(device, domain):
    made = pairs(device, codec=Codec(domain, cap=32))
    live = Live(made)
    for bits, whole in ((0, ()), (1, ()), (3, ("b.weight",)), (7, ()), (8, ())):
        live.decode(bits / 8, "planes", mask_seed=3, whole=whole)
        agree(made, lambda name: (1.0,) if name in whole else (bits / 8, "planes", Fill(), 3))  # noqa: B023
    live.spoil(0.2, 5)
    agree([(orders.corrupt(encoded, 0.2, 5), out) for encoded, out in made], lambda name: ())


def agree(made, arguments):
    """Each matrix is what the torch path makes of it by these arguments of its name; it is spoiled afterwards."""
    for encoded, out in made:
        given = arguments(encoded.name)
        wanted = decoding.decode(encoded, *given, kernel=False)
        noisy = len(given) > 2 and given[2].kind == "random" and fused.available(out.device)
        bound = 1e-3 if noisy else 1e-5
        assert float((out - wanted).norm()) <= bound * float(wanted.norm()) + 1e-12, (encoded.name, given)
        out.fill_(float("nan"))


def test_what_the_kernel_prepares_goes_through_one_buffer(device, monkeypatch):
    """A buffer smaller than all matrices serves one run after the other, in the type of the model and askew, too; orders of
    permutations are kept where there is room, and made anew where there is none, or after they were released.
    """
    if not fused.available(device):
        pytest.skip("no kernels here")
    monkeypatch.setattr(staging, "BUFFER", 40_000)
    for domain, room in (("dct", True), ("permutation", True), ("permutation", False)):
        monkeypatch.setattr(staging, "RESERVE", 0 if room else 1 << 60)
        made = pairs(device, torch.float16, Codec(domain, cap=32))
        made[0] = made[0][0], torch.empty(70 * 96 + 1, device=device, dtype=torch.float16)[1:].view(70, 96)
        live = Live(made)
        for seed in (1, 2):
            live.decode(0.5, mask_seed=seed)
            for encoded, out in made:
                wanted = decoding.decode(encoded, 0.5, mask_seed=seed, dtype=torch.float16, kernel=False)
                assert torch.allclose(out, wanted, rtol=2e-3, atol=1e-6), encoded.name
            assert len(live._kept._places) == (3 if room and domain == "permutation" else 0)
            live.release()
        (staged,) = [s for _, s, _ in live._known.values()]
        assert len(staged._parts) > 1


def test_another_prior_is_taken_and_the_old_one_forgotten(device):
    made = pairs(device)
    live = Live(made)
    for weight in (1.0, 2.0):
        known = {e.name: encode(torch.full(e.shape, weight, device=device), e.codec, e.name, transposed=e.transposed)
                 for e, _ in made}  # fmt: skip
        live.decode(0.0, fill=Fill("guided", 1.0, known))
        assert all(torch.allclose(out, torch.full_like(out, weight), rtol=0.02, atol=0.02) for _, out in made)
    assert len(live._known) <= 1


def test_a_tensor_that_does_not_fit_is_named():
    (encoded, _), *_ = pairs("cpu")
    with pytest.raises(ValueError, match=r"a\.weight: out is \(96, 70\)"):
        Live([(encoded, torch.empty(96, 70))])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_model_is_decoded_in_one_launch(monkeypatch):
    """The whole storyteller goes through one call of the group's kernel, twice with the same tables, and is what it was."""
    found = lm.load("storyteller", device="cuda")
    before = {n: p.detach().clone() for n, p in stores.matrices(found.model).items()}
    coded = stores.encode_model(found.model, Codec(cap=128))
    launches, groups = [], []
    decode, build = fused.Group.decode, fused.Group.__init__
    monkeypatch.setattr(fused.Group, "decode", lambda self, **how: launches.append(1) or decode(self, **how))
    monkeypatch.setattr(fused.Group, "__init__", lambda self, items: groups.append(len(items)) or build(self, items))
    for _ in range(2):
        coded.decode_into(found.model)
    assert launches == [1, 1]
    assert groups == [len(coded.names())]
    for name, p in stores.matrices(found.model).items():
        assert float((p - before[name]).norm()) <= 0.02 * float(before[name].norm()), name


def test_decode_into_a_live_model_follows_moved_weights():
    """The kept tables are of addresses: when the model's weights lie elsewhere, they are made anew."""
    found = lm.load("storyteller", device="cpu")
    coded = stores.encode_model(found.model, Codec(cap=64))
    coded.decode_into(found.model, 0.5, damage="linears", mask_seed=3)
    first = {n: p.detach().clone() for n, p in stores.matrices(found.model).items()}
    with torch.no_grad():
        for p in found.model.parameters():
            p.data = torch.zeros_like(p)
    coded.decode_into(found.model, 0.5, damage="linears", mask_seed=3)
    for name, p in stores.matrices(found.model).items():
        assert torch.equal(p, first[name])
        whole = stores.parts(found.model)[name].role in ("embed", "head")
        alone = decoding.decode(coded.encoded(name), 1.0 if whole else 0.5, mask_seed=3)
        assert torch.equal(p, alone)
