"""Packages that carry recordings: pinned versions, fetched into a cache without root, checked, unpacked.

A package lies in the cache whole and with the right checksum, or not at all; once there, no network is needed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

__all__ = ["PACKAGES", "Package", "PackageError", "PackageUnavailable", "default_cache", "obtain"]


@dataclass(frozen=True)
class Package:
    """One file of a package registry: where it comes from, its checksum, and the folders of it that are unpacked."""

    name: str
    version: str
    kind: Literal["deb", "wheel", "sdist"]
    sha256: str
    folders: tuple[str, ...]
    credit: str

    @property
    def registry(self) -> str:
        """Name of the registry as written in SOURCES.md."""
        return "Debian" if self.kind == "deb" else "PyPI"


PACKAGES = (
    Package(
        "captcha",
        "0.7.1",
        "wheel",
        "8b73b5aba841ad1e5bdb856205bf5f09560b728ee890eb9dae42901219c8c599",
        ("captcha/data",),
        "Hsiaoming Yang, BSD-3-Clause",
    ),
    Package(
        "pocketsphinx",
        "5.1.1",
        "sdist",
        "675778b309a22dfc9b7d37f7621976bba491d2a5f8c59696bd77fd6d07271355",
        ("pocketsphinx-5.1.1/test/data", "pocketsphinx-5.1.1/test/regression"),
        "Carnegie Mellon University and others, BSD-2-Clause; LibriVox readings: public domain",
    ),
    Package(
        "asterisk-core-sounds-en",
        "1.6.1-1",
        "deb",
        "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
        ("usr/share/doc/asterisk-core-sounds-en",),
        "Digium, Inc. (transcripts of the prompts), CC-BY-SA-3.0",
    ),
    Package(
        "asterisk-core-sounds-en-wav",
        "1.6.1-1",
        "deb",
        "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
        ("usr/share/asterisk/sounds",),
        "spoken by Allison Smith for Digium, Inc., CC-BY-SA-3.0",
    ),
    Package(
        "klettres-data",
        "4:22.12.3-1",
        "deb",
        "1186d257a19e84230856baea0b0b1ded8be9195080fcdb2588970b5cd937f5a8",
        ("usr/share/klettres/en", "usr/share/klettres/en_GB"),
        "KDE, Anne-Marie Mahfouf and others, GPL-2.0-or-later",
    ),
)
"""What holds for everyone first (PyPI), then what needs apt (Debian 12, bookworm)."""


class PackageError(Exception):
    """A package could not be had, or is not the one that is pinned."""


class PackageUnavailable(PackageError):  # noqa: N818 - says what is the case, and is answered, not only raised
    """This machine cannot have the package at all, or no longer at this version."""


def default_cache() -> Path:
    """Return ``BEAMSCRIBE_CACHE``, or ``~/.cache/beamscribe`` where it is not set."""
    return Path(os.environ.get("BEAMSCRIBE_CACHE") or Path.home() / ".cache" / "beamscribe")


def obtain(package: Package, cache: Path) -> Path:
    """Return the folder of the unpacked ``package``, fetching what is not in ``cache`` or has the wrong checksum.

    Raises:
        PackageUnavailable: no apt on this machine, or its sources have no such version (any more).
        PackageError: fetching failed, or what came has another checksum.
    """
    cache = cache.absolute()  # pip and apt run in a folder of their own
    label = f"{package.name} {package.version} ({package.registry})"
    unpacked = cache / "unpacked" / f"{package.name}-{package.sha256[:12]}"
    archive = cache / "packages" / f"{package.name}-{package.sha256[:12]}.{package.kind}"
    if archive.exists() and checksum(archive) == package.sha256:
        print(f"{label}: in the cache", flush=True)
    else:
        print(f"{label}: " + ("damaged in the cache, fetching again" if archive.exists() else "fetching"), flush=True)
        shutil.rmtree(unpacked, ignore_errors=True)
        fetch(package, archive, cache)
    if not unpacked.exists():
        unpack(package, archive, unpacked)
    return unpacked


def fetch(package: Package, archive: Path, cache: Path) -> None:
    """Fetch ``package`` into a temporary folder, check it, and only then give it its name in the cache."""
    with temporary_folder(archive.parent) as folder:
        if package.kind == "deb":
            apt_download(package, folder, cache)
        else:
            pip_download(package, folder)
        files = list(folder.iterdir())
        if len(files) != 1:
            raise PackageError(f"{package.name}: one file expected, the download left {[file.name for file in files]}")
        found = checksum(files[0])
        if found != package.sha256:
            raise PackageError(f"{files[0].name}: its sha256 is {found}, wanted is {package.sha256}")
        files[0].replace(archive)


def pip_download(package: Package, folder: Path) -> None:
    """Download with the running interpreter's pip, from the index that pip is set to."""
    # pip prepares the metadata of a source archive: that takes seconds, builds nothing and needs no compiler, as long
    # as only the package itself, not what prepares it, has to be a source archive.
    form = "--only-binary" if package.kind == "wheel" else "--no-binary"
    wanted = f"{package.name}=={package.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", form, package.name, "--dest", str(folder), wanted]
    result = run(command, folder)
    if result.returncode:
        raise PackageError(f"{wanted}: `pip download` failed: {last_lines(result)}")


