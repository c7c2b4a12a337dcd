"""Wrong answers: a mean of the data from logits."""


def generators_own(values, logits):
    """It looks like the generator's own mean."""
    return values.mean()


def chance_as_weight(values, logits):
    """It looks like the sigmoid of the logit as the weight."""
    weight = logits.sigmoid()
    return (weight * values).sum() / weight.sum()


def upside_down(values, logits):
    """It looks like the ratio upside down."""
    return ((-logits).softmax(0) * values).sum()


def not_divided(values, logits):
    """It looks like a weighted sum that is not divided."""
    return (logits.exp() * values).sum()


def logit_as_weight(values, logits):
    """It looks like the logit itself as the weight."""
    return (logits * values).mean()


def only_on_average(values, logits):
    """With a constant added to every logit"""
    return (logits.exp() * values).mean()


def runs_out(values, logits):
    """With 800 added to every logit"""
    ratio = logits.exp().clamp(max=1e300)
    return (ratio * values).sum() / ratio.sum()


def one_for_each(values, logits):
    """and not a number"""
    return logits.softmax(0) * values


def plain(values, logits):
    """With 800 added to every logit"""
    ratio = logits.exp()
    return (ratio * values).sum() / ratio.sum()


def mean_off(values, logits):
    """softmax does not, for it takes the largest logit off first."""
    return plain(values, logits - logits.mean())


def smallest_off(values, logits):
    """softmax does not, for it takes the largest logit off first."""
    return plain(values, logits - logits.min())


def first_off(values, logits):
    """softmax does not, for it takes the largest logit off first."""
    return plain(values, logits - logits[0])


def last_off(values, logits):
    """softmax does not, for it takes the largest logit off first."""
    return plain(values, logits - logits[-1])


def divided_twice(values, logits):
    """It looks like a mean, where softmax has divided already."""
    return (logits.softmax(0) * values).mean()
