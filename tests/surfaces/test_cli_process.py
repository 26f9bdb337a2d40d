"""The command line as real processes with a real engine: the forms that are relied on from outside."""

import json
import os
import pty
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

SOURCES = {
    "src/parser.py": (
        "class UrlParser:\n"
        '    """Splits addresses into their parts."""\n\n'
        "    def parse_url(self, text):\n"
        '        return text.split("/")\n'
    ),
    "src/main.go": "package main\n\nfunc openDatabase(path string) error {\n\treturn nil\n}\n",
    "README.md": "# Sample\n\nParses addresses.\n",
}
DEADLINE = 120


class Shell:
    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        for name, text in SOURCES.items():
            file = self.project / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (self.project / "blob.bin").write_bytes(bytes(range(256)) * 8)
        server = Path(__file__).parents[2] / "server"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("IMPETUS_")}
        self.environment = {**kept, "IMPETUS_HOME": str(folder / "home"), "PYTHONPATH": str(server), "TERM": "xterm"}

    def line(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "impetus", *arguments]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.line(*arguments), env=self.environment, capture_output=True, text=True, timeout=DEADLINE, check=False
        )

    def on_a_terminal(self, *arguments: str, **more: str) -> str:
        """Everything that a person would see, escape sequences included."""
        ours, theirs = pty.openpty()
        environment = {**self.environment, **more}
        with subprocess.Popen(self.line(*arguments), env=environment, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            seen = bytearray()
            while part := _read(ours):
                seen += part
            os.close(ours)
            assert process.wait(DEADLINE) == 0, seen.decode()
        return seen.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end of a terminal is gone
        return b""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("shell"))


def test_index_then_search_after_a_change(shell: Shell) -> None:
    indexed = shell.run("index", str(shell.project), "--json")
    assert indexed.returncode == 0, indexed.stderr
    value = json.loads(indexed.stdout)
    assert (value["files"], value["skipped"], value["failed"]) == (3, 1, 0)
    assert value["languages"] == {"go": 1, "markdown": 1, "python": 1}
    assert value["chunks"] >= 3
    assert value["seconds"] > 0

    (shell.project / "src" / "late.py").write_text("def frobnicate_widget():\n    return 1\n")
    found = shell.run("search", "frobnicate widget", "--workspace", str(shell.project), "--top", "10", "--json")
    assert found.returncode == 0, found.stderr
    (shell.project / "src" / "late.py").unlink()
    first = json.loads(found.stdout)[0]
    assert {"path", "start_line", "end_line", "score", "symbol", "text"} <= set(first)
    assert (first["path"], first["start_line"], first["symbol"]) == ("src/late.py", 1, "frobnicate_widget")


def test_a_folder_never_indexed_is_indexed_before_it_is_searched(shell: Shell, tmp_path: Path) -> None:
    fresh = Shell(tmp_path)
    found = fresh.run("search", "open a database", "--workspace", str(fresh.project), "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)[0]["path"] == "src/main.go"


def test_ask_and_explain_cite_the_files(shell: Shell) -> None:
    asked = shell.run("ask", "how are addresses split?", "--workspace", str(shell.project))
    assert asked.returncode == 0, asked.stderr
    assert "src/parser.py:" in asked.stdout.split("Sources")[-1]
    explained = shell.run("explain", f"{shell.project}/src/parser.py:4", "-w", str(shell.project), "--json")
    assert explained.returncode == 0, explained.stderr
    assert "parse_url" in json.loads(explained.stdout)["answer"]


def test_a_terminal_gets_color_and_no_color_is_respected(shell: Shell) -> None:
    search = ("search", "parse_url", "--workspace", str(shell.project))
    colored = shell.on_a_terminal(*search)
    assert "\x1b[1;36msrc/parser.py" in colored
    plain = shell.on_a_terminal(*search, NO_COLOR="1")
    assert "src/parser.py" in plain
    assert "\x1b[1;36m" not in plain and "\x1b[36m" not in plain
    assert "\x1b[" not in shell.run(*search).stdout


def test_a_reader_that_leaves_is_no_error(shell: Shell) -> None:
    line = shell.line("search", "parse_url", "--workspace", str(shell.project))
    with subprocess.Popen(line, env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
        assert (process.wait(DEADLINE), errors) == (0, b"")


def test_serve_answers_until_it_is_stopped(shell: Shell) -> None:
    key = json.loads(shell.run("keys", "create", "--name", "test", "--json").stdout)["key"]
    line = shell.line("serve", "--port", "0", "--workspace", str(shell.project), "--json")
    with subprocess.Popen(line, env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        body = {"model": "impetus", "messages": [{"role": "user", "content": "how are addresses split?"}]}
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            content = json.loads(answer.read())["choices"][0]["message"]["content"]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, errors
    assert "src/parser.py" in content


def test_doctor_finds_this_installation_sound(shell: Shell) -> None:
    result = shell.run("doctor", "--json")
    assert result.returncode == 0, result.stdout
    value = json.loads(result.stdout)
    assert value["passed"] is True
    names = [check["name"] for check in value["checks"]]
    assert {"Grammars", "Indexes", "Embedder", "Completion model", "Index side and query side"} <= set(names)


def test_an_interrupt_is_quiet(shell: Shell) -> None:
    line = shell.line("serve", "--port", "0", "--workspace", str(shell.project), "--json")
    with subprocess.Popen(line, env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert errors == b"Stopped\n"


def test_the_start_imports_nothing_heavy(shell: Shell) -> None:
    version = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "impetus", "--version"],
        env=shell.environment, capture_output=True, text=True, timeout=DEADLINE, check=True,
    )  # fmt: skip
    assert version.stdout == "impetus 0.1.0\n"
    assert "typer" not in version.stderr and "asyncio" not in version.stderr
    script = "import sys; import impetus.cli.main; print(*sys.modules)"
    commands = subprocess.run(
        [sys.executable, "-c", script],
        env=shell.environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    loaded = set(commands.stdout.split())
    assert not loaded & {"chromadb", "mlx", "fastapi", "uvicorn", "numpy", "rich.console", "tree_sitter", "impetus.app"}
