# SPDX-License-Identifier: MIT OR Apache-2.0
"""perf.data as its format is described: attributes, features, records, every sample by itself."""
import collections
import os
import struct

from common import need, same, utf8

EVENTS = {1: "cpu-clock", 2: "offcpu-time", 6: "page-faults"}
KINDS = ["", "cpu", "off-cpu", "alloc", "free", "lock", "fault", "preempted", "wake", "depth",
         "holder", "live", "temporary", "peak", "condition", "calls"]
IP, TID, TIME, CALLCHAIN, CPU, PERIOD, IDENTIFIER = (1 << b for b in (0, 1, 2, 5, 7, 8, 16))
SAMPLE_TYPE = IP | TID | TIME | CALLCHAIN | CPU | PERIOD | IDENTIFIER
USER, KERNEL = (1 << 64) - 512, (1 << 64) - 128
MMAP, LOST, COMM, EXIT, FORK, SAMPLE, MMAP2 = 1, 2, 3, 4, 7, 9, 10
BUILD_IDS, HOST, COMMAND, EVENT_DESC, SAMPLE_TIME, CLOCK_DATA = 2, 3, 11, 12, 21, 29


def text(raw):
    return raw.split(b"\0")[0]


def texts(raw):
    """Of a feature: a length and as many bytes, again and again."""
    out = []
    while raw:
        n, = struct.unpack_from("<I", raw)
        out.append(text(raw[4:4 + n]))
        raw = raw[4 + n:]
    return out


