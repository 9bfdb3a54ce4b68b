/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tests: a profile written as folded stacks, "main;parse;read 5". A name with
 * '!' in front could not be resolved, one with '+' was inlined into the one
 * before it.
 */
#ifndef ORIEL_REPORT_TEST_PROFILE_H
#define ORIEL_REPORT_TEST_PROFILE_H

#include <stdlib.h>
#include <string.h>

#include "model/profile.h"
#include "report/frames.h"
#include "test.h"

struct profile_maker {
    struct model_catalog catalog;
    struct model_profile profile;
    struct frames frames;
    struct model_thread *threads[3]; /* the last in another process */
    struct model_site *sites[2];     /* "query", "render" */
    uint32_t app, libz;
};

static inline uint32_t maker_module(struct profile_maker *m, const char *path)
{
    struct model_module like = {
        .kind = MODEL_MODULE_FILE, .process = UINT32_MAX, .path = {path, (uint32_t)strlen(path)}};
    return model_stacks_module(&m->catalog.stacks, &like)->index;
}

static inline void maker_begin(struct profile_maker *m)
{
    memset(m, 0, sizeof *m);
    model_catalog_init(&m->catalog);
    model_profile_init(&m->profile, false);
    for (int i = 0; i < 2; i++)
        REQUIRE(model_catalog_add_process(&m->catalog, 10 + i, MODEL_STR("/bin/app"),
                                          MODEL_STR("app")));
    for (uint32_t i = 0; i < 3; i++)
        m->threads[i] = model_catalog_add_thread(&m->catalog, i / 2, 20 + (int)i, i + 1);
    REQUIRE(model_thread_set_name(&m->catalog, m->threads[1], MODEL_STR("worker")) == 0);
    static const char *const names[] = {"query", "render"};
    for (uint32_t i = 0; i < 2; i++)
        m->sites[i] = model_catalog_add_site(
            &m->catalog,
            &(struct model_site){.id = i + 1, .name = {names[i], (uint32_t)strlen(names[i])}});
    m->app = maker_module(m, "/bin/app");
    m->libz = maker_module(m, "/lib/libz.so.1");
    REQUIRE(frames_init(&m->frames, &m->catalog.stacks) == 0);
}

static inline void maker_end(struct profile_maker *m)
{
    frames_done(&m->frames);
    model_profile_done(&m->profile);
    model_catalog_done(&m->catalog);
}

static inline struct model_line maker_line(const char *name)
{
    uint32_t n = (uint32_t)strlen(name);
    return (struct model_line){
        .function = {name, n}, .file = MODEL_STR("/src/app.c"), .line = 10 + n, .start_line = 10};
}

/* Names from the outermost in; inlined ones share the place of the one before. */
static inline uint32_t maker_stack(struct profile_maker *m, char *path)
{
    struct model_stacks *s = &m->catalog.stacks;
    uint32_t node = 0;
    char *names[32], *end;
    int n = 0;
    for (char *name = path; name; name = end) {
        end = strchr(name, ';');
        if (end)
            *end++ = 0;
        names[n++] = name;
    }
    for (int i = 0; i < n; i++) {
        struct model_line lines[8];
        uint32_t k = 0, address = 0;
        bool unresolved = names[i][0] == '!';
        int last = i;
        while (last + 1 < n && names[last + 1][0] == '+')
            last++;
        for (int at = last; at >= i; at--) {
            lines[k] = maker_line(names[at] + (names[at][0] == '+'));
            lines[k++].inlined = at > i;
        }
        for (int at = i; at <= last; at++)
            for (const char *p = names[at]; *p; p++)
                address = address * 31 + (unsigned char)*p;
        struct model_place *place =
            model_stacks_place(s, unresolved ? m->libz : m->app, address, i > 0);
        REQUIRE(place);
        if (!unresolved && !place->resolved)
            REQUIRE(model_place_set_lines(s, place, lines, k) == 0);
        node = model_stacks_node(s, node, place->index);
        i = last;
    }
    return node;
}

/* A place with this function, called from `node`. */
static inline uint32_t maker_node(struct profile_maker *m, uint32_t node, uint32_t module,
                                  uint64_t offset, bool returns, const char *function)
{
    struct model_stacks *s = &m->catalog.stacks;
    struct model_place *place = model_stacks_place(s, module, offset, returns);
    const struct model_line line = maker_line(function);
    REQUIRE(place && model_place_set_lines(s, place, &line, 1) == 0);
    return model_stacks_node(s, node, place->index);
}

static inline uint32_t maker_kernel(struct profile_maker *m)
{
    const struct model_module like = {
        .kind = MODEL_MODULE_KERNEL, .process = UINT32_MAX, .path = MODEL_STR("[kernel]")};
    return model_stacks_module(&m->catalog.stacks, &like)->index;
}

/* One sample of the first thread. */
static inline void maker_sample(struct profile_maker *m, struct model_profile *to, uint8_t kind,
                                uint32_t stack, uint64_t weight)
{
    const struct model_sample s = {
        .kind = kind, .thread = m->threads[0], .weight = weight, .count = 1, .stack = stack};
    REQUIRE(model_profile_add(to, &s) == 0);
}

static inline void maker_add(struct profile_maker *m, const char *folded, uint32_t thread,
                             const struct model_site *site)
{
    char text[512];
    snprintf(text, sizeof text, "%s", folded);
    char *space = strrchr(text, ' ');
    REQUIRE(space);
    *space = 0;
    struct model_sample s = {.kind = ORIEL_SAMPLE_CPU,
                             .thread = m->threads[thread],
                             .site = site,
                             .weight = strtoull(space + 1, NULL, 10),
                             .count = 1};
    s.stack = maker_stack(m, text);
    REQUIRE(model_profile_add(&m->profile, &s) == 0);
}

#endif
