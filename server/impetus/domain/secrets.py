"""Secrets kept out of the index: files by their name, values by their look.

`mask` puts stars in the place of a value, character for character, so that offsets and lines stay. It looks for what
providers mark (prefixes, key blocks, passwords in URLs) and for random-looking literals given to names like `token`.
It does not try to find every secret: a short or word-like password stays, because hiding code that is none hurts more.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

_SECRET_PATH = re.compile(
    r"""(?:^|/)(?:
        \.(?:aws|ssh|gnupg)/.*
      | \.docker/config\.json | \.kube/config | \.?kubeconfig | [^/]*\.kubeconfig
      | \.envrc | (?:[^/.]*)\.env(?:\.[^/]*)?
      | [^/]*\.(?:pem|key|p8|p12|pfx|pkcs12|jks|keystore|kdbx?|ppk|gpg|ovpn|agekey|tfstate(?:\.[^/]*)?)
      | id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?(?:\.[^/]*)?
      | [._]netrc | \.npmrc | \.pypirc | \.git-credentials | \.htpasswd | \.pgpass | \.my\.cnf | \.s3cfg | \.boto
      | \.dockercfg | \.vault-token | \.(?:bash|zsh|psql|mysql|python|node_repl)_history
      | [^/]*(?<![a-z])credentials?(?:\.(?:json|ya?ml|toml|ini|csv|xml|txt|properties|cfg|conf|enc|bak|db))?
      | (?:[^/]*[-_.])?client[-_]secrets?[^/]*\.json | [^/]*service[-_]?account[^/]*\.json
      | (?:[^/]*\.)?secrets?\.(?:ya?ml|json|toml|env|ini|properties|xml|txt) | \.secrets?
    )$""",
    re.VERBOSE | re.IGNORECASE,
)
#: Templates hold names without values; the public half of a key pair is public.
_HARMLESS_NAME = re.compile(
    r"(?:^|/)(?:\.env\.(?:[^/]*\.)?(?:example|sample|template|dist|defaults?|schema)"
    r"|[^/]*(?:example|sample|template)\.env|[^/]*\.(?:example|sample|template)(?:\.[^/.]+)?|id_[^/]*\.pub)$",
    re.IGNORECASE,
)
_SECRET_FOLDER = re.compile(r"(?:^|/)\.(?:aws|ssh|gnupg)/", re.IGNORECASE)


def is_secret_file(path: str) -> bool:
    """Whether a file is left out by its name. A folder is asked about with a slash at the end."""
    if _SECRET_FOLDER.search(path):
        return True
    return _SECRET_PATH.search(path) is not None and _HARMLESS_NAME.search(path) is None


# -- values ----------------------------------------------------------------------------------------------------------

# Stars count as part of a word at both ends of a value, so that masking twice masks no more than masking once.
_EDGE = r"(?<![\w*])"

#: Something to look for (fast), and what must stand there. Group 1 is masked where there is one. Lengths are bounded,
#: here and below, so that no text makes the search quadratic.
_MARKED: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (starts, re.compile(_EDGE + pattern))
    for starts, pattern in (
        (("AKIA", "ASIA"), r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![\w*])"),
        (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{36,255}"),
        (("github_pat_",), r"github_pat_\w{60,255}"),
        (("glpat-",), r"glpat-[\w-]{20,300}"),
        (("xox",), r"xox[abeoprs]-(?=[\w-]{0,80}\d)[\w-]{16,300}"),
        (("sk_live_", "rk_live_"), r"[sr]k_live_[A-Za-z0-9]{16,300}"),
        (("AIza",), r"AIza[\w-]{35}"),
        (
            ("sk-",),
            r"sk-(?:(?:proj|ant|or|svcacct|admin)-(?=[\w-]{0,80}\d)[\w-]{24,300}|(?=[A-Za-z]{0,80}\d)[A-Za-z0-9]{32,300})",
        ),
        (("npm_",), r"npm_[A-Za-z0-9]{36}"),
        (("pypi-",), r"pypi-[\w-]{50,1000}"),
        (("hf_",), r"hf_[A-Za-z0-9]{30,100}"),
        (("SG.",), r"SG\.[\w-]{20,100}\.[\w-]{30,100}"),
        (("eyJ",), r"eyJ[\w-]{8,2000}\.eyJ[\w-]{8,8000}\.[\w-]{10,2000}"),
        (("AccountKey=",), r"AccountKey=([A-Za-z0-9+/]{80,200}={0,2})"),
    )
)

_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END = "-----END"
_KEY_LONGEST = 20_000
_KEY_RUN = re.compile(r"[A-Za-z0-9+/=]{4,}")
_KEY_LONG_RUN = re.compile(r"[A-Za-z0-9+/=]{40,}")
_KEY_LINES = re.compile(r"(?:[\s\"'+,\\]|[A-Za-z0-9+/=]{20,}|[A-Z][\w-]{2,20}: [^\n]*\n)*")

_URL_PASSWORD = re.compile(r"://[^\s/:@\"'<>]{0,80}:([^\s/:@\"'<>,]{6,120})@[\w\[]")

#: Each costs a pass over the text, so one name stands for its longer forms; `_key` counts after some words only.
_NAMES = ("passw", "passphrase", "secret", "token", "_key", "apikey", "accesskey", "api-key", "credential")
_KEY_OWNER = re.compile(r"(?:api|access|private|auth|signing|encryption|account|service)_key$", re.IGNORECASE)
_KEY_OWNER_LENGTH = len("encryption_key")
_GIVEN = re.compile(
    r"(?!iz)(?![\w-]{0,40}(?:_|-|(?<=[a-z]))(?:ur[il]|path|file|name|class|type|format|pattern|chars|alphabet|id|sha|rev|revision)s?\b)"
    r"[\w.-]{0,40}[\"'\]]{0,2}[ \t]{0,20}(?::[ \t]{0,4}[\w.\[\]|<>?& ]{1,40}=|=>|:=|[:=])[ \t]{0,20}"
    r"(?:[bru]?[\"'`]([\w+/=.~!@#$%^&:-]{16,512})[\"'`]|([\w+/=-]{20,512})[ \t]*\r?(?:\n|$))",
    re.IGNORECASE,
)
_BEARER = re.compile(r"bearer[ \t]+([\w.~+/=-]{20,2000})", re.IGNORECASE)

_PLACEHOLDER = re.compile(
    r"example|x{4}|\.{3}|your|change.?me|placeholder|dummy|redacted|replace|insert|todo|fixme|\$\(|\$[A-Za-z_]|%[sd(]|^[$%]",
    re.IGNORECASE,
)
_WORD_BREAKS = re.compile(r"[-_./:@+=\s]+")
_WORD = re.compile(r"[A-Z]*[a-z]{2,}(?:[A-Z][a-z]+)*\d{0,4}|[A-Z]{2,}\d{0,4}|\d{0,8}|[A-Za-z]\d{0,2}|\d[a-z]{1,2}")
_MIN_ENTROPY = 3.2  # bits a character; 16 random hexadecimal digits have 3.3 on average, 32 have 3.7


def mask(text: str) -> str:
    """`text` with stars for what looks like a secret. Same length, same lines; masking twice changes nothing more."""
    spans = sorted(_spans(text))
    if not spans:
        return text
    out: list[str] = []
    done = 0
    for start, end in spans:
        start = max(start, done)
        if start < end:
            out.append(text[done:start])
            out.append("*" * (end - start))
            done = end
    out.append(text[done:])
    return "".join(out)


def mask_bytes(data: bytes) -> bytes:
    """`mask` for bytes of any encoding that contains ASCII; one byte in, one byte out."""
    text = data.decode("latin-1")
    masked = mask(text)
    return data if masked is text else masked.encode("latin-1")


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for starts, pattern in _MARKED:
        for start in starts:
            done = 0
            for at in _every(text, start):
                found = pattern.match(text, at) if at >= done else None
                if found is not None:
                    done = found.end()
                    if not _PLACEHOLDER.search(found[0]):
                        yield found.span(pattern.groups)
    if "PRIVATE KEY" in text:
        for begin in _KEY_BEGIN.finditer(text):
            yield from _key_block(text, begin.end())
    for at in _every(text, "://"):
        found = _URL_PASSWORD.match(text, at)
        if found is not None and _is_password(found[1]):
            yield found.span(1)
    # Bytes fold ASCII only, so that the length stays; `str.lower` turns some letters into two.
    folded = text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
    for name in _NAMES:
        for at in _every(folded, name):
            end = at + len(name)
            found = _GIVEN.match(text, end)
            if found is not None and (name != "_key" or _KEY_OWNER.search(text, max(0, end - _KEY_OWNER_LENGTH), end)):
                group = 1 if found[1] is not None else 2
                if _is_random(found[group]):
                    yield found.span(group)
    for at in _every(folded, "bearer"):
        found = _BEARER.match(text, at)
        if found is not None and _is_random(found[1]):
            yield found.span(1)


def _every(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _key_block(text: str, start: int) -> Iterator[tuple[int, int]]:
    end = text.find(_KEY_END, start, start + _KEY_LONGEST)
    run = _KEY_RUN
    if end < 0:  # cut off: only what can be nothing else
        lines = _KEY_LINES.match(text, start, start + _KEY_LONGEST)
        end, run = (lines.end() if lines else start), _KEY_LONG_RUN
    if _KEY_LONG_RUN.search(text, start, end):
        for found in run.finditer(text, start, end):
            yield found.span()


def _is_password(value: str) -> bool:
    """Whether the password of a URL may be a real one; `user:password@host` in documentation is none."""
    return not (
        "*" in value or value[0] in "${<%[(" or _PLACEHOLDER.search(value) or (value.isalpha() and value.islower())
    )


def _is_random(value: str) -> bool:
    """Whether a literal looks drawn by a machine: digits among letters, no words, no alphabet, high entropy."""
    if "*" in value or sum(c.isdigit() for c in value) < 2 or not any(c.isalpha() for c in value):
        return False
    if _PLACEHOLDER.search(value) or all(_WORD.fullmatch(part) for part in _WORD_BREAKS.split(value)):
        return False
    steps = sum(ord(b) - ord(a) == 1 for a, b in pairwise(value))
    if steps > len(value) / 3:
        return False
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return entropy >= _MIN_ENTROPY
