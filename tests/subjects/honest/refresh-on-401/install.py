"""Makes a virtual environment for this program once: in a folder of its own, shown to others when it is complete."""

import hashlib
import os
import pathlib
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
NEEDED = HERE / "requirements.txt"
PLACE = HERE / ".venv"
CURRENT = PLACE / "current"
KEY = hashlib.sha256(sys.version.encode() + NEEDED.read_bytes()).hexdigest()[:12]


def main() -> None:
    if CURRENT.is_symlink() and os.readlink(CURRENT).startswith(KEY):
        return
    name = f"{KEY}-{os.getpid()}"
    venv.create(PLACE / name, with_pip=True)
    python = str(PLACE / name / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", str(NEEDED)], check=True)
    # Another run may do the same at this moment: whichever link comes last stays, and both are good.
    link = PLACE / f"link-{os.getpid()}"
    link.symlink_to(name)
    os.replace(link, CURRENT)


main()
