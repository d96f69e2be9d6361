"""Vectors of the pool's arithmetic, computed apart from the Go code.

The rules are those of docs/domain.md, section 4, written down as they stand
there: exact fractions, and a floor where the rule says so. Run it to make
vectors.json anew:

    python3 vectors.py > vectors.json
"""

import json
import math
import random
from fractions import Fraction

BASIS_POINTS = 10_000
LOCKED = 1_000
LARGEST = 2**63 - 1

draw = random.Random(20261123)


def floor(value):
    return math.floor(Fraction(value))


def swap(x, y, amount, fee):
    """What amount brings, of the side whose reserve is x."""
    paid = Fraction(amount) * (BASIS_POINTS - fee) / BASIS_POINTS
    return floor(paid * y / (x + paid))


def first(x, y):
    """All shares of the first liquidity, LOCKED of them nobody's."""
    return math.isqrt(x * y)


def deposit(x, y, shares, dx, dy):
    return min(floor(Fraction(dx * shares, x)), floor(Fraction(dy * shares, y)))


def root_up(value):
    return math.isqrt(value - 1) + 1


def deposit_one(x, y, shares, dx):
    before = root_up(x * y)
    return floor(Fraction(shares * (math.isqrt((x + dx) * y) - before), before))


def withdraw(x, y, shares, burnt):
    return floor(Fraction(x * burnt, shares)), floor(Fraction(y * burnt, shares))


def scale(low=10**4, high=2**60):
    """Numbers of every size are as likely as each other."""
    return draw.randrange(low, min(high, 2 ** draw.randrange(14, 61)) + 1)


def pool():
    x, y = scale(), scale()
    return x, y, first(x, y)


def case(rule, pool, given, result, reason=""):
    return {
        "rule": rule,
        "pool": [str(n) for n in pool],
        "given": [str(n) for n in given],
        "result": [str(n) for n in result],
        "reason": reason,
    }


def swaps():
    graduated = (40_000 * 10**6, 160_000_000 * 10**6)
    for fee in (100, 30):
        for amount in (1, 10**6, 1_000 * 10**6, 40_000 * 10**6):
            x, y = graduated
            yield case("swap", (x, y, first(x, y)), (amount, fee), (swap(x, y, amount, fee),), "the default pool")
    for _ in range(120):
        x, y, shares = pool()
        amount, fee = scale(1), draw.choice((0, 30, 100, 1_000))
        out = swap(x, y, amount, fee)
        if out > 0 and x + amount <= LARGEST:
            yield case("swap", (x, y, shares), (amount, fee), (out,))


def liquidity():
    for _ in range(60):
        x, y, shares = pool()
        dx, dy = scale(1), scale(1)
        yield case("open", (0, 0, 0), (x, y), (shares - LOCKED, shares))
        if 0 < (minted := deposit(x, y, shares, dx, dy)) <= LARGEST - shares:
            yield case("deposit", (x, y, shares), (dx, dy), (minted,))
        if 0 < (minted := deposit_one(x, y, shares, dx)) <= LARGEST - shares:
            yield case("deposit_cnpy", (x, y, shares), (dx,), (minted,))
        if 0 < (minted := deposit_one(y, x, shares, dy)) <= LARGEST - shares:
            yield case("deposit_tokens", (x, y, shares), (dy,), (minted,))
        burnt = draw.randrange(1, shares)
        yield case("withdraw", (x, y, shares), (burnt,), withdraw(x, y, shares, burnt))


def small():
    """One side into pools so small that each rounding shows."""
    for _ in range(40):
        x, y, dx = draw.randrange(1_001, 5_000), draw.randrange(1_001, 5_000), draw.randrange(1, 50)
        if 0 < (minted := deposit_one(x, y, first(x, y), dx)):
            yield case("deposit_cnpy", (x, y, first(x, y)), (dx,), (minted,), "a small pool")


def parts():
    for _ in range(20):
        holding, percent = scale(1), draw.randrange(1, 101)
        yield case("percent", (0, 0, 0), (holding, percent), (floor(Fraction(holding * percent, 100)),))
        fee = draw.choice((0, 30, 100))
        yield case("fee", (0, 0, 0), (holding, fee), (math.ceil(Fraction(holding * fee, BASIS_POINTS)),))


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(one) for one in (*swaps(), *liquidity(), *parts(), *small()))
    print(f"[\n{lines}\n]")