class Perf:
    def __init__(self, truth, directory):
        self.truth = truth
        with open(os.path.join(directory, "perf.default"), "rb") as f:
            self.bytes = f.read()
        head = struct.unpack_from("<8s12Q", self.bytes)
        same(head[0], b"PERFILE2", "magic")
        same(head[1], 104, "size of the header")
        self.data = head[5], head[6]
        self.names = {}
        self.read_features(head[9])
        for at in range(head[3], head[3] + head[4], head[2]):
            self.read_attr(self.bytes[at:at + head[2]])
        need(self.names, "no events")

    def read_attr(self, raw):
        kind, size, _, _, sample_type, _, flags = struct.unpack_from("<IIQQQQQ", raw)
        ids_at, ids_bytes = struct.unpack_from("<QQ", raw, len(raw) - 16)
        same((kind, size, sample_type), (1, len(raw) - 16, SAMPLE_TYPE), "attributes")
        need(flags >> 18 & 1 and flags >> 25 & 1, "sample_id_all, use_clockid")
        same(struct.unpack_from("<i", raw, 92)[0], 0, "clock")
        same(ids_bytes, 8, "ids")
        need(struct.unpack_from("<Q", self.bytes, ids_at)[0] in self.names, "an id without a name")

    def read_features(self, bits):
        self.features = {}
        at = sum(self.data)
        for i in range(64):
            if bits >> i & 1:
                start, size = struct.unpack_from("<QQ", self.bytes, at)
                self.features[i] = self.bytes[start:start + size]
                same(len(self.features[i]), size, "feature", i)
                at += 16
        raw = self.features[EVENT_DESC]
        count, attr_bytes = struct.unpack_from("<II", raw)
        raw = raw[8:]
        for _ in range(count):
            ids, n = struct.unpack_from("<II", raw, attr_bytes)
            same(ids, 1, "ids of an event")
            end = attr_bytes + 8 + n
            number, = struct.unpack_from("<Q", raw, end)
            self.names[number] = text(raw[attr_bytes + 8:end]).decode()
            raw = raw[end + 8:]
        same(raw, b"", "behind the events")

    def records(self):
        at, end = self.data[0], sum(self.data)
        while at < end:
            kind, misc, size = struct.unpack_from("<IHH", self.bytes, at)
            need(8 <= size <= end - at and size % 8 == 0, "a record of", size)
            yield kind, misc, self.bytes[at + 8:at + size]
            at += size
        same(at, end, "end of the records")

    def expected_stack(self, sample):
        """((module or "", address), ...) as a reader has to see it, innermost first."""
        out, part = [], None
        for p in sample["stack"]:
            kernel = utf8(p["module"]) == "[kernel]"
            first, part = part != kernel, kernel
            address = p["address"] - 1 if first and p["caller"] else \
                p["address"] + 1 if not first and not p["caller"] else p["address"]
            out.append((utf8(p["module"]), p["build_id"], address))
        return tuple(out)

    def take_map(self, misc, raw):
        pid, _, start, size, offset = struct.unpack_from("<iIQQQ", raw)
        build_id = raw[36:36 + raw[32]].hex() if misc >> 14 & 1 else ""
        same(struct.unpack_from("<I", raw, 56)[0], 5, "protection")
        self.maps[pid].append((start, start + size, offset, text(raw[64:]).decode(), build_id))

    def place(self, pid, address):
        found = [m for m in self.maps[pid] if m[0] <= address < m[1]]
        same(len(set(found)), 1, "mappings of", hex(address))
        start, _, offset, path, build_id = found[0]
        return path, build_id, address - start + offset

    def stack(self, pid, misc, ip, chain):
        out, kernel = [], None
        if chain:
            same(ip, chain[1], "ip")
            same(misc & 7, 1 if chain[0] == KERNEL else 2, "mode")
        for a in chain:
            if a in (USER, KERNEL):
                kernel = a == KERNEL
            else:
                out.append(("[kernel]", "", a) if kernel else self.place(pid, a))
        return tuple(out)

    def samples(self):
        self.maps, comms = collections.defaultdict(list), {}
        got, last, kernel = [], 0, False
        for kind, misc, raw in self.records():
            t, = struct.unpack_from("<Q", raw, 24 if kind == SAMPLE else len(raw) - 24)
            if kind == SAMPLE:
                number, ip, pid, tid, t, _, _, period, n = struct.unpack_from("<QQIIQIIQQ", raw)
                chain = struct.unpack_from("<%dQ" % n, raw, 56)
                got.append((self.names[number], t, period, pid, tid, comms[pid, tid],
                            self.stack(pid, misc, ip, chain)))
                need(kernel or KERNEL not in chain, "no mapping of the kernel")
            elif kind == MMAP2:
                self.take_map(misc, raw)
            elif kind == COMM:
                comms[struct.unpack_from("<II", raw)] = text(raw[8:-32])
            elif kind == MMAP:
                kernel = True
            else:
                need(kind in (LOST, EXIT, FORK), "a record of type", kind)
            need(t >= last, "not in order of time")
            last = t
        expected = []
        for s in self.truth.samples:
            thread = self.truth.threads[s["thread"]]
            process = self.truth.processes[thread["process"]]
            expected.append((EVENTS.get(s["kind"], "oriel:" + KINDS[s["kind"]]), s["t"],
                             s["weight"], process["pid"], thread["tid"],
                             text(bytes.fromhex(thread["name"] or process["name"])[:63]),
                             self.expected_stack(s)))
        same(len(got), len(expected), "samples")
        for a, b in zip(got, expected):
            same(a, b, "sample")
        self.check_features()

    def check_features(self):
        times = [s["t"] for s in self.truth.samples]
        same(struct.unpack("<QQ", self.features[SAMPLE_TIME]), (min(times), max(times)), "times")
        same(struct.unpack("<IIQQ", self.features[CLOCK_DATA])[:2], (1, 0), "clock")
        raw, ids = self.features[BUILD_IDS], {}
        while raw:
            _, misc, size = struct.unpack_from("<IHH", raw)
            need(misc == 2 | 1 << 15, "build-id of")
            ids[text(raw[36:size])] = raw[12:12 + raw[32]].hex()
            raw = raw[size:]
        used = {(p["module"], p["build_id"]) for s in self.truth.samples for p in s["stack"]}
        same(ids, {bytes.fromhex(m): b for m, b in used if b}, "build-ids")
