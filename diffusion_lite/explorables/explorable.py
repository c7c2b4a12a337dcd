"""What every live figure shares: how it reaches a page, with what data."""

import inspect
import re
from pathlib import Path
from typing import Any

import anywidget  # in the extra: labs
import torch
from torch import Tensor, nn
from traitlets import Dict, Unicode

from diffusion_lite import plotting
from diffusion_lite.mixtures import GaussianMixture

HALF_MAX = torch.finfo(torch.half).max
HERE = Path(__file__).parent
IMPORT = re.compile(r'^import \{[^}]*\} from "(\./[^"]+)";\n', re.M)
COMMENTS = re.compile(
    r"^ *(//[^\n]*|/\*\*((?!\*/).)*\*/)\n"  # on lines of their own
    r"|/\*\* @((?!\*/).)*\*/ ?",  # a value's type, before it
    re.M | re.S,
)
"""They are for readers of the files, and a third of their size."""


class Explorable(anywidget.AnyWidget):
    """A figure that computes in the page. Subclass it beside a script.

    The script has the name of the subclass's module and ends in .js.

    Shown as a cell's value it runs in JupyterLab. In the built book it takes
    the place of the still figure whose name is ``figure``; without one, it
    stands where its cell stands. ``state`` is what the reader has changed:
    read it, or set it, by the names of the controls. ``data`` is what the
    script is handed; a page does not keep the order of a dict's keys.
    """

    _css = (HERE / "explorable.css").read_text(encoding="utf-8")

    colors = Dict(
        {
            "data": plotting.DATA,
            "noise": plotting.NOISE,
            "model": plotting.MODEL,
            "exact": plotting.EXACT,
        }
    ).tag(sync=True)
    data = Dict().tag(sync=True)
    figure = Unicode().tag(sync=True)
    state = Dict().tag(sync=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if not hasattr(cls, "_esm"):  # anywidget subclasses a subclass again
            cls._esm = joined(Path(inspect.getfile(cls)).with_suffix(".js"))
        super().__init_subclass__(**kwargs)


def joined(script: Path) -> str:
    """Return a script as one text, after all that it imports, each once.

    A page holds its scripts as text, so none has an address from which it
    could import another. Comments are left out.

    Raises:
        ValueError: a script imports in another way than by names from a file
            beside it.
    """
    texts: dict[Path, str] = {}
    _collect(script.resolve(), texts)
    return "\n".join(texts.values())


def _collect(script: Path, texts: dict[Path, str]) -> None:
    """Add a script's text, after the texts of what it imports."""
    if script in texts:
        return
    text = script.read_text(encoding="utf-8")
    for name in IMPORT.findall(text):
        _collect((script.parent / name).resolve(), texts)
    own = COMMENTS.sub("", IMPORT.sub("", text))
    if other := re.search(r"^import\b.*", own, re.M):
        raise ValueError(
            f"{script.name} must import names from files beside it, as in "
            f'import {{ x }} from "./shared/stage.js"; got {other[0]}'
        )
    texts[script] = own


def floats(x: Tensor) -> bytes:
    """Return the entries of x as a script reads them: float32, in a row."""
    return x.detach().cpu().to(torch.float32).numpy().astype("<f4").tobytes()


def halves(x: Tensor) -> bytes:
    """Return the entries of x in half precision: two bytes each."""
    return x.detach().cpu().to(torch.float32).numpy().astype("<f2").tobytes()


def network_data(*networks: nn.Module) -> dict[str, Any]:
    """Return the weights of networks of one shape, in half precision.

    Raises:
        ValueError: a weight is not finite in half precision.
    """
    tables = [network.state_dict() for network in networks]
    for name, weight in ((k, w) for table in tables for k, w in table.items()):
        if not bool(torch.isfinite(weight.half()).all()):
            raise ValueError(
                f"network must have weights within {HALF_MAX:g}, as half "
                f"precision has them; {name} has others"
            )
    flat = [w.cpu().flatten() for table in tables for w in table.values()]
    return {
        "sizes": [[name, w.numel()] for name, w in tables[0].items()],
        "weights": halves(torch.cat(flat)),
    }


def line_mixture(mixture: GaussianMixture) -> dict[str, list[float]]:
    """Return a mixture on a line as a script reads it.

    Raises:
        ValueError: the mixture has more than one dimension.
    """
    if mixture.dim != 1:
        raise ValueError(f"the mixture must be 1-D, got {mixture.dim}-D")
    return {
        "weights": mixture.weights.tolist(),
        "means": mixture.means[:, 0].tolist(),
        "variances": mixture.covariances[:, 0, 0].tolist(),
    }


def plane_mixture(mixture: GaussianMixture) -> dict[str, Any]:
    """Return a 2-D mixture as a script reads it."""
    variances = mixture.covariances.diagonal(dim1=1, dim2=2)
    return {
        "weights": mixture.weights.tolist(),
        "means": floats(mixture.means),
        "variances": floats(variances),
    }
