/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The state of source/script, and how its tests feed it.
 */
#ifndef ORIEL_SOURCE_SCRIPT_SCRIPT_H
#define ORIEL_SOURCE_SCRIPT_SCRIPT_H

#include "source/import.h"

/* A sample's first line. */
struct script_head {
    struct model_str comm, event, rest; /* rest: what stands behind the event */
    int32_t pid, tid;
    uint64_t t_ns, period;
};
struct script_frame {
    struct model_str name, module; /* name "" unknown */
    bool kernel, inlined;
};
struct script_source {
    struct import import;
    VEC(struct script_frame) frames; /* of the sample at hand, innermost first */
    struct script_head head;
    uint64_t sample_at;
    bool open;
};

/* false: not such a line. */
bool script_read_head(struct model_str line, struct script_head *out);
bool script_read_frame(struct model_str line, struct script_frame *out);

extern const struct source source_script;

#endif
