"""Emacs' own client with the configuration of docs/editors.md."""

import os
import subprocess
from pathlib import Path

from tests.clients import documented
from tests.clients.project import create, environment, stop_engine

EMACS = Path(os.environ.get("IMPETUS_EMACS", ""))


def paths() -> dict[str, str]:
    """Emacs has its folders compiled in; one that was unpacked elsewhere is told."""
    (lisp,) = EMACS.glob("usr/share/emacs/[0-9]*/lisp")
    data = str(lisp.parent / "etc")
    folders = [str(folder) for folder in sorted([lisp, *lisp.rglob("*")]) if folder.is_dir()]
    (helper,) = EMACS.glob("usr/libexec/emacs/*/*/hexl")
    return {
        "EMACSDATA": data,
        "EMACSDOC": data,
        "EMACSLOADPATH": ":".join(folders),
        "EMACSPATH": str(helper.parent),
    }


def test_eglot_asks_searches_and_explains(tmp_path: Path) -> None:
    project, home = create(tmp_path / "parcels"), tmp_path / "home"
    configuration = tmp_path / "init.el"
    configuration.write_text("\n".join(documented.blocks("elisp")))
    (tmp_path / ".emacs.d").mkdir()
    (dump,) = EMACS.glob("usr/libexec/emacs/*/*/emacs*.pdmp")
    search_path = f"{documented.program(tmp_path / 'bin')}:{os.environ['PATH']}"
    ran = subprocess.run(
        [
            EMACS / "usr/bin/emacs-nox",
            f"--dump-file={dump}",
            *("-Q", "--batch", "-l", configuration, "-l", Path(__file__).parent / "eglot.el", project),
        ],
        env={
            **os.environ,
            **environment(),
            **paths(),
            "IMPETUS_HOME": str(home),
            "PATH": search_path,
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
    )
    stop_engine(home)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("ok  ") == 10, ran.stdout
