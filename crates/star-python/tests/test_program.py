"""The program `star` that the wheel brings."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import ROOT


def script():
    """`star` beside the package, as pip installs it."""
    import star_landmarks

    site = os.path.dirname(os.path.dirname(star_landmarks.__file__))
    found = shutil.which("star", path=os.pathsep.join([os.path.dirname(sys.executable), os.path.join(site, "bin")]))
    if found is None:
        pytest.skip("the package runs from its sources: pip install . puts the program beside it")
    return found


def test_the_script_says_its_version():
    run = subprocess.run([script(), "--version"], capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stdout.startswith("star ") and "flex" in run.stdout


def test_exit_codes_and_errors_are_the_programs(star, tmp_path):
    nothing = star("predict", tmp_path / "nowhere.jpg", "--out", tmp_path)
    assert nothing.returncode == 1
    assert "nowhere.jpg: No such file" in nothing.stderr
    wrong = star("predict", "--no-such-flag")
    assert wrong.returncode == 2 and "--no-such-flag" in wrong.stderr
    help_page = star("--help")
    assert help_page.returncode == 0 and "predict" in help_page.stdout
    assert star("completions", "bash").stdout.endswith("\n")


def test_it_starts_itself_anew(star, tmp_path):
    """`bench` measures in processes of its own, and leaves its figures in the folder."""
    case = ["--case", "loss", "--batch", "1", "--rounds", "1", "--seconds", "0.1"]
    run = star("bench", *case, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "loss" in run.stdout


@pytest.mark.skipif(os.name == "nt", reason="there is no signal to send to one process on Windows")
def test_ctrl_c_ends_it(tmp_path):
    # It waits for names on standard input, without end.
    command = [sys.executable, "-m", "star_landmarks", "predict", "-", "--out", str(tmp_path)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert b"weights" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == -signal.SIGINT


@pytest.mark.skipif(os.name == "nt", reason="there is no signal to send to one process on Windows")
def test_ctrl_c_leaves_a_run_that_goes_on(tmp_path):
    """`train` listens to it itself: it ends after the step, says how to go on, and its exit code is 130."""
    command = [sys.executable, "-m", "star_landmarks", "train", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("epoch"):
            break
    process.send_signal(signal.SIGINT)
    lines.append(process.stdout.read())
    assert process.wait(timeout=600) == 130, lines
    assert "--resume" in "".join(lines)


def test_the_version_is_the_workspaces():
    metadata = pytest.importorskip("importlib.metadata")
    try:
        version = metadata.version("star-landmarks")
    except metadata.PackageNotFoundError:
        pytest.skip("the package runs from its sources, without its metadata")
    assert f'version = "{version}"' in (ROOT / "Cargo.toml").read_text()
