# The fork's front door. See README.md.
#
#   make            build everything
#   make demo       the main job, live
#   make check      all tests; SUITE=style|unit|engine|fuzz|qtest|functional|
#                   plans|storage|waits|guest|libvirt for one
#   make fuzz       for long: TARGET=frames|plan|serial|state SECONDS=3600
#   make bench      SUITE=engine|waits|plans|storage; figures in build/bench/
#   make deb-guest  a Debian package for guests, in build/
#   make install    PREFIX=/usr/local DESTDIR=
#
# Copyright (c) 2026 The Stubdomain authors
# SPDX-License-Identifier: GPL-2.0-or-later

PREFIX ?= $(shell cat build/prefix 2>/dev/null || echo /usr/local)
PYTHON := /usr/bin/python3
MESON := build/qemu/pyvenv/bin/meson
QEMU_TARGETS := qemu-system-x86_64 qemu-img

# So that another checkout, as CI's, finds in ccache what this one compiled.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

.PHONY: all configured build qtests guest demo check fuzz bench deb-guest install
.PHONY: clean

all: build

# Cheap when nothing changed; applies changed hooks.
configured:
	@./configure --prefix=$(PREFIX)

build: configured
	@tests/progress ninja -C build/qemu $(QEMU_TARGETS)
	@tests/progress ninja -C build/core
	@mkdir -p build/bin
	@ln -sfn ../qemu/qemu-system-x86_64 ../qemu/qemu-img build/bin/
	@ln -sfn ../core/guest/stubctl ../core/guest/stubdomain-agent build/bin/

guest: build
	@qemu/packages demo
	@$(PYTHON) tests/guest-image/build --build build --with bash

demo: guest
	@$(PYTHON) tests/demo/demo.py

check: SUITE ?= style unit engine fuzz qtest functional plans storage waits guest libvirt
check: build
	@$(PYTHON) tests/run $(SUITE)

fuzz: SECONDS ?= 3600
fuzz: configured
	@tests/fuzz/build $(TARGET) $(SECONDS)

bench: SUITE ?= engine
bench: build
	@qemu/packages demo libvirt bench
	@bench/run $(SUITE)

deb-guest: build
	@$(PYTHON) guest/debian/build --build build

install: build
	@tests/progress ninja -C build/qemu $$(qemu/installed build/qemu)
	@DESTDIR=$(abspath $(DESTDIR)) $(MESON) install -C build/qemu --no-rebuild --quiet
	@DESTDIR=$(abspath $(DESTDIR)) $(MESON) install -C build/core --no-rebuild --quiet
	@echo "installed in $(DESTDIR)$(PREFIX)"

clean:
	rm -rf build
