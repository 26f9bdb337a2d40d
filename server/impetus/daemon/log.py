"""The log of an engine in the background: one file with rotation, which standard error follows.

Messages name files and reasons, never what files, prompts or keys hold.
"""

import faulthandler
import json
import logging
import os
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from typing import Any, Final

from impetus.config import LogSettings
from impetus.daemon import address
from impetus.request_id import request_id

_FORMAT: Final = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


class EngineLog(RotatingFileHandler):
    """What native libraries and a crash print lands in the same file."""

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        for descriptor in (1, 2):
            os.dup2(stream.fileno(), descriptor)
        return stream


class JsonFormatter(logging.Formatter):
    """One object a line; `facts` of a record become keys of their own."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to_file(log: LogSettings) -> None:
    _start(EngineLog(address.made_log_path(), maxBytes=log.max_size, backupCount=log.keep, encoding="utf-8"), log)


def log_to_stderr(log: LogSettings) -> None:
    _start(logging.StreamHandler(), log)


def _start(handler: logging.Handler, log: LogSettings) -> None:
    handler.setFormatter(JsonFormatter() if log.format == "json" else logging.Formatter(_FORMAT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("impetus").setLevel(log.level.upper())
    faulthandler.enable()
