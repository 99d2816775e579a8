"""The lines that the main README begins with."""

import re
import shlex
import subprocess
import sys

from conftest import ROOT


def test_the_first_lines_of_the_readme_run():
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(r"```sh\n(pip install \..*?)```", text, re.DOTALL)
    install, line = block.splitlines()
    assert install == "pip install ."
    python, *arguments = shlex.split(line)
    assert python == "python3"
    run = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 68, run.stdout
