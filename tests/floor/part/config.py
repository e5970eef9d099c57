"""What is drawn, checked before anything is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Draws:
    """Samples of normal numbers around zero. sizes: numbers in a sample; trials: samples of each size; scale: their spread."""

    seeds: int = 8
    trials: int = 400
    scale: float = 1.0
    sizes: tuple[int, ...] = (4, 16, 64)

    def __post_init__(self):
        if self.trials < 10:
            raise ValueError(f"trials={self.trials}: an error of so few samples says nothing; use 10 or more")
