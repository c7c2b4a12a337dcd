"""Make .venv and install requirements.txt into it.

Run it with any Python 3.11 or newer: ``python tools/bootstrap.py``. What
pip says is kept in .venv/install.log. The file .venv/.installed is written
last, so an installation that was cut short never counts as done.
"""

import os
import subprocess
import sys

VENV = ".venv"
LOG = os.path.join(VENV, "install.log")
STAMP = os.path.join(VENV, ".installed")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
PYTHON = os.path.join(BIN, "python")


def main():
    """Set up the environment, or stop with one sentence."""
    if sys.version_info < (3, 11):
        sys.exit(
            "Diffusion Lite needs Python 3.11 or newer, and this is %d.%d."
            % sys.version_info[:2]
        )
    print("Making the environment in .venv ...", flush=True)
    if subprocess.call([sys.executable, "-m", "venv", VENV]):
        sys.exit(
            "The environment could not be made: install Python's venv module "
            "(on Debian and Ubuntu: apt install python3-venv) and try again."
        )
    print("Installing requirements.txt (some minutes) ...", flush=True)
    with open(LOG, "w", encoding="utf-8") as log:
        install = [PYTHON, "-m", "pip", "install", "-r", "requirements.txt"]
        failed = subprocess.call(install, stdout=log, stderr=log)
    if failed:
        sys.exit(
            f"The packages could not be installed ({reason()}): look into "
            f"{LOG}, check the network and the free space, and try again."
        )
    with open(STAMP, "w", encoding="utf-8"):
        pass


def reason():
    """Return pip's last error, or what is known without one."""
    with open(LOG, encoding="utf-8", errors="replace") as log:
        errors = [line[7:].strip() for line in log if line[:7] == "ERROR: "]
    return errors[-1] if errors else "pip gave no reason"


if __name__ == "__main__":
    main()
