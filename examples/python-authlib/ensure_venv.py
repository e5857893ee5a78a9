"""Makes .venv beside this file, or in the folder named, and fills it from requirements.txt, unless that was already done.

Both examples share it. A stamp inside the venv holds the requirements it was filled from, so that a run in which
nothing changed costs no package look-up; a lock on that file lets two runs start at the same time.
"""

import fcntl
import pathlib
import subprocess
import sys
import venv

HERE = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent).resolve()
VENV = HERE / ".venv"
STAMP = VENV / "filled-from.txt"
WANTED = f"{sys.version}\n{(HERE / 'requirements.txt').read_text()}"


def is_filled() -> bool:
    return STAMP.is_file() and STAMP.read_text() == WANTED


def fill() -> None:
    venv.create(VENV, with_pip=True, clear=VENV.exists())
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", str(HERE / "requirements.txt")], check=True)
    STAMP.write_text(WANTED)


if not is_filled():
    # The lock lies outside the venv, which `fill` clears.
    with open(HERE / "requirements.txt") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_filled():
            fill()
