"""The server that the clients are pointed at, and how they are run."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
#: Fails a test that would hang; some clients take half a minute to import.
DEADLINE = 240


@dataclass(frozen=True)
class Server:
    """`url` ends in /v1; `tokenizers` is a folder with OpenAI's, as tiktoken caches them."""

    url: str
    key: str
    tokenizers: str

    def run(self, command: Sequence[str], folder: Path, **environment: str) -> str:
        """What a client prints; it has a home of its own and is told where the server is as most clients read it."""
        variables = {
            "HOME": str(folder),
            "OPENAI_API_BASE": self.url,
            "OPENAI_BASE_URL": self.url,
            "OPENAI_API_KEY": self.key,
            "TIKTOKEN_CACHE_DIR": self.tokenizers,
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
        }
        ended = subprocess.run(
            list(command),
            env=variables | environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout
