"""Makes a virtual environment for this program once: in a folder of its own, moved into place when it is complete."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
NEEDED = HERE / "requirements.txt"
KEY = hashlib.sha256(sys.version.encode() + NEEDED.read_bytes()).hexdigest()[:16]
PACKAGES = HERE / ".venv" / KEY


def main() -> None:
    if PACKAGES.is_dir():
        return
    PACKAGES.parent.mkdir(exist_ok=True)
    fresh = tempfile.mkdtemp(dir=PACKAGES.parent)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", fresh, "--requirement", str(NEEDED)]
    subprocess.run(pip, check=True)
    try:
        os.rename(fresh, PACKAGES)
    except OSError:  # another run was faster
        shutil.rmtree(fresh)
    link = PACKAGES.parent / f"link-{os.getpid()}"
    link.symlink_to(KEY)
    os.replace(link, PACKAGES.parent / "packages")


main()
