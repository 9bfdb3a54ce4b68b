/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Picks the note that tells why the program ended. The ring is foreign input:
 * numbers from it are only printed.
 */
#include "session/crash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/artifact.h"
#include "source/region_io.h"
#include "wire/crash.h"

static const struct wire_crash *choose(const struct wire_crash *notes, unsigned n, int32_t pid,
                                       int signal_number)
{
    const struct wire_crash *first = NULL;
    for (unsigned i = 0; i < n; i++) {
        if (notes[i].pid == pid && notes[i].signal == signal_number)
            return &notes[i];
        if ((notes[i].flags & WIRE_CRASH_FATAL) && (!first || notes[i].ticks < first->ticks))
            first = &notes[i];
    }
    /* A death that left no note is another one than those that did. */
    return pid ? NULL : first;
}

int crash_describe(struct model_catalog *c, const char *ring, int32_t pid, int signal_number)
{
    struct wire_crash notes[WIRE_CRASHES];
    char text[32];
    const struct wire_crash *note =
        choose(notes, region_crashes(ring, notes, WIRE_CRASHES), pid, signal_number);
    if (!note)
        return 0;
    int rc = artifact_set(c, "oriel.crash.signal", wire_crash_signal(note->signal));
    if (rc == 0)
        rc = artifact_set(c, "oriel.crash.reason", wire_crash_reason(note->signal, note->code));
    snprintf(text, sizeof text, "%d", (int)note->code);
    if (rc == 0)
        rc = artifact_set(c, "oriel.crash.code", text);
    snprintf(text, sizeof text, "%d", (int)note->pid);
    if (rc == 0)
        rc = artifact_set(c, "oriel.crash.pid", text);
    snprintf(text, sizeof text, "%d", (int)note->tid);
    if (rc == 0)
        rc = artifact_set(c, "oriel.crash.tid", text);
    snprintf(text, sizeof text, "0x%" PRIx64, note->address);
    if (rc == 0 && (note->flags & WIRE_CRASH_ADDRESS))
        rc = artifact_set(c, "oriel.crash.address", text);
    snprintf(text, sizeof text, "0x%" PRIx64, note->ip);
    return rc == 0 ? artifact_set(c, "oriel.crash.ip", text) : rc;
}

static const char *text_of(const struct model_catalog *c, const char *key)
{
    struct model_str s = model_catalog_resource(c, key);
    return s.n && s.p[s.n] == 0 ? s.p : "";
}

void crash_line(const struct model_catalog *c, char *out, size_t n)
{
    const char *signal_name = text_of(c, "oriel.crash.signal");
    const char *address = text_of(c, "oriel.crash.address");
    int tid = (int)strtol(text_of(c, "oriel.crash.tid"), NULL, 10);
    assert(n > 0);
    if (!signal_name[0]) {
        snprintf(out, n, "%s", text_of(c, "oriel.exit.signal"));
        return;
    }
    int used =
        snprintf(out, n, "%s (%s)%s%s in thread ", signal_name, text_of(c, "oriel.crash.reason"),
                 address[0] ? " at address " : "", address);
    if (used < 0 || (size_t)used >= n)
        return; /* a program may have set such attributes, as long as it liked */
    for (uint32_t i = 0; i < c->thread_count; i++)
        if (c->threads[i]->tid == tid && c->threads[i]->name.n) {
            const struct model_str name = c->threads[i]->name;
            snprintf(out + used, n - (size_t)used, "%.*s", (int)name.n, name.p);
            return;
        }
    snprintf(out + used, n - (size_t)used, "%d", tid);
}
