"""Wrong answers: one update of the moving mean."""


def exchanged(means, weights, d):
    """It looks like d and 1 - d exchanged."""
    for mean, weight in zip(means, weights, strict=True):
        mean.lerp_(weight, d)


def not_of_sum_1(means, weights, d):
    """It looks like factors whose sum is not 1."""
    for mean, weight in zip(means, weights, strict=True):
        mean.mul_(d).add_(weight)


def added_whole(means, weights, d):
    """It looks like the weight added whole."""
    for mean, weight in zip(means, weights, strict=True):
        mean.add_((1 - d) * weight)


def copied(means, weights, d):
    """It looks like the weight itself: d has no part."""
    for mean, weight in zip(means, weights, strict=True):
        mean.copy_(weight)


def half(means, weights, d):
    """It looks like a mean of both, half and half."""
    for mean, weight in zip(means, weights, strict=True):
        mean.lerp_(weight, 0.5)


def nothing_moves(means, weights, d):
    """Nothing has moved."""
    for mean, weight in zip(means, weights, strict=True):
        mean = d * mean + (1 - d) * weight


def new_tensors(means, weights, d):
    """Change the tensors in place"""
    for i, weight in enumerate(weights):
        means[i] = d * means[i] + (1 - d) * weight


def moves_the_weights(means, weights, d):
    """It changes the weights"""
    for mean, weight in zip(means, weights, strict=True):
        weight.lerp_(mean, 1 - d)


def leaves_after_the_first(means, weights, d):
    """is a return inside the loop?"""
    for mean, weight in zip(means, weights, strict=True):
        mean.lerp_(weight, 1 - d)
        break


def spoils_the_last_weight(means, weights, d):
    """It changes the weights"""
    for mean, weight in zip(means, weights, strict=True):
        mean.lerp_(weight, 1 - d)
    weights[-1].copy_(means[-1])


def one_more(means, weights, d):
    """make no new ones"""
    means.append(weights[0].clone())
    for mean, weight in zip(means[:3], weights, strict=True):
        mean.lerp_(weight, 1 - d)
