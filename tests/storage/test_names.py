"""What a suspend file is called.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pytest

UUID = "6c33f0f1-31a4-4b1c-a0ea-6b2cd1d71f66"


@pytest.mark.parametrize("arguments, name", [
    (("-name", "sandbox"), "sandbox-stub0.suspend"),
    (("-uuid", UUID), f"{UUID}-stub0.suspend"),
    (("-name", "sandbox", "-uuid", UUID), "sandbox-stub0.suspend"),
    (("-name", "../up"), ".._up-stub0.suspend"),
    (("-name", "n" * 1000), f"{'n' * 128}-stub0.suspend"),
    ((), "stub0.suspend"),
], ids=["name", "uuid", "both", "path", "long", "neither"])
def test_name_and_uuid(make_vm, arguments, name):
    vm = make_vm(arguments=arguments)
    vm.launch()
    assert vm.suspend()["file"] == f"{vm.suspend_dir}/{name}"


def test_vms_with_names_share_a_directory(make_vm):
    first = make_vm("first", arguments=("-name", "first"))
    second = make_vm("second", suspend_dir=first.suspend_dir,
                     arguments=("-name", "second"))
    for vm in (first, second):
        vm.launch()
        vm.suspend()
    assert sorted(path.name for path in first.suspend_dir.iterdir()) == [
        "first-stub0.suspend", "second-stub0.suspend"]
