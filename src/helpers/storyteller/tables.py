"""The chapter's tables, from the cards of trained models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

ASKED = {  # what a card's result holds
    "loss": "held-out loss, nats a token",
    "excess": "more than the grammar's own",
    "ioi": "indirect object: right name above wrong",
    "ioi_gap": "mean difference of their logits",
    "answers": "questions answered",
    "violations_form": "sentences of wrong form, of 1,000",
    "violations_world": "sentences that contradict the story, of 1,000",
}


def learned(cards: Sequence[Mapping], committed: Mapping, name: str) -> pd.DataFrame:
    """A row a question: the mean over the cards of this run's models, under `name`, and the committed model's answer."""
    mean = lambda key: np.mean([c["result"][key] for c in cards])
    rows = [{"": told, name: mean(key), "committed": committed["result"][key]} for key, told in ASKED.items()]
    return pd.DataFrame(rows)


def checksums(cards: Sequence[Mapping], committed: Mapping) -> pd.DataFrame:
    """A row a card: the first digits of its weights' sha256, and whether they are the committed model's."""
    weights = lambda card: card["sha256"]["model.safetensors"]
    return pd.DataFrame(
        {
            "seed": c["recipe"]["seed"],
            "weights": weights(c)[7:23],
            "the committed bytes": "yes" if weights(c) == weights(committed) else "no",
        }
        for c in cards
    )


def family(members: Mapping[str, Mapping]) -> pd.DataFrame:
    """A row a member, by size and name, from its card."""
    return pd.DataFrame(
        {
            "model": name,
            "parameters": f"{c['parameters']:,}",
            "excess, nats": c["result"]["excess"],
            "answers": c["result"]["answers"],
        }
        for name, c in sorted(members.items(), key=lambda item: (item[1]["size"], item[0]))
    )
