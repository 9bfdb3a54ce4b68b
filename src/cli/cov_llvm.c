/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Profiles of LLVM, by whichever llvm-profdata and llvm-cov can read them. What
 * they print is read in a confined child.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cli/child.h"
#include "cli/cov_confined.h"
#include "cli/cov_helper.h"
#include "cli/cov_tools.h"

enum { LLVM_NEWEST = COV_LLVM_FIRST - 1, LLVM_OLDEST = 11 };

bool cov_llvm_tool(const char *name, int *version, char *out, size_t n)
{
    char path[512];
    for (int v = *version; v >= LLVM_OLDEST; v--) {
        if (v > LLVM_NEWEST)
            (void)snprintf(out, n, "%s", name);
        else
            (void)snprintf(out, n, "%s-%d", name, v);
        if (child_find(out, path, sizeof path, NULL) == 0) {
            *version = v;
            return true;
        }
    }
    return false;
}

static int merge(const char *tool, char *const profiles[], size_t count, const char *merged,
                 struct oriel_err *err)
{
    struct cov_helper h;
    cov_helper_init(&h, tool);
    cov_helper_word(&h, "merge");
    cov_helper_word(&h, "-sparse");
    cov_helper_word(&h, "-o");
    cov_helper_word(&h, merged);
    for (size_t i = 0; i < count; i++)
        cov_helper_word(&h, profiles[i]);
    int rc = cov_helper_run(&h, err);
    cov_helper_done(&h);
    return rc;
}

/* Those that it can read one by one, where it cannot read all. */
static int merge_readable(const char *tool, const struct cov_paths *profiles, const char *merged,
                          struct cov_trouble *trouble, struct oriel_err *err)
{
    struct cov_paths readable = {0};
    struct cov_trouble lost = {.lost = 0};
    int rc = 0;
    for (size_t i = 0; i < profiles->count && rc == 0; i++)
        if (merge(tool, profiles->items + i, 1, merged, err) < 0)
            cov_lose(&lost, profiles->items[i], err->text);
        else
            rc = cov_paths_add(&readable, profiles->items[i]);
    if (rc < 0)
        err_set(err, rc, "out of memory");
    else
        rc = readable.count ? merge(tool, readable.items, readable.count, merged, err)
                            : ORIEL_EFORMAT; /* it was said of the last one */
    for (size_t i = 0; i < lost.lost && rc == 0; i++)
        cov_lose(trouble, "", lost.why);
    VEC_DONE(&readable);
    return rc;
}

void cov_make_readable(struct coverage *c)
{
    struct buf names;
    struct oriel_err err;
    struct cov_helper h;
    VEC(uint32_t) asked = {0};
    buf_init(&names);
    cov_helper_init(&h, "c++filt");
    h.input = &names;
    for (size_t i = 0; i < c->files.count; i++)
        for (size_t k = 0; k < c->files.items[i].functions.count; k++) {
            uint32_t id = c->files.items[i].functions.items[k].name;
            struct model_str s = coverage_string(c, id);
            uint32_t *slot =
                s.n > 2 && s.p[0] == '_' && !memchr(s.p, '\n', s.n) ? VEC_PUSH(&asked) : NULL;
            if (!slot)
                continue;
            *slot = id;
            buf_put(&names, s.p, s.n);
            buf_putc(&names, '\n');
        }
    if (asked.count && !names.failed && cov_helper_run(&h, &err) == 0)
        for (size_t i = 0, at = 0; i < asked.count && at < h.out.size; i++) {
            const char *end = memchr(h.out.data + at, '\n', h.out.size - at);
            size_t n = end ? (size_t)(end - h.out.data) - at : h.out.size - at;
            struct model_str s = coverage_string(c, asked.items[i]);
            (void)coverage_add_readable(c, s.p, s.n, h.out.data + at, n);
            at += n + 1;
        }
    VEC_DONE(&asked);
    cov_helper_done(&h);
    buf_done(&names);
}

/* As a tracefile: LLVM makes lines out of its regions itself. */
static int export_lcov(struct coverage *c, const char *tool, const struct cov_paths *objects,
                       const char *merged, struct oriel_err *err)
{
    char profile[4200];
    const struct cov_confined how = {.read = coverage_read_lcov};
    struct cov_helper h;
    (void)snprintf(profile, sizeof profile, "-instr-profile=%s", merged);
    cov_helper_init(&h, tool);
    cov_helper_word(&h, "export");
    cov_helper_word(&h, "-format=lcov");
    cov_helper_word(&h, profile);
    for (size_t i = 0; i < objects->count; i++) {
        if (i > 0)
            cov_helper_word(&h, "-object");
        cov_helper_word(&h, objects->items[i]);
    }
    int rc = cov_helper_run(&h, err);
    if (rc == 0)
        rc = cov_confined_read(c, &how, h.out.data ? h.out.data : "", h.out.size, err);
    if (rc == 0)
        cov_make_readable(c);
    cov_helper_done(&h);
    return rc;
}

int cov_llvm(struct coverage *c, const struct cov_paths *profiles, const struct cov_paths *objects,
             const char *merged, struct cov_trouble *trouble, struct oriel_err *err)
{
    char tool[64], reader[64];
    int rc = ORIEL_ENOTFOUND, version = COV_LLVM_FIRST;
    assert(profiles->count);
    if (objects->count == 0)
        return err_set(err, ORIEL_EINVAL,
                       "%s: says nothing without its program: name it with --object",
                       profiles->items[0]);
    /* Formats change with versions: the first that reads the profile is right. */
    for (; cov_llvm_tool("llvm-profdata", &version, tool, sizeof tool); version--) {
        rc = merge(tool, profiles->items, profiles->count, merged, err);
        if (rc < 0 && profiles->count > 1)
            rc = merge_readable(tool, profiles, merged, trouble, err);
        (void)snprintf(reader, sizeof reader, "llvm-cov%s", tool + strlen("llvm-profdata"));
        if (rc == 0)
            return export_lcov(c, reader, objects, merged, err);
    }
    return rc == ORIEL_ENOTFOUND
               ? err_set(err, rc,
                         "llvm-profdata: no such program; it belongs to clang (Debian: "
                         "llvm)")
               : rc;
}
