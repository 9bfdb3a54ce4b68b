# SPDX-License-Identifier: MIT OR Apache-2.0
# The short way in; everything is done by CMake (CMakePresets.json) and tools/.
#
#   make            the command and the libraries in build/
#   make demo       record a real program and show what happened
#   make check      all tests that need only Debian packages and npm
#   make interop    lanes that need another package registry (interop-full: slow ones too)
#   make bench      measure, compare, and fail over budget
#   make lint       formatting and wording; make format repairs the former
#   make fuzz       every fuzz target for SECONDS (600); make coverage: lines per room
#   make install    DESTDIR, PREFIX (/usr/local)
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
SECONDS ?= 600

all: build/build.ninja
	@cmake --build build -j $(JOBS) --target products

# Configuring again after that is CMake's business: the lists of sources are
# checked on every build.
build/build.ninja: tools/setup
	@tools/setup build
	@cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	@touch $@

demo: all
	@tools/demo

check:
	@tools/check

interop interop-full: build/build.ninja
	@cmake --build build -j $(JOBS)
	@tools/interop $@

# Peers that were not there when the tree was configured are looked for again.
bench: build/build.ninja
	@tools/setup bench
	@cmake -U 'HAVE_*' build >/dev/null
	@cmake --build build -j $(JOBS)
	@tools/bench

lint format:
	@tools/setup lint
	@tools/lint $@

fuzz:
	@tools/setup check
	@tools/fuzz $(SECONDS)

coverage:
	@tools/setup check
	@tools/coverage

install: all
	@cmake --install build --prefix $(PREFIX)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

clean:
	rm -rf build build-debug build-asan build-tsan build-coverage build-fuzz build-aarch64

.PHONY: all demo check interop interop-full bench lint format fuzz coverage install clean
