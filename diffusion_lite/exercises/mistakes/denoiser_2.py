"""Wrong answers: attention."""


def _score(q, k):
    return q @ k.transpose(1, 2) / q.shape[2] ** 0.5


def no_root_of_c(q, k, v):
    """It looks like no division by the root of C."""
    return (q @ k.transpose(1, 2)).softmax(2) @ v


def divided_by_c(q, k, v):
    """It looks like a division by C, without its root."""
    return (q @ k.transpose(1, 2) / q.shape[2]).softmax(2) @ v


def over_the_queries(q, k, v):
    """It looks like a softmax over the queries."""
    return _score(q, k).softmax(1) @ v


def over_the_batch(q, k, v):
    """It looks like a softmax over the batch."""
    return _score(q, k).softmax(0) @ v


def no_softmax(q, k, v):
    """It looks like no softmax."""
    return _score(q, k) @ v


def exchanged(q, k, v):
    """It looks like queries and keys exchanged."""
    return _score(k, q).softmax(2) @ v


def of_the_keys(q, k, v):
    """It looks like a product with the keys."""
    return _score(q, k).softmax(2) @ k


def divided_afterwards(q, k, v):
    """It looks like a division after the softmax."""
    return (q @ k.transpose(1, 2)).softmax(2) @ v / q.shape[2] ** 0.5


def root_of_n(q, k, v):
    """It looks like the root of N for that of C."""
    return (q @ k.transpose(1, 2) / q.shape[1] ** 0.5).softmax(2) @ v


def keys_first_over_the_queries(q, k, v):
    """It looks like the weights turned over: row i is what place i thinks."""
    return _score(k, q).softmax(1) @ v


def scores_alone(q, k, v):
    """It looks like no softmax, and no division by the root of C."""
    return q @ k.transpose(1, 2) @ v


def not_normalised(q, k, v):
    """It looks like exp, not normalised: softmax does both."""
    return _score(q, k).exp() @ v


def summed(q, k, v):
    """It looks like the sum of the values."""
    return v.sum(1, keepdim=True).expand_as(v)


def averaged(q, k, v):
    """It looks like the mean of the values."""
    return v.mean(1, keepdim=True).expand_as(v)


def of_the_queries(q, k, v):
    """It looks like a product with the queries."""
    return _score(q, k).softmax(2) @ q


def times_the_root(q, k, v):
    """It looks like a product with the root of C."""
    return (q @ k.transpose(1, 2) * q.shape[2] ** 0.5).softmax(2) @ v


def untouched(q, k, v):
    """It looks like the values, untouched."""
    return v.clone()


def divided_by_n(q, k, v):
    """Where all keys are equal, each place must get the mean"""
    return _score(q, k).exp() @ v / q.shape[1]


def too_sharp(q, k, v):
    """PyTorch's attention: yours"""
    return (3 * _score(q, k)).softmax(2) @ v


def runs_out(q, k, v):
    """exp runs out of numbers, softmax does not."""
    weight = _score(q, k).exp()
    return weight / weight.sum(2, keepdim=True) @ v


def one_largest_for_all(q, k, v):
    """exp runs out of numbers, softmax does not."""
    weight = (_score(q, k) - _score(q, k).max()).exp()
    return weight / weight.sum(2, keepdim=True) @ v
