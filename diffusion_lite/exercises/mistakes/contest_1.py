"""Wrong answers: the p of the signed-rank test."""

import math


def _sums(ranks):
    """Return in how many ways some of the ranks have each sum."""
    ways = [1]
    for rank in ranks:
        none = [0] * int(rank)
        both = zip(none + ways, ways + none, strict=True)
        ways = [x + y for x, y in both]
    return ways


def _ranks(sizes):
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    ranks = [0] * len(sizes)
    for place, i in enumerate(order):
        ranks[i] = place + 1
    return ranks


def _p(ranks, d, farther=lambda s, lean: abs(s) >= abs(lean)):
    """Return the share of the choices of signs whose sums are farther."""
    total = sum(ranks)
    lean = sum(math.copysign(r, x) for r, x in zip(ranks, d, strict=True))
    ways = enumerate(_sums(ranks))
    far = sum(n for up, n in ways if farther(2 * up - total, lean))
    return far / 2 ** len(d)


def _sizes(d):
    return [abs(float(x)) for x in d]


def one_sided(d):
    """It looks like one side only: as far below 0 counts, too."""
    ranks = _ranks(_sizes(d))
    return _p(ranks, d, lambda s, lean: s >= abs(lean))


def strictly_farther(d):
    """It looks like the sums that are farther: as far counts, too."""
    ranks = _ranks(_sizes(d))
    return _p(ranks, d, lambda s, lean: abs(s) > abs(lean))


def signs_alone(d):
    """It looks like the sign test: it counts seeds, and forgets the ranks."""
    return _p([1] * len(d), d)


def blown_up_left_out(d):
    """It looks like a seed that blew up is left out: it has the last rank."""
    kept = [float(x) for x in d if math.isfinite(x)]
    return _p(_ranks(_sizes(kept)), kept)


def blown_up_is_smallest(d):
    """It looks like infinity with the lowest rank: it has the highest."""
    sizes = [0.0 if math.isinf(x) else x for x in _sizes(d)]
    return _p(_ranks(sizes), d)


def ranks_with_signs(d):
    """It looks like ranks of d itself: rank the sizes |d|."""
    return _p(_ranks([float(x) for x in d]), d)


def ranks_from_zero(d):
    """It looks like ranks from 0 to n - 1: the smallest size has rank 1."""
    return _p([rank - 1 for rank in _ranks(_sizes(d))], d)


def ranks_that_fall(d):
    """It looks like ranks that fall: the largest size has rank n."""
    return _p(_ranks([-x for x in _sizes(d)]), d)


def bell_curve(d):
    """It looks like the Gaussian approximation: count, so few can be."""
    n = len(d)
    ranks = _ranks(_sizes(d))
    lean = sum(math.copysign(r, x) for r, x in zip(ranks, d, strict=True))
    return math.erfc(abs(lean) / math.sqrt(n * (n + 1) * (2 * n + 1) / 3))


def half_the_choices(d):
    """It looks like a division by 2^(n - 1): there are 2^n choices."""
    return 2 * _p(_ranks(_sizes(d)), d)


def student(d):
    """It looks like Student's t test, of the differences themselves."""
    from scipy import stats

    t = float(d.mean() / d.std()) * len(d) ** 0.5
    return float(2 * stats.t.sf(abs(t), len(d) - 1))


def the_sum(d):
    """It looks like the sum of the ranks above 0, and no p yet."""
    pairs = zip(_ranks(_sizes(d)), d, strict=True)
    return float(sum(rank for rank, x in pairs if x > 0))
