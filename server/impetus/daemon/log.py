"""The log of an engine in the background: one file with rotation, which standard error follows.

Messages name files and reasons, never what files, prompts or keys hold.
"""

import faulthandler
import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from typing import Final

from impetus.config import LogSettings
from impetus.daemon import address

_FORMAT: Final = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


class EngineLog(RotatingFileHandler):
    """What native libraries and a crash print lands in the same file."""

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        for descriptor in (1, 2):
            os.dup2(stream.fileno(), descriptor)
        return stream


def log_to_file(log: LogSettings) -> None:
    _start(EngineLog(address.log_path(), maxBytes=log.max_size, backupCount=log.keep, encoding="utf-8"), log)


def log_to_stderr(log: LogSettings) -> None:
    _start(logging.StreamHandler(), log)


def _start(handler: logging.Handler, log: LogSettings) -> None:
    handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("impetus").setLevel(log.level.upper())
    faulthandler.enable()
