"""A JupyterHub for one course, on one machine.

    make student
    .venv/bin/pip install -e './classroom[hub]'
    CLASS_PASSWORD=... .venv/bin/jupyterhub -f classroom/jupyterhub_config.py

Students open port 8000 of the machine, choose a name, and give the password.
Each gets a folder of their own with the labs, in class/: back it up.

All of them work as the one user who started the hub, and whoever knows the
password can come in under any name: this keeps friends apart, and nobody
else. For more, give every student an account of the machine: The Littlest
JupyterHub does that. Nor does it speak https: in a network that you do not
trust, put a web server in front.
"""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LABS = ROOT / "_build" / "student" / "notebooks"
STUDENTS = Path(os.environ.get("CLASS_FOLDER", ROOT / "class"))
THREADS = os.environ.get("CLASS_THREADS", "1")
GIGABYTES = int(os.environ.get("CLASS_GIGABYTES", "3"))  # for each process

if not LABS.is_dir():
    sys.exit("There are no student labs yet: run `make student` first.")
if len(os.environ.get("CLASS_PASSWORD", "")) < 8:
    sys.exit("Set CLASS_PASSWORD to a password of 8 letters or more.")


def labs_for(spawner):
    """Give a student the labs that they do not have yet."""
    folder = STUDENTS / spawner.user.name
    folder.mkdir(parents=True, exist_ok=True)
    for lab in sorted(LABS.glob("*.ipynb")):
        if not (folder / lab.name).exists():
            shutil.copy(lab, folder)


c = get_config()  # noqa: F821 - JupyterHub hands this function in

# One password for the whole class.
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = os.environ["CLASS_PASSWORD"]
c.Authenticator.allow_all = True
c.Authenticator.username_pattern = r"[a-z][a-z0-9_-]{1,30}"

# A process for each student, in their own folder.
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(STUDENTS / "{username}")
# A cell that asks for more memory gets a MemoryError, and its neighbours
# notice nothing. (prlimit comes with Linux.)
limit = ["prlimit", f"--data={GIGABYTES * 2**30}"]
start = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.cmd = [*limit, *start] if shutil.which("prlimit") else start
c.Spawner.default_url = "/lab"
c.Spawner.pre_spawn_hook = labs_for
c.Spawner.start_timeout = 120
# Each lab may use one core: with thirty students on eight cores, threads
# that fight for them would make every lab slower.
c.Spawner.environment = {
    "OMP_NUM_THREADS": THREADS,
    "GOMP_SPINCOUNT": "20000",
}

# A kernel that has been idle for an hour gives its memory back, even where
# its tab is still open; one that trains is not idle.
c.Spawner.args = [
    "--MappingKernelManager.cull_idle_timeout=3600",
    "--MappingKernelManager.cull_interval=300",
    "--MappingKernelManager.cull_connected=True",
]

if os.geteuid() == 0:
    print("The students work as root: only in a container to throw away!")
    c.Spawner.args.append("--allow-root")

c.JupyterHub.bind_url = os.environ.get("CLASS_ADDRESS", "http://:8000")
beside = Path(sys.executable).with_name("configurable-http-proxy")
c.ConfigurableHTTPProxy.command = [os.environ.get("CLASS_PROXY", str(beside))]
STUDENTS.mkdir(parents=True, exist_ok=True)
c.JupyterHub.cookie_secret_file = str(STUDENTS / ".cookie_secret")
c.JupyterHub.db_url = f"sqlite:///{STUDENTS / '.jupyterhub.sqlite'}"
c.ConfigurableHTTPProxy.pid_file = str(STUDENTS / ".proxy.pid")
