"""What configure says when QEMU cannot be had, or is not the one it is for.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import importlib.machinery
import importlib.util
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
QEMU = TOP / "build" / "qemu-src"


def load(name):
    """A program of qemu/ as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(TOP / "qemu" / name))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


fetch = load("fetch")
overlay = load("overlay")


def run_overlay(tree):
    return subprocess.run([TOP / "qemu" / "overlay", tree], text=True,
                          stderr=subprocess.PIPE)


@pytest.fixture
def tree(tmp_path):
    """The files of QEMU's that get lines, as they were before."""
    shutil.copy(QEMU / "VERSION", tmp_path)
    for name, _, _, added in overlay.read_hooks(TOP / "qemu" / "hooks"):
        path = tmp_path / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(QEMU / name, path)
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(
            line for line in lines
            if overlay.collapse(line) != overlay.collapse(added)))
    return tmp_path


def texts(tree):
    return {path: path.read_text() for path in tree.rglob("*")
            if path.is_file() and not path.is_symlink()}


def test_lines_are_added_once_and_nothing_else_changes(tree):
    before = texts(tree)
    assert run_overlay(tree).returncode == 0
    after = texts(tree)
    hooks = list(overlay.read_hooks(TOP / "qemu" / "hooks"))
    added = sum(len(text.splitlines()) for text in after.values()) - \
        sum(len(text.splitlines()) for text in before.values())
    assert added == len(hooks) < 40
    for name, _, _, line in hooks:
        assert overlay.collapse(line) in map(
            overlay.collapse, (tree / name).read_text().splitlines())

    assert run_overlay(tree).returncode == 0
    assert texts(tree) == after


def test_missing_anchor_is_named(tree):
    path = tree / "hw" / "meson.build"
    path.write_text(path.read_text().replace("subdir('ssi')", ""))
    result = run_overlay(tree)
    assert result.returncode != 0
    assert "hw/meson.build has no line 'subdir('ssi')'" in result.stderr


def test_wrong_series_is_refused(tree):
    (tree / "VERSION").write_text("9.2.4\n")
    result = run_overlay(tree)
    assert result.returncode != 0
    assert "is QEMU 9.2.4, but the fork is made for 10.0.x" in result.stderr


def test_what_is_not_qemu_is_refused(tmp_path):
    result = run_overlay(tmp_path)
    assert result.returncode != 0
    assert "is not a QEMU source tree" in result.stderr


class Apt:
    suite = "trixie"
    root = pathlib.Path("/nowhere")

    def __init__(self, *versions):
        self.versions = versions

    def output(self, *_):
        return "".join(f"Package: qemu\nVersion: {v}\n\n" for v in self.versions)


def test_newest_of_the_series_is_taken():
    apt = Apt("1:10.0.2+ds-1", "1:10.0.10+ds-1", "1:10.1.0+ds-1")
    assert fetch.newest_of_series(apt) == "1:10.0.10+ds-1"


def test_suite_with_another_series_is_refused():
    with pytest.raises(SystemExit, match="1:9.2.0.*made for 10.0.x.*"
                                         "--qemu-source=DIR"):
        fetch.newest_of_series(Apt("1:9.2.0+ds-1"))


def test_server_without_source_packages_is_named():
    with pytest.raises(SystemExit, match="deb-src"):
        fetch.newest_of_series(Apt())


def test_no_network_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "debian_mirror",
                        lambda: ("http://127.0.0.1:9/debian", ""))
    with pytest.raises(SystemExit, match="is the network up.*--qemu-source"):
        fetch.PrivateApt(tmp_path, "deb-src", "trixie")


def test_both_forms_of_sources_are_read():
    assert list(fetch.one_line_entries(
        "# deb http://a/debian x main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://a/debian trixie main\n")) == [
            ("http://a/debian", "trixie", "/k.gpg")]
    assert list(fetch.deb822_entries(
        "Types: deb\nURIs: http://a/debian\nSuites: trixie trixie-updates\n"
        "Components: main\nSigned-By: /k.gpg\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://b\nSuites: trixie\n")) == [
            ("http://a/debian", "trixie", "/k.gpg"),
            ("http://a/debian", "trixie-updates", "/k.gpg")]
