"""What the tests of the grader share."""

import os

import pytest

from diffusion_lite_classroom import sandbox


@pytest.fixture(scope="session")
def bubblewrap():
    """Skip a test where no notebook can be shut in; in CI, fail it."""
    if why := sandbox.missing():
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
