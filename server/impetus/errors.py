"""Every error that Impetus raises on purpose.

    ImpetusError
    ├── BadRequest              the caller asked for something that makes no sense; names the parameter
    │   └── ContextOverflow     the prompt does not fit the model's context
    ├── NotFound                a file, document, workspace or model that is not there
    ├── Busy                    too much is waiting; try again in `retry_after` seconds
    │   └── IndexReplaced       the index makes room for a new one
    ├── Denied                  no key, wrong key, wrong host
    ├── IndexFailed             the index cannot be read or written
    │   ├── IndexLocked         another process owns this index
    │   └── IndexCorrupt        its files are damaged; building it anew mends it
    ├── ModelError              a model is missing, broken or failed while running
    │   ├── ModelUnavailable    none is configured for this job
    │   ├── BadVectors          an embedding model gave vectors that must not be stored
    │   └── InsufficientMemory  loading it would need more memory than there is; both figures
    └── EngineStopped           the engine is shutting down

Messages are for the person at the editor: what happened, why, what to do; no final dot. Foreign exceptions are turned
into these at the adapter that met them; each surface maps these once to its own codes.
"""


class ImpetusError(Exception):
    """Base class; `str(error)` may be shown to a person as it stands."""


class BadRequest(ImpetusError):
    def __init__(self, message: str, *, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


class ContextOverflow(BadRequest):
    """`limit` and `requested` count tokens."""

    def __init__(self, limit: int, requested: int) -> None:
        super().__init__(
            f"This model's maximum context length is {limit} tokens. However, you requested {requested} tokens; "
            "the request exceeds the available context size",
            parameter="messages",
        )
        self.limit = limit
        self.requested = requested

    @classmethod
    def told(cls, message: str) -> "ContextOverflow":
        """What another server said of it; the figures are in its words, if anywhere."""
        error = cls(0, 0)
        error.args = (message,)
        return error


class NotFound(ImpetusError):
    pass


class Busy(ImpetusError):
    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class IndexReplaced(Busy):
    def __init__(self, message: str = "The index is being replaced by a new one; try again in a moment") -> None:
        super().__init__(message)


class Denied(ImpetusError):
    pass


class IndexFailed(ImpetusError):
    pass


class IndexLocked(IndexFailed):
    pass


class IndexCorrupt(IndexFailed):
    pass


class ModelError(ImpetusError):
    """`numbers` are the sequences of a running model that are lost (see `TextModel.step`); empty elsewhere."""

    def __init__(self, message: str, *, numbers: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.numbers = numbers


class ModelUnavailable(ModelError):
    pass


class BadVectors(ModelError):
    pass


class InsufficientMemory(ModelError):
    """`needed` and `available` count bytes; `by_setting`: it is models.memory_mb that leaves no more."""

    def __init__(self, model: str, needed: int, available: int, *, by_setting: bool = False) -> None:
        advice = "raise models.memory_mb" if by_setting else "close other programs"
        super().__init__(
            f"The model {model} needs {needed / 1e9:.1f} GB of memory and {max(0, available) / 1e9:.1f} GB can be had; "
            f"choose a smaller model, or {advice}"
        )
        self.needed = needed
        self.available = available
        self.by_setting = by_setting


class EngineStopped(ImpetusError):
    pass
