"""The page of the package's public functions: book/api.md.

``python tools/api.py`` writes it from the module map, a section a module from
the ground floor up. Sphinx's autodoc fills the sections when the book is
built. This file is a Sphinx extension, too: docstrings are plain text, and
here they become the markup that autodoc expects.
"""

import ast
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.ext.napoleon import GoogleDocstring

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"^(?:\d+\.|  ) +``(\w+)``", re.M)
LITERAL = re.compile(r"(``.+?``)", re.DOTALL)
SPECIAL = re.compile(r"[\\*|`]|_\b")
EQUATION = re.compile(r"\beq-[\w-]+")
OWN_LINE = re.compile(r"^(?=(?:Book|Shapes): )", re.M)

INTRO = """\
# API reference

Every public function and class of `diffusion_lite`, with its formula, where
the book derives it, the paper, the shapes, and what it raises. A module
imports only from floors below its own, so read from the top to see the house
being built. The page is made from the code when the book is built.
"""
SECTION = """\
## {name}

```{{eval-rst}}
.. automodule:: diffusion_lite.{name}
```
"""


def write(root: Path) -> None:
    """Write root/book/api.md if it changed."""
    path = root / "book" / "api.md"
    text = render(root / "diffusion_lite")
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def render(package: Path) -> str:
    """Return the page in MyST Markdown."""
    source = (package / "__init__.py").read_text(encoding="utf-8")
    names = NAMED.findall(ast.get_docstring(ast.parse(source)))
    return "\n".join([INTRO, *(SECTION.format(name=name) for name in names)])


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx read docstrings as the plain text that they are."""
    app.connect("autodoc-process-docstring", _marked_up)
    app.connect("autodoc-process-signature", _readable)
    return {"parallel_read_safe": True}


def _marked_up(
    app: Sphinx, what: str, name: str, it: object, options: dict, lines: list
) -> None:
    """Put markup in the place of a docstring's plain lines."""
    lines[:] = GoogleDocstring(markup("\n".join(lines))).lines()


def _readable(
    app: Sphinx, what: str, name: str, it: object, options: dict, *parts: str
) -> tuple[str, str]:
    """Return a signature and what is returned, without what misleads.

    Only a protocol takes any arguments: nobody makes one. And torch's
    Generator is not the GAN's.
    """
    signature, returns = parts
    if signature in {None, "(*args, **kwargs)"}:
        return "", returns
    return signature.replace("~torch._C.Generator", "torch.Generator"), returns


def markup(text: str) -> str:
    """Return plain text as reStructuredText, an equation's label as a link.

    What stands between double backticks is code already.
    """
    parts = LITERAL.split(text)
    parts[::2] = [SPECIAL.sub(r"\\\g<0>", part) for part in parts[::2]]
    linked = EQUATION.sub(r":eq:`\g<0>`", "".join(parts))
    return OWN_LINE.sub("\n", linked)


if __name__ == "__main__":
    write(ROOT)