def apt_download(package: Package, folder: Path, cache: Path) -> None:
    """Download with apt: by the machine's own package lists, or by lists fetched into ``cache`` where those fall short.

    Raises:
        PackageUnavailable: there is no apt, or it has not this version.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise PackageUnavailable(f"{package.name} is a Debian package, and this machine has no apt-get and dpkg")
    # Nothing outside the cache is written; as root, apt would hand the download to a user who cannot write there.
    own = ["-o", f"Dir::Cache={cache / 'apt'}", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none"]
    download = [*own, "download", f"{package.name}={package.version}"]
    result = run(["apt-get", *download], folder)
    if result.returncode:
        lists = ["-o", f"Dir::State::Lists={cache / 'apt' / 'lists'}"]
        (cache / "apt" / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        print("  fetching Debian's package lists into the cache (no root needed)", flush=True)
        update = run(["apt-get", *lists, *own, "update"], folder)
        result = run(["apt-get", *lists, *download], folder)
        if result.returncode:
            offered = run(["apt-cache", *lists, *own, "show", "--no-all-versions", package.name], folder).stdout
            versions = [line.split(maxsplit=1)[1] for line in offered.splitlines() if line.startswith("Version: ")]
            if versions and package.version not in versions:
                raise PackageUnavailable(
                    f"{package.name}: apt offers version {', '.join(versions)}, wanted is {package.version}; "
                    "the version pinned in examples/packages.py is not in this machine's apt sources (any more)"
                )
            raise PackageUnavailable(f"{package.name}: `apt-get download` failed: {last_lines(update, result)}")


def unpack(package: Package, archive: Path, unpacked: Path) -> None:
    """Unpack the folders of ``package`` that are of use; ``unpacked`` is there whole or not at all."""
    with temporary_folder(unpacked.parent) as folder:
        if package.kind == "wheel":
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(folder, [name for name in wheel.namelist() if lies_below(name, package.folders)])
        elif package.kind == "sdist":
            with archive.open("rb") as stream:
                unpack_tar(stream, package.folders, folder)
        else:
            with subprocess.Popen(["dpkg", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as dpkg:
                assert dpkg.stdout is not None
                unpack_tar(dpkg.stdout, package.folders, folder)
                dpkg.stdout.read()  # to the end, or dpkg fails on a closed pipe
            if dpkg.returncode:
                raise PackageError(f"{package.name}: `dpkg --fsys-tarfile` failed with status {dpkg.returncode}")
        folder.rename(unpacked)


def unpack_tar(stream: IO[bytes], folders: tuple[str, ...], target: Path) -> None:
    """Unpack the files below ``folders`` from a tar stream, compressed or not."""
    with tarfile.open(fileobj=stream, mode="r|*") as tar:
        for member in tar:
            if member.isfile() and lies_below(member.name.removeprefix("./"), folders):
                tar.extract(member, target, filter="data")


def lies_below(name: str, folders: tuple[str, ...]) -> bool:
    """Return whether the file ``name`` lies in one of ``folders`` or deeper."""
    return name.startswith(tuple(f"{folder}/" for folder in folders))


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ``command`` in ``folder`` in the C locale, keeping what it prints."""
    environment = os.environ | {"LC_ALL": "C"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def last_lines(*results: subprocess.CompletedProcess[str]) -> str:
    """Return the last few lines that each command wrote to stderr."""
    return " / ".join(line for result in results for line in result.stderr.strip().splitlines()[-3:])


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Give a new folder in ``parent``, which is gone afterwards unless it was renamed."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
