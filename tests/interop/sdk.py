# SPDX-License-Identifier: MIT OR Apache-2.0
"""OpenTelemetry's SDK for Python in a folder of its own, made once; the lanes that
use it run themselves again with that Python."""
import os
import sys

from servers import HERE, Skip, built, run

REQUIREMENTS = HERE / "requirements.txt"


def make(folder):
    try:
        run(sys.executable, "-m", "venv", folder / "venv")
    except RuntimeError as e:
        raise Skip("python3-venv is not installed: %s" % e) from e
    run(folder / "venv" / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check",
        "-r", REQUIREMENTS)


def with_sdk():
    """Comes back only in a Python that has the SDK."""
    if os.environ.get("ORIEL_INTEROP_SDK"):
        return
    python = built("python-sdk", [REQUIREMENTS], make, None) / "venv" / "bin" / "python"
    sys.stdout.flush()
    os.execve(python, [str(python)] + sys.argv, dict(os.environ, ORIEL_INTEROP_SDK="1"))


def run_lane(main):
    try:
        with_sdk()
        sys.exit(main())
    except Skip as reason:
        print(reason)
        sys.exit(77)
