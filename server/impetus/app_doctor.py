"""The composition root's part of `impetus doctor`: checks that need adapters, put together with all the others."""

import sys
from pathlib import Path

from impetus import config
from impetus.adapters import blas, store_check
from impetus.adapters.chroma_index import ChromaServer
from impetus.adapters.static_embedder import StaticEmbedder
from impetus.app import chroma_server, create_engine
from impetus.app_models import model_tools, models_check
from impetus.config import Settings
from impetus.services.doctor import Check, CheckResult, bad, good, warning
from impetus.services.doctor_checks import end_checks, session_checks, system_checks
from impetus.services.session import Session


def doctor_checks(settings: Settings) -> list[Check]:
    """Every check, in the order in which one failing explains the next."""
    home = config.home()

    async def open_session() -> Session:
        return Session(await create_engine(settings))

    linux = [Check("BLAS", lambda: linear_algebra(blas.preload()))] if sys.platform.startswith("linux") else []
    return [
        *system_checks(home),
        Check("Models", lambda: models_check(model_tools(settings))),
        Check("Indexes", lambda: indexes(home, chroma_server(settings.index))),
        *linux,
        *session_checks(open_session),
        *end_checks(Path.home()),
    ]


def linear_algebra(library: str | None) -> CheckResult:
    if library:
        return good(library)
    return warning(
        "no OpenBLAS: local models run far slower than they could", "Install libopenblas0 (openblas on Fedora)"
    )


def indexes(home: Path, server: ChromaServer | None = None) -> CheckResult:
    """Catalog and vectors of every index under the home directory."""
    embedder = StaticEmbedder()
    reports = [store_check.examine(folder, embedder, server) for folder in store_check.folders(home)]
    damaged = [report for report in reports if report.damage]
    if damaged:
        return bad(
            f"{damaged[0].folder} is damaged: {damaged[0].damage}",
            "It is built anew by itself when its folder is opened; `impetus index DIR --full` does it now",
        )
    incomplete = sum(report.without_vector for report in reports)
    if incomplete:
        return warning(
            f"{incomplete:,} chunks have no vector yet",
            "They get one when their folder is opened; `impetus index DIR` opens it",
        )
    busy = sum(not report.owned for report in reports)
    chunks = sum(report.chunks for report in reports)
    in_use = f", {busy} in use by another process and not looked into" if busy else ""
    return good(f"{len(reports)} sound, {chunks:,} chunks with their vectors{in_use}")
