"""What `convert` makes of a file runs as it ran under the tool itself: arguments, folder, variables, user.

Each tool starts a program that writes these down; then the converted manifest is applied by a pmond, and both
are compared. The tools are installed for it, and a tool that cannot be had skips its tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support import real_tools
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow
PATIENCE = 30.0
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
"""That of the system, which other users can run too."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_tools.python_tools(tmp_path_factory.mktemp("tools") / "venv")


@pytest.fixture
def site() -> Iterator[Path]:
    """A folder with a program, and one for what it writes down; another user can get there."""
    with tempfile.TemporaryDirectory(prefix="site-") as name:
        folder = Path(name)
        (folder / "reporter.py").write_text(real_tools.REPORTER)
        (folder / "sub dir").mkdir()
        (folder / "out").mkdir()
        folder.chmod(0o755)
        (folder / "out").chmod(0o777)
        yield folder


@contextmanager
def running(command: list[str], site: Path, **variables: str) -> Iterator[None]:
    """A tool in the foreground, ended with all that it has started.

    A tool ends its programs, not what those have left behind: of `reporter | cat` it knows the shell alone.
    """
    environment = real_tools.clean_environment(CVT_OUT=str(site / "out"), **variables)
    tool = subprocess.Popen(
        command, cwd=site, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        tool.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            tool.wait(15)
        for _ in range(2):
            try:
                os.killpg(tool.pid, signal.SIGKILL)
            except ProcessLookupError:
                break
        tool.wait(5)
        real_tools.end_all_with(f"CVT_OUT={site / 'out'}")


def reports(site: Path, names: set[str]) -> dict[str, Any]:
    """What the programs wrote, taken away for the next round."""

    def there() -> bool:
        return {path.stem for path in (site / "out").glob("*.json")} >= names

    until(there, f"the reports of {names}", PATIENCE)
    found = {name: json.loads((site / "out" / f"{name}.json").read_text()) for name in sorted(names)}
    for path in (site / "out").glob("*.json"):
        path.unlink()
    return found


def converted(pmond: Pmond, site: Path, file: str, names: set[str], **variables: str) -> dict[str, Any]:
    """The same from the converted manifest under pmond."""
    environment = {**os.environ, "CVT_OUT": str(site / "out"), **variables}
    done = subprocess.run(
        [sys.executable, "-m", "pmon3", "convert", file], cwd=site, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (site / "pmon3.yaml").write_text(done.stdout)
    pmond.ok("apply", "-f", str(site / "pmon3.yaml"), "--no-wait")
    return reports(site, names)


SUPERVISORD = """\
[supervisord]
nodaemon=true
pidfile={site}/s.pid
logfile=/dev/null
logfile_maxbytes=0
environment=CVT_OUT="{site}/out",CVT_SHARED="of all"
[program:plain]
command={python} {site}/reporter.py plain "two words" 50%% 'single;quoted'   ; a comment
    --more
directory=sub dir   # another
environment=CVT_A="a, b",CVT_B='it "is"',CVT_C=plain
stdout_logfile=NONE
redirect_stderr=true
[program:copy]
command={python} {site}/reporter.py %(program_name)s_%(process_num)02d
process_name=%(program_name)s_%(process_num)02d
numprocs=2
user=daemon
umask=077
environment=CVT_N="%(process_num)d"
stdout_logfile=NONE
redirect_stderr=true
"""


def test_supervisord(programs: Path, site: Path, pmond: Pmond) -> None:
    (site / "s.conf").write_text(SUPERVISORD.format(site=site, python=PYTHON))
    names = {"plain", "copy_00", "copy_01"}
    if os.geteuid() != 0 or sys.executable == PYTHON:
        (site / "s.conf").write_text((site / "s.conf").read_text().replace("user=daemon\n", ""))
    with running([str(programs / "supervisord"), "-c", "s.conf"], site):
        theirs = reports(site, names)
    ours = converted(pmond, site, "s.conf", names)
    assert ours == theirs


CIRCUS = """\
[circus]
umask = 027
check_delay = 1
endpoint = ipc://{site}/e.sock
pubsub_endpoint = ipc://{site}/p.sock
[env]
CVT_OUT = {site}/out
CVT_SHARED = of all
[watcher:plain]
cmd = {python} {site}/reporter.py
args = plain "two words" $(circus.env.cvt_a) ; a comment
working_dir = {site}/sub dir
copy_env = False
rlimit_nofile = 512
[watcher:copy]
cmd = {python} {site}/reporter.py copy-$(circus.wid) $(circus.env.CVT_B)
numprocesses = 2
[watcher:shell]
cmd = {python} {site}/reporter.py shell $HOME | cat
shell = True
[env:plain]
CVT_A = a, b
[env:copy]
CVT_B = b-$(circus.wid)
"""


def test_circus(programs: Path, site: Path, pmond: Pmond) -> None:
    (site / "c.ini").write_text(CIRCUS.format(site=site, python=PYTHON))
    names = {"plain", "copy-1", "copy-2", "shell"}
    with running([str(programs / "circusd"), "c.ini"], site):
        theirs = reports(site, names)
    ours = converted(pmond, site, "c.ini", names)
    for name in names - {"plain"}:  # what circus itself was started with
        del theirs[name]["nofile"], ours[name]["nofile"]
    assert ours == theirs


PROCFILE = """\
# the site
web: {python} reporter.py web "two words" '$CVT_QUOTED'
shell: exec {python} reporter.py shell $PORT "$CVT_QUOTED" && echo done
"""


def test_a_procfile(programs: Path, site: Path, pmond: Pmond) -> None:
    (site / "Procfile").write_text(PROCFILE.format(python=PYTHON))
    (site / ".env").write_text(f'CVT_OUT={site}/out\nCVT_QUOTED="a  b"\nCVT_NUMBER=5 # no\nPORT=7000\n')
    names = {"web", "shell"}
    with running([str(programs / "honcho"), "start"], site):
        theirs = reports(site, names)
    ours = converted(pmond, site, "Procfile", names)
    for report in (*theirs.values(), *ours.values()):
        del report["nofile"]
    assert ours == theirs


ECOSYSTEM = """\
const site = __dirname;
module.exports = {{
  apps: [
    {{
      name: 'plain', script: './reporter.py', interpreter: '{python}', args: "plain 'two words' $X",
      env: {{ CVT_OUT: site + '/out', CVT_A: 'a, b', CVT_T: true, CVT_N: 5, CVT_O: {{ a: 1 }} }},
    }},
    {{
      name: 'list', script: 'reporter.py', cwd: site + '/sub dir/..', interpreter: '{python}',
      args: ['list', 'two words', 3],
      env: {{ CVT_OUT: site + '/out' }},
    }},
    {{
      name: 'copy', script: '{python} reporter.py copy "two words"', port: 8080,
      env: {{ CVT_OUT: site + '/out' }},
    }},
  ],
}};
"""


def test_pm2(site: Path, pmond: Pmond, tmp_path_factory: pytest.TempPathFactory) -> None:
    program = real_tools.pm2(tmp_path_factory.mktemp("pm2"))
    (site / "ecosystem.config.js").write_text(ECOSYSTEM.format(python=PYTHON))
    names = {"plain", "list", "copy"}
    home = str(tmp_path_factory.mktemp("pm2home"))
    environment = real_tools.clean_environment(PM2_HOME=home, CVT_OUT=str(site / "out"))

    def tell(*words: str) -> None:
        subprocess.run(
            [str(program), *words], cwd=site, env=environment, check=True, capture_output=True, timeout=60
        )

    try:
        tell("start", "ecosystem.config.js")
        theirs = reports(site, names)
    finally:
        tell("kill")
        real_tools.end_all_with(f"CVT_OUT={site / 'out'}")
    ours = converted(pmond, site, "ecosystem.config.js", names)
    for report in theirs.values():
        report["env"].pop("NODE_APP_INSTANCE")  # pm2 sets it for single ones too
        del report["nofile"]
    for report in ours.values():
        del report["nofile"]
        report["env"].pop("CVT_SHARED", None)
    assert ours == theirs
