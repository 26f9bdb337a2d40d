"""What commands get from the composition root, named once, so that tests can hand in something else.

The root is imported when the first function is called: `--help` and usage errors never wait for it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impetus.app_models import ModelTools
    from impetus.config import Settings
    from impetus.domain.feedback import TallyStore
    from impetus.services.doctor import Check
    from impetus.services.documents import Documents
    from impetus.services.evaluation_history import History
    from impetus.services.keys import Keys
    from impetus.services.session import Session


async def _open_session(settings: "Settings", problems: Sequence[str]) -> "Session":
    from impetus.app import create_engine
    from impetus.services.session import Session

    return Session(await create_engine(settings, problems))


async def _open_evaluation(settings: "Settings", home: Path) -> "Session":
    from impetus.app import create_engine
    from impetus.services.session import Session

    return Session(await create_engine(settings, home=home))


def _open_history(directory: Path) -> "History":
    from impetus.app import open_history

    return open_history(directory)


def _open_keys() -> "Keys":
    from impetus.app import open_keys

    return open_keys()


def _open_tallies() -> "TallyStore":
    from impetus.app import open_tallies

    return open_tallies()


def _open_documents() -> "Documents":
    from impetus.app import open_documents

    return open_documents()


def _doctor_checks(settings: "Settings") -> "list[Check]":
    from impetus.app_doctor import doctor_checks

    return doctor_checks(settings)


def _open_models(settings: "Settings") -> "ModelTools":
    from impetus.app_models import model_tools

    return model_tools(settings)


@dataclass(frozen=True, slots=True)
class Runtime:
    open_session: "Callable[[Settings, Sequence[str]], Awaitable[Session]]" = _open_session
    open_keys: "Callable[[], Keys]" = _open_keys
    doctor_checks: "Callable[[Settings], list[Check]]" = _doctor_checks
    open_evaluation: "Callable[[Settings, Path], Awaitable[Session]]" = _open_evaluation
    open_tallies: "Callable[[], TallyStore]" = _open_tallies
    open_history: "Callable[[Path], History]" = _open_history
    open_documents: "Callable[[], Documents]" = _open_documents
    open_models: "Callable[[Settings], ModelTools]" = _open_models
