"""Fetches a model of the Hub into a folder under the home directory: again and again where it is cut off, checked file
by file against the Hub's own digests, and put in place only when all of it is there.
"""

import asyncio
import errno
import hashlib
import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from impetus.domain.model_catalogue import CatalogueModel
from impetus.domain.ports import HubFile, HubListing, ModelHub
from impetus.errors import BadRequest, Busy, EngineStopped, ImpetusError, ModelError

log = logging.getLogger(__name__)

#: What a model folder needs; weights in other forms and examples are left where they are.
_WANTED = (
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.jinja",
    "sentence_bert_config.json",
    "modules.json",
    "1_Pooling/config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "LICENSE*",
    "README.md",
)
#: Left free on the disk, in bytes.
_SPARE = 500_000_000
_BLOCK = 1 << 20
#: Progress is told at most so often, in seconds.
_TELL_S = 0.1
#: Says where a folder came from.
ORIGIN = "impetus.json"


@dataclass(frozen=True, slots=True)
class PullProgress:
    """`bytes` of `total` are here, over all files; `file` is the one under way."""

    state: Literal["listing", "fetching", "checking", "quantizing", "done"]
    file: str = ""
    bytes: int = 0
    total: int = 0


Tell = Callable[[PullProgress], None]
#: Folder of a model, folder for it with so many bits. Raises ModelError.
Quantize = Callable[[Path, Path, int], None]


