"""What settings are checked with before anything is loaded: one sentence for what is wrong and what works."""

from __future__ import annotations

from itertools import count


def expect(holds: bool, otherwise: str) -> None:
    """Raises ValueError, with what is wrong and what works, unless it holds."""
    if not holds:
        raise ValueError(otherwise)


def at_least(settings: object, **least: float) -> None:
    """Raises ValueError for the first setting that lies below what is named for it."""
    for name, lowest in least.items():
        value = getattr(settings, name)
        expect(value >= lowest, f"{name}={value} is too few; use {lowest} or more")


def a_rate(rate: float) -> None:
    """Raises ValueError unless Adam can learn at this rate."""
    expect(0 < rate <= 1, f"rate={rate} is no learning rate of Adam; use one above 0 and up to 1")


def prime(n: int) -> bool:
    """Whether n is a prime number."""
    return n > 1 and all(n % k for k in range(2, int(n**0.5) + 1))


def nearest_prime(n: int, least: int = 7) -> int:
    """The prime nearest to n, the larger of two; never below `least`."""
    return next(q for k in count() for q in (n + k, n - k) if q >= least and prime(q))
