#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A script that drives a native library, which is annotated (examples/c/kernels).

  kernels.py LIBKERNELS [TRACEPARENT]

Nothing here knows of telemetry but for the trace it hands over. The same script, unchanged,
sends the library's traces when the environment says so:

  TELEMETRY_ENABLED=true OTEL_SDK_ENABLED=true kernels.py LIBKERNELS
"""
import ctypes
import sys

KERNELS = ("scale", "smooth", "square")


def run(library, numbers, traceparent=None):
    """The numbers when all kernels are done with them."""
    ids = (ctypes.c_char_p * (len(KERNELS) + 1))(*(k.encode() for k in KERNELS), None)
    room = (ctypes.c_double * len(numbers))(*numbers)
    header = traceparent.encode() if traceparent else None
    if library.kernels_run(header, ids, room, ctypes.c_size_t(len(numbers))) != 0:
        raise RuntimeError("the kernels failed")
    return list(room)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    library = ctypes.CDLL(sys.argv[1])
    print(f"{sum(run(library, range(1000), *sys.argv[2:3])):.0f}")


if __name__ == "__main__":
    main()
