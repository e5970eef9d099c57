"""Which of a model's parameters are its embedding and its output head, asked of the model and not of their names."""

from __future__ import annotations

from torch import Tensor, nn


def embeddings(model: nn.Module) -> dict[str, str | None]:
    """{'embed': name, 'head': name} of parameters as `named_parameters` names them; one name twice where they are tied.

    None for a part that the model does not have, or that is no single matrix.
    """
    names = {id(p): name for name, p in model.named_parameters()}
    ask = {"embed": "get_input_embeddings", "head": "get_output_embeddings"}
    return {part: names.get(id(_weight(model, method))) for part, method in ask.items()}


def rows(model: nn.Module) -> int:
    """How many tokens have a row in a model's embedding."""
    known = _weight(model, "get_input_embeddings")
    return int(model.config.vocab_size) if known is None else len(known)


def _weight(model: nn.Module, method: str) -> Tensor | None:
    try:
        return getattr(getattr(model, method)(), "weight", None)
    except (AttributeError, NotImplementedError):
        return None
