"""Download the pinned packages into a cache with the machine's ordinary clients. Runs nothing that a package contains.

    python -m training.static_embedder.fetch CACHE [--packages FILE]

Wheels instead of sdists on PyPI, `--ignore-scripts` on npm, download-only commands for Debian and a fetch of one
commit without a checkout for GitHub keep it that way.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

PACKAGES = Path(__file__).with_name("packages.txt")

#: Of a commit: code of the languages that models are trained on, scripts without an extension, and licenses.
_SOURCE = re.compile(
    r"\.(py|[cm]?js|jsx|[cm]?ts|tsx|go|rs|java|c|h|cc|cpp|cxx|hpp|hh|hxx|cs|rb|php|sh|bash|bats)$"
    r"|(^|/)(licen[cs]e|copying|unlicense)[^/]*$|^[^.\"]*$",
    re.I,
)
_NO_SOURCE = re.compile(
    r"(^|/)(tests?/(data|fixtures)|testdata|third[_-]?party|vendor|node_modules|assets|sandbox)/|\""
)
_AT_ONCE = 3  # gentle to the registries, and most of the time is waiting


@dataclass(frozen=True, slots=True, order=True)
class Package:
    ecosystem: str  # "pypi", "npm", "debian" (binary package that carries sources), "debian-source" or "github"
    name: str
    version: str  # of GitHub: the commit

    def folder(self, cache: Path) -> Path:
        return cache / self.ecosystem / self.name.replace("/", "+")


def read_packages(path: Path = PACKAGES) -> list[Package]:
    packages = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            ecosystem, pinned = line.split()[:2]
            name, version = pinned.rsplit("==", 1)
            packages.append(Package(ecosystem, name, version))
    return packages


def fetch(packages: list[Package], cache: Path) -> list[Package]:
    """Download what is not there yet; return the packages that could not be had."""
    apt = _isolated_apt(cache) if any(package.ecosystem.startswith("debian") for package in packages) else []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        fetched = pool.map(lambda package: _fetch_one(package, cache, apt), packages)
        return [package for package, there in zip(packages, fetched, strict=True) if not there]


def _fetch_one(package: Package, cache: Path, apt: list[str]) -> bool:
    folder = package.folder(cache)
    done = folder / ".done"
    if done.exists():
        return True
    folder.mkdir(parents=True, exist_ok=True)
    if package.ecosystem == "github":
        return _fetch_commit(package, folder)
    separator = {"pypi": "==", "npm": "@"}.get(package.ecosystem, "=")
    commands = {
        "pypi": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", "."],
        "npm": ["npm", "pack", "--silent", "--ignore-scripts"],
        "debian": ["apt-get", *apt, "--quiet", "download"],
        "debian-source": ["apt-get", *apt, "source", "--quiet", "--download-only"],
    }
    command = [*commands[package.ecosystem], f"{package.name}{separator}{package.version}"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    # A mirror may lack the packaging half of a source package; the upstream archive carries its license, too.
    if result.returncode != 0 and not any(folder.glob("*.orig*.tar.*")):
        print(f"left out: {package.name}: {(result.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        return False
    done.touch()
    return True


def _fetch_commit(package: Package, folder: Path) -> bool:
    """An archive of the source and license files of one commit; a repository is no work tree, so nothing runs."""
    repository = folder / "repository"

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["git", f"--git-dir={repository}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def archive() -> str:
        """Why there is none, or nothing."""
        git("init", "--quiet", "--bare")
        fetched = git("fetch", "--quiet", "--depth=1", f"https://github.com/{package.name}", package.version)
        if fetched.returncode:
            return fetched.stderr.strip()
        listed = git("ls-tree", "-r", "--name-only", package.version).stdout.splitlines()
        paths = [f":(literal){name}" for name in listed if _SOURCE.search(name) and not _NO_SOURCE.search(name)]
        inside = f"--prefix={package.name.rsplit('/', 1)[-1]}/"
        output = f"--output={folder / package.version}.tar.gz"
        packed = git("archive", "--format=tar.gz", inside, output, package.version, "--", *paths)
        return packed.stderr.strip() if packed.returncode else ""

    problem = archive()
    shutil.rmtree(repository, ignore_errors=True)
    if problem:
        print(f"left out: {package.name}: {problem.splitlines()[0]}")
        return False
    (folder / ".done").touch()
    return True


def _isolated_apt(cache: Path) -> list[str]:
    """Enable source packages in a list of our own, so that the machine's apt set-up stays as it is."""
    root = (cache / "apt").resolve()
    for part in ("lists/partial", "archives/partial"):
        (root / part).mkdir(parents=True, exist_ok=True)
    sources = root / "debian.sources"
    options = [
        f"-oDir::Etc::sourcelist={sources}",
        f"-oDir::Etc::sourceparts={root / 'none'}",
        f"-oDir::State::lists={root / 'lists'}",
        f"-oDir::Cache={root}",
    ]
    if not sources.exists():
        sources.write_text("".join(_with_sources()), encoding="utf-8")
        subprocess.run(["apt-get", *options, "--quiet", "update"], check=True, stdout=subprocess.DEVNULL)
    return options


def _with_sources() -> Iterator[str]:
    for path in sorted(Path("/etc/apt").glob("sources.list.d/debian*.sources")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield ("Types: deb deb-src" if line.startswith("Types:") else line) + "\n"
        yield "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    arguments = parser.parse_args()
    packages = read_packages(arguments.packages)
    missing = fetch(packages, arguments.cache)
    print(f"{len(packages) - len(missing)} of {len(packages)} packages in {arguments.cache}")


if __name__ == "__main__":
    main()
