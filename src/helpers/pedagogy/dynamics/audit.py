"""Which term of the pedagogical loss reaches which parameters of the generator, asked of autograd."""

from __future__ import annotations

import torch

from helpers.pedagogy import layers
from helpers.pedagogy.course import Game
from helpers.pedagogy.dynamics.config import TERMS

GROUPS = {  # part of the generator: names of its parameters
    "label embedding": ("embed",),
    "first layer": ("first", "norm1"),
    "middle layers": ("conv2", "norm2", "conv3", "norm3"),
    "image output": ("out",),
    "v_pred head": ("told1", "told2"),
}


def audit(game: Game) -> list[dict[str, object]]:
    """A row a term: its name, and for each part of the generator the norm of its gradient there, over the game's
    models; nan where autograd knows of no way. Nothing is trained: one batch, of step 0; running statistics are put
    back."""
    generator = {
        k: v for k, v in game.params.items() if k.startswith("generator.") and k not in layers.buffers(game.params)
    }
    before = [v.clone() for v in game.keeps]
    for v in generator.values():
        v.requires_grad_(True)
    found = game.terms(game.params, torch.zeros((), dtype=torch.long, device=game.device))
    rows = []
    for term, told in TERMS.items():
        loss, row = found[term].sum(), {"term": told}
        for part, names in GROUPS.items():
            of = [v for k, v in generator.items() if k.removeprefix("generator.").partition(".")[0] in names]
            row[part] = _norm(loss, of)
        rows.append(row)
    for v in generator.values():
        v.requires_grad_(False)
    for v, old in zip(game.keeps, before, strict=True):
        v.copy_(old)
    return rows


def _norm(loss: torch.Tensor, of: list[torch.Tensor]) -> float:
    if not loss.requires_grad:
        return float("nan")
    grads = [g for g in torch.autograd.grad(loss, of, retain_graph=True, allow_unused=True) if g is not None]
    return float(torch.stack([g.square().sum() for g in grads]).sum().sqrt()) if grads else float("nan")
