"""Collected only where run.sh has got the editor: `IMPETUS_EMACS` is the folder that it is unpacked in."""

import os

if not os.environ.get("IMPETUS_EMACS"):
    collect_ignore_glob = ["test_*.py"]
