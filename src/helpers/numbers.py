"""How a number is written, once for prose, tables, badges and reasons: a true minus, no-break spaces, decimals that the
spread allows, and no interval where there is none. Knows nothing else of the project.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

MINUS, NBSP, NONE = "\u2212", "\u00a0", "–"
PM = f"{NBSP}±{NBSP}"
SMALL, LARGE = 1e-4, 1e6  # outside of these a number takes a power of ten
HYPHEN = re.compile(r"(?<![\w\-.])-(?=\.?\d)")
POWER = re.compile(r"(?<=\d)e([+-]?)0*(\d+)\b")
EMPTY = re.compile(r"(?<![^\s:])(\S+) \[\1, \1\]")  # an interval without width behind its estimate
PERCENT = re.compile(r"(?<=\d)%")
BESIDE = re.compile(r" ±[ \u00a0]|\u00a0± |(?<=\d) (?=(?:nats?|%|s|min|dB|kB|MB|GB|bits?)\b|%)")


def write(value: float | None, digits: int = 3) -> str:
    """A number to so many significant digits: '−0.63', '0.0014', '3.2 × 10⁻⁷'; '∞', and '–' for what is no number."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if value == 0:
        return "0"
    if SMALL <= abs(value) < LARGE:
        return fixed(value, max(0, digits - 1 - _power(value, digits)))
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa.replace('-', MINUS)}{NBSP}×{NBSP}10{_raised(int(power))}"


def fixed(value: float | None, decimals: int) -> str:
    """A number with so many decimals. Never '−0.00': what rounds to nothing has no sign."""
    if value is None or not math.isfinite(value):
        return write(value)
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def spread(estimate: float, half: float | None, decimals: int | None = None) -> str:
    """'0.058 ± 0.050': as many decimals as show the spread with two digits; alone where there is no spread."""
    if half is None or not math.isfinite(half) or half <= 0:
        return write(estimate) if decimals is None else fixed(estimate, decimals)
    places = _places(half, 2 if decimals is None else 1)
    if places is None:
        return f"{write(estimate)}{PM}{write(half, 2)}"
    places = max(places, decimals or 0)
    return f"{fixed(estimate, places)}{PM}{fixed(half, places)}"


def interval(estimate: float | None, low: float | None, high: float | None) -> str:
    """'0.058 [0.008, 0.109]', decimals by its width; '10.7' where both ends are the estimate; an open end is '∞'."""
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    low, high = (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
    if estimate is None or not math.isfinite(estimate) or low == high or (math.isinf(low) and math.isinf(high)):
        return write(estimate)
    ends = [v for v in (low, high) if math.isfinite(v)]
    places = _places(max(abs(v - estimate) for v in ends))
    if places is None:  # both ends may read the same then
        first, last = write(low, 2), write(high, 2)
        far = max(abs(v - estimate) for v in ends)
        return f"{write(estimate)} [{first}, {last}]" if first != last else f"{write(estimate)}{PM}{write(far, 2)}"
    return f"{fixed(estimate, places)} [{fixed(low, places)}, {fixed(high, places)}]"


def column(values: Sequence[float | None], digits: int = 3) -> list[str]:
    """The numbers of one column with the same decimals: those that its largest value needs, more if a smaller one would
    lose all but one of its digits. Very small and very large ones take a power of ten each."""
    known = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    if not known:
        return [write(v, digits) for v in values]
    if all(float(v).is_integer() for v in known) and max(known) < LARGE:
        return [fixed(v, 0) for v in values]
    plain = [v for v in known if SMALL <= v < LARGE] or known
    most, least = (digits - 1 - _power(max(plain), digits), 1 - _power(min(plain), 2))
    decimals = min(max(0, most, min(least, most + 2)), 6)
    few = 0.5 * 10.0**-decimals
    return [fixed(v, decimals) if v is None or v == 0 or few <= abs(v) < LARGE else write(v, 2) for v in values]


def unit(text: str, name: str) -> str:
    """A number with its unit, which no line break can part: '0.41 nats', '40 %'."""
    return f"{text}{NBSP}{name}" if name else text


def seconds(value: float) -> str:
    """A time for people: '8 s', '98 s', '6.6 min', '2.1 h'."""
    for length, name in ((3600, "h"), (60, "min")):
        if value >= 2 * length:
            return unit(f"{value / length:.1f}" if value < 10 * length else f"{value / length:.0f}", name)
    return unit(f"{value:.0f}", "s")


def p(value: float) -> str:
    """A p-value: two digits, and '< 0.0001' below."""
    return f"<{NBSP}0.0001" if value < 1e-4 else write(value, 2)


def tidy(text: str) -> str:
    """A sentence with numbers that were written by hand or by another program: minus signs, powers of ten, spaces that hold
    units and spreads, no interval of no width."""
    text = PERCENT.sub(f"{NBSP}%", EMPTY.sub(r"\1", HYPHEN.sub(MINUS, text)))
    text = POWER.sub(lambda m: f"{NBSP}×{NBSP}10{_raised(int(m[1] + m[2]))}", text)
    return BESIDE.sub(lambda m: PM if "±" in m[0] else NBSP, text)


def _power(value: float, digits: int) -> int:
    """The power of ten of a number as it is after rounding: 9.996 to three digits is 10.0."""
    return int(f"{abs(value):.{digits - 1}e}".partition("e")[2])


def _places(half: float, digits: int = 2) -> int | None:
    """Decimals that show a half width with so many digits; None where these are too many to read."""
    places = max(0, digits - 1 - _power(half, digits))
    return places if places <= 6 else None


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
