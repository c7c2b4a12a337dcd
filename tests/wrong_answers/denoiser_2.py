"""Wrong answers: attention."""


def score(q, k):
    return q @ k.transpose(1, 2) / q.shape[2] ** 0.5


def no_root_of_c(q, k, v):
    """It looks like no division by the root of C."""
    return (q @ k.transpose(1, 2)).softmax(2) @ v


def divided_by_c(q, k, v):
    """It looks like a division by C, without its root."""
    return (q @ k.transpose(1, 2) / q.shape[2]).softmax(2) @ v


def over_the_queries(q, k, v):
    """takes home the mean of all values, and yours does not."""
    return score(q, k).softmax(1) @ v


def over_the_batch(q, k, v):
    """takes home the mean of all values, and yours does not."""
    return score(q, k).softmax(0) @ v


def no_softmax(q, k, v):
    """takes home the mean of all values, and yours does not."""
    return score(q, k) @ v


def exchanged(q, k, v):
    """takes home the mean of all values, and yours does not."""
    return score(k, q).softmax(2) @ v


def of_the_keys(q, k, v):
    """takes home the mean of all values, and yours does not."""
    return score(q, k).softmax(2) @ k


def divided_afterwards(q, k, v):
    """takes home the mean of all values, and yours does not."""
    return (q @ k.transpose(1, 2)).softmax(2) @ v / q.shape[2] ** 0.5


def root_of_n(q, k, v):
    """It looks like the root of N for that of C."""
    return (q @ k.transpose(1, 2) / q.shape[1] ** 0.5).softmax(2) @ v
