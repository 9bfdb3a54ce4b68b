# SPDX-License-Identifier: MIT OR Apache-2.0
"""A process from which the kernel refuses perf events, as containers do."""
import ctypes
import platform
import struct

CALLS = {"x86_64": 298, "aarch64": 241}  # perf_event_open


def refuse_perf():
    """A seccomp filter: perf_event_open fails with EPERM, all else is as it was."""
    def step(code, yes, no, k):
        return struct.pack("HBBI", code, yes, no, k)
    program = step(0x20, 0, 0, 0) + step(0x15, 0, 1, CALLS[platform.machine()]) + \
        step(0x06, 0, 0, 0x00050001) + step(0x06, 0, 0, 0x7fff0000)
    text = ctypes.create_string_buffer(program)

    class Filter(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
    f = Filter(len(program) // 8, ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.byref(f)) != 0:
        raise OSError("no filter")
