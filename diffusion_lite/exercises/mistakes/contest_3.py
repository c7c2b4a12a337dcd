"""Wrong answers: the operations of a convolution, both ways."""


def _forward(weight, y):
    """Return the multiplications and additions of the forward pass."""
    return 2 * y.numel() * weight[0].numel()


def _ways(first):
    return 2 if first else 3


def multiplications_alone(x, weight, y, first):
    """It looks like the multiplications alone: each has an addition."""
    return _ways(first) * _forward(weight, y) // 2


def forward_alone(x, weight, y, first):
    """It looks like the forward pass alone."""
    return _forward(weight, y)


def one_way_back(x, weight, y, first):
    """It looks like one product on the way back: there are two."""
    return 2 * _forward(weight, y)


def first_like_the_rest(x, weight, y, first):
    """It looks like a slope in the picture: the first layer needs none."""
    return 3 * _forward(weight, y)


def size_of_the_input(x, weight, y, first):
    """It looks like the size of what goes in: a stride makes it less."""
    share = x[0, 0].numel() / y[0, 0].numel()
    return round(_ways(first) * _forward(weight, y) * share)


def side_of_the_kernel(x, weight, y, first):
    """It looks like k where k^2 belongs."""
    return _ways(first) * _forward(weight, y) // weight.shape[-1]


def no_kernel(x, weight, y, first):
    """It looks like a kernel of one pixel: k^2 is missing."""
    return _ways(first) * _forward(weight, y) // weight.shape[-1] ** 2


def one_picture(x, weight, y, first):
    """It looks like one picture of the batch."""
    return _ways(first) * _forward(weight, y) // len(x)


def one_channel_in(x, weight, y, first):
    """It looks like one channel that goes in: the kernel reads them all."""
    return _ways(first) * _forward(weight, y) // weight.shape[1]


def one_channel_out(x, weight, y, first):
    """It looks like one channel that comes out: each has its own kernel."""
    return _ways(first) * _forward(weight, y) // len(weight)


def one_pixel(x, weight, y, first):
    """It looks like one place: the kernel goes over the whole picture."""
    return _ways(first) * _forward(weight, y) // y[0, 0].numel()


def as_if_connected(x, weight, y, first):
    """It looks like a linear layer, each pixel to each: a kernel reads k^2."""
    return _ways(first) * 2 * len(x) * x[0].numel() * y[0].numel()


def with_a_bias(x, weight, y, first):
    """It looks like a bias counted with the products: there is none."""
    return _ways(first) * (_forward(weight, y) + y.numel())