class ModelPuller:
    """`folder` holds the models, each in a folder of its own. `free` tells the bytes free on the disk of a path."""

    def __init__(
        self,
        folder: Path,
        catalogue: Sequence[CatalogueModel],
        hub: ModelHub,
        quantize: Quantize,
        free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self._folder = folder
        self._catalogue = {model.name: model for model in catalogue}
        self._hub = hub
        self._quantize = quantize
        self._free = free
        self._pulling: set[str] = set()

    async def pull(self, name: str, on_progress: Tell, *, bits: int = 0) -> Path:
        """The folder of the model, fetched where it is not there. `name` is one of the catalogue or `OWNER/REPOSITORY`;
        with `bits`, weights are quantized to so many here. `on_progress` is called on the event loop.

        Cancelling it leaves what was fetched, and the next call goes on there. Raises BadRequest, NotFound, Denied,
        Busy, ModelError.
        """
        known = self._catalogue.get(name)
        repo = known.repo if known is not None else name
        if known is None and (name.count("/") != 1 or not all(name.split("/"))):
            raise BadRequest(
                f"There is no model {name!r} in the catalogue; `impetus models list` shows it, and any other model of "
                "the Hub is named OWNER/REPOSITORY",
                parameter="model",
            )
        target = self._folder / (known.name if known else repo.split("/")[1])
        target = target.with_name(f"{target.name}-{bits}bit") if bits else target
        if target.exists():
            on_progress(PullProgress("done"))
            return target
        if target.name in self._pulling:
            raise Busy(f"{name} is being fetched already; wait for it")
        self._pulling.add(target.name)
        loop, stopped = asyncio.get_running_loop(), threading.Event()

        def tell(progress: PullProgress) -> None:
            if stopped.is_set():
                raise EngineStopped("The fetch was cancelled; what is there stays, and the next one goes on there")
            loop.call_soon_threadsafe(on_progress, progress)

        work = asyncio.ensure_future(asyncio.to_thread(self._pull, repo, known, target, bits, _Throttled(tell)))
        work.add_done_callback(lambda done: self._ended(target.name, done))
        try:
            await asyncio.shield(work)
            return target
        finally:
            stopped.set()  # the thread ends at its next piece, and is not waited for

    def _ended(self, name: str, work: "asyncio.Future[None]") -> None:
        self._pulling.discard(name)
        if not work.cancelled() and work.exception() is not None:
            log.info("%s was not fetched: %s", name, work.exception())

    def _pull(self, repo: str, known: CatalogueModel | None, target: Path, bits: int, tell: "_Throttled") -> None:
        tell(PullProgress("listing"))
        listing = self._hub.listing(repo)
        files = [file for file in listing.files if any(fnmatch(file.path, pattern) for pattern in _WANTED)]
        if not any(file.path.endswith(".safetensors") for file in files):
            raise BadRequest(
                f"{repo} has no weights in safetensors, which is what can be used here; choose another model",
                parameter="model",
            )
        # Files of two commits must not be mixed, so each has pieces of its own.
        part = self._folder / f".{target.name}-{listing.commit[:12]}.part"
        try:
            part.mkdir(parents=True, exist_ok=True)
            with FileLock(part.with_suffix(".lock"), timeout=0):
                self._check_space(part, files, bits)
                self._fetch_all(listing, files, part, tell)
                if bits:
                    tell(PullProgress("quantizing"))
                    whole, part = part, part.with_name(f"{part.name}-{bits}bit")
                    shutil.rmtree(part, ignore_errors=True)
                    self._quantize(whole, part, bits)
                    shutil.rmtree(whole)
                self._put_in_place(part, target, listing, known)
        except Timeout as error:
            raise Busy(f"{repo} is being fetched by another process; wait for it") from error
        except OSError as error:
            raise self._failed(error) from error
        tell(PullProgress("done"))

    def _put_in_place(self, part: Path, target: Path, listing: HubListing, known: CatalogueModel | None) -> None:
        origin = {
            "repo": listing.repo,
            "commit": listing.commit,
            "license": listing.license or (known.license if known else ""),
            "role": known.role if known else "",
        }
        (part / ORIGIN).write_text(json.dumps(origin, indent=2) + "\n", "utf-8")
        part.rename(target)

    def _check_space(self, part: Path, files: Sequence[HubFile], bits: int) -> None:
        needed = sum(file.size - _size(_piece(part, file)) - _size(part / file.path) for file in files)
        needed += sum(file.size for file in files) if bits else 0
        free = self._free(part) - _SPARE
        if needed > free:
            raise ModelError(
                f"The model needs {needed / 1e9:.1f} GB more and {max(0, free) / 1e9:.1f} GB can be had on the disk of "
                f"{self._folder}; make room, or name another home directory with IMPETUS_HOME"
            )

    def _fetch_all(self, listing: HubListing, files: Sequence[HubFile], part: Path, tell: "_Throttled") -> None:
        total, before = sum(file.size for file in files), 0
        for file in sorted(files, key=lambda each: each.size):
            whole = part / file.path
            if not whole.exists():
                self._fetch(
                    listing,
                    file,
                    part,
                    lambda here, at=before, of=file: tell(  # type: ignore[misc]
                        PullProgress("fetching", of.path, at + here, total)
                    ),
                )
                tell(PullProgress("checking", file.path, before + file.size, total))
                piece = _piece(part, file)
                if not _intact(piece, file):
                    piece.unlink()
                    raise ModelError(
                        f"{file.path} of {listing.repo} arrived damaged and was thrown away; fetch the model again"
                    )
                piece.rename(whole)
            before += file.size

    def _fetch(self, listing: HubListing, file: HubFile, part: Path, on_bytes: Callable[[int], None]) -> None:
        piece = _piece(part, file)
        piece.parent.mkdir(parents=True, exist_ok=True)
        if _size(piece) > file.size:
            piece.unlink()
        if _size(piece) < file.size or not file.size:
            self._hub.fetch(listing, file, piece, on_bytes)
            piece.touch()

    def _failed(self, error: OSError) -> ImpetusError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return ModelError(
                f"The disk of {self._folder} is full; make room and fetch the model again, it goes on where it was"
            )
        return ModelError(f"{self._folder} cannot be written ({error}); mend that and fetch the model again")


class _Throttled:
    """Passes on changes of state at once and bytes now and then."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._last = ("", "", 0.0)

    def __call__(self, progress: PullProgress) -> None:
        state, file, at = self._last
        now = time.monotonic()
        if (state, file) != (progress.state, progress.file) or now - at >= _TELL_S:
            self._last = (progress.state, progress.file, now)
            self._tell(progress)


def _piece(part: Path, file: HubFile) -> Path:
    return part / f"{file.path}.piece"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _intact(path: Path, file: HubFile) -> bool:
    """By the Hub's digest: SHA-256 of a large file, git's SHA-1 of a small one; by its size where there is none."""
    if path.stat().st_size != file.size:
        return False
    if not file.sha256 and not file.git_sha1:
        return True
    digest = hashlib.sha256() if file.sha256 else hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest() == (file.sha256 or file.git_sha1)
