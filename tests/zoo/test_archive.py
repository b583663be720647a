"""Zip files that mean no good."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from posetrack.errors import ModelError
from posetrack.zoo import archive
from posetrack.zoo.archive import unpack


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return path


def test_files_and_folders_come_out_as_they_went_in(tmp_path: Path) -> None:
    source = _zip(tmp_path / "m.zip", {"a/end2end.onnx": b"graph", "a/b/detail.json": b"{}"})
    folder = unpack(source, tmp_path / "out")
    assert (folder / "a" / "end2end.onnx").read_bytes() == b"graph"
    assert (folder / "a" / "b" / "detail.json").read_bytes() == b"{}"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "C:\\evil", "..\\evil"])
def test_a_name_that_leads_outside_is_refused_and_nothing_is_written(
    name: str, tmp_path: Path
) -> None:
    source = _zip(tmp_path / "m.zip", {"good": b"1", name: b"2"})
    with pytest.raises(ModelError, match="leads outside its folder: refused"):
        unpack(source, tmp_path / "in" / "out")
    assert list((tmp_path / "in").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as opened:
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(ModelError, match="'link', which leads outside"):
        unpack(tmp_path / "m.zip", tmp_path / "out")


def test_an_archive_that_grows_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    source = _zip(tmp_path / "m.zip", {"zeros": bytes(2000)})
    with pytest.raises(ModelError, match="too much for a model, refused"):
        unpack(source, tmp_path / "out")


def test_an_archive_of_too_many_files_is_refused(tmp_path: Path) -> None:
    source = _zip(tmp_path / "m.zip", {f"f{i}": b"" for i in range(archive.MAX_FILES + 1)})
    with pytest.raises(ModelError, match="holds 501 files"):
        unpack(source, tmp_path / "out")


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_a_cut_archive_leaves_nothing_behind(keep: int, tmp_path: Path) -> None:
    source = _zip(tmp_path / "m.zip", {"a": b"x" * 100})
    source.write_bytes(source.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"m\.zip cannot be unpacked"):
        unpack(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_member_leaves_nothing_behind(tmp_path: Path) -> None:
    source = _zip(tmp_path / "m.zip", {"a": b"x" * 100})
    source.write_bytes(source.read_bytes().replace(b"xxxxx", b"yyyyy"))
    with pytest.raises(ModelError, match="cannot be unpacked"):
        unpack(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
