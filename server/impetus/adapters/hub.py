"""The Hugging Face Hub, through its own library: what a repository holds, and its files, a piece at a time.

The library itself does not go on with a file that another process began (2.x throws the piece away), so pieces are kept
here and its transfer is told where to go on. HF_ENDPOINT names another hub or a mirror, HF_TOKEN a key for it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from impetus.domain.ports import HubFile, HubListing
from impetus.errors import Denied, ImpetusError, ModelError, ModelUnavailable, NotFound


class Hub:
    """Implements `ModelHub`. The library is imported when it is first needed: it takes half a second."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint

    def listing(self, repo: str, revision: str = "main") -> HubListing:
        from huggingface_hub import HfApi

        try:
            info = HfApi(self._endpoint).model_info(repo, revision=revision, files_metadata=True, timeout=30)
        except Exception as error:
            self._failed(repo, error)
        data: Any = info.card_data
        files = tuple(
            HubFile(
                each.rfilename,
                int(each.size or 0),
                each.lfs.sha256 if each.lfs is not None else "",
                each.blob_id if each.lfs is None and each.blob_id is not None else "",
            )
            for each in info.siblings or ()
        )
        return HubListing(repo, info.sha or revision, str(data.get("license") or "") if data is not None else "", files)

    def fetch(self, listing: HubListing, file: HubFile, part: Path, on_bytes: Callable[[int], None]) -> None:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers

        url = hf_hub_url(listing.repo, file.path, revision=listing.commit, endpoint=self._endpoint)
        try:
            with part.open("ab") as stream:
                begin = stream.tell()
                http_get(
                    url,
                    cast(BinaryIO, _Told(stream, on_bytes)),
                    resume_size=begin,
                    headers=build_hf_headers(),
                    expected_size=file.size,
                    tqdm_class=_no_bar(),
                )
        except ImpetusError:
            raise  # of `on_bytes`
        except OSError as error:
            if error.errno is not None:
                raise
            self._failed(listing.repo, error)
        except Exception as error:
            self._failed(listing.repo, error)

    def _failed(self, repo: str, error: Exception) -> NoReturn:
        from huggingface_hub import constants, errors

        hub = self._endpoint or constants.ENDPOINT
        match error:
            case errors.GatedRepoError():
                raise Denied(
                    f"{repo} wants its licence to be accepted first; accept it at {hub}/{repo} and set HF_TOKEN to a "
                    "key of your account"
                ) from error
            case errors.RepositoryNotFoundError() | errors.HFValidationError():
                raise NotFound(f"{hub} has no model {repo} that may be read; check its name") from error
            case errors.RevisionNotFoundError():
                raise NotFound(f"{repo} has no such revision; check its name") from error
            case errors.OfflineModeIsEnabled():
                raise ModelUnavailable(
                    "HF_HUB_OFFLINE is set, so no model can be fetched; unset it, or copy the model's folder here by "
                    "other means"
                ) from error
            case errors.HfHubHTTPError():
                status = error.response.status_code
                raise ModelError(f"{hub} answered {status} when {repo} was fetched; try again later") from error
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise ModelUnavailable(
            f"{hub} cannot be reached or broke off ({reason}); what was fetched stays, so try again when the network "
            "is back, or set HF_ENDPOINT to a mirror"
        ) from error


class _Told:
    """A file that tells how many bytes it holds after each write."""

    def __init__(self, stream: BinaryIO, on_bytes: Callable[[int], None]) -> None:
        self._stream = stream
        self._on_bytes = on_bytes

    def write(self, data: bytes) -> int:
        written = self._stream.write(data)
        self._on_bytes(self._stream.tell())
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _no_bar() -> Any:
    from huggingface_hub.utils import tqdm

    class NoBar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

    return NoBar
