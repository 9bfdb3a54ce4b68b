/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Folded stacks: "root;child;leaf NUMBER" lines, of whatever tool. A name that
 * ends in _[k] is the kernel's, in _[i] it is inlined into the one before it.
 * What the numbers count is not said; they count as CPU time here. One thread.
 */
#include "source/folded/folded.h"

#include <string.h>

#include "util/num.h"

enum { FRAMES_MAX = MODEL_STACK_DEPTH_MAX, SNIFF_LINES = 64 };

/* "stack NUMBER": false if it is not such a line. */
static bool split(struct model_str line, struct model_str *stack, uint64_t *number)
{
    while (line.n && line.p[line.n - 1] == ' ')
        line.n--;
    const char *space = line.n ? memrchr(line.p, ' ', line.n) : NULL;
    if (!space || space == line.p)
        return false;
    const char *digits = space + 1;
    *stack = (struct model_str){line.p, (uint32_t)(space - line.p)};
    return num_parse_u64(digits, (size_t)(line.p + line.n - digits), number) == 0;
}

static bool folded_recognizes(const uint8_t *head, size_t n)
{
    struct import_lines lines = {(const char *)head, (const char *)head + n};
    struct model_str line, stack;
    uint64_t number;
    unsigned good = 0;
    while (good < SNIFF_LINES && import_next_line(&lines, &line)) {
        if (lines.at == lines.end && n == SOURCE_HEAD_BYTES)
            break; /* cut in the middle */
        if (line.n == 0)
            continue;
        if (memchr(line.p, 0, line.n) || line.p[0] == '\t' || line.p[0] == '{' ||
            line.p[0] == '#' || !split(line, &stack, &number))
            return false;
        good++;
    }
    return good > 0;
}

static bool cut_mark(struct model_str *name, const char *mark)
{
    if (name->n <= 4 || memcmp(name->p + name->n - 4, mark, 4) != 0)
        return false;
    name->n -= 4;
    return true;
}

/* Names of one place: the function that was called, then what is inlined. */
struct place {
    struct model_line lines[IMPORT_INLINED_MAX]; /* the outermost first */
    uint32_t count;
    bool kernel;
};

static int add_place(struct folded_source *s, struct place *p, uint32_t *stack)
{
    struct model_line turned[IMPORT_INLINED_MAX];
    if (p->count == 0)
        return 0;
    for (uint32_t i = 0; i < p->count; i++) {
        turned[i] = p->lines[p->count - 1 - i];
        turned[i].inlined = i + 1 < p->count;
    }
    uint32_t place = import_place(&s->import, p->kernel ? s->kernel : s->user, turned, p->count);
    uint32_t node =
        place == UINT32_MAX ? 0 : model_stacks_node(&s->import.catalog->stacks, *stack, place);
    p->count = 0;
    *stack = node ? node : *stack; /* too deep: the rest counts there */
    return place == UINT32_MAX ? ORIEL_ENOMEM : 0;
}

static int add_stack(struct folded_source *s, struct model_str text, uint32_t *stack)
{
    struct place place;
    int rc = 0;
    place.count = 0;
    const char *at = text.p, *end = text.p + text.n;
    while (rc == 0 && at <= end) {
        const char *stop = at < end ? memchr(at, ';', (size_t)(end - at)) : NULL;
        stop = stop ? stop : end;
        struct model_str name = {at, (uint32_t)(stop - at)};
        bool inlined = cut_mark(&name, "_[i]");
        bool kernel = !inlined && cut_mark(&name, "_[k]");
        at = stop + 1;
        if (!name.n)
            continue;
        if (!inlined || !place.count || place.count == IMPORT_INLINED_MAX)
            rc = add_place(s, &place, stack);
        if (!place.count)
            place.kernel = kernel;
        place.lines[place.count++] = (struct model_line){.function = name};
    }
    return rc < 0 ? rc : add_place(s, &place, stack);
}

static int parse(struct folded_source *s)
{
    struct import *i = &s->import;
    const char *begin = i->text;
    struct import_lines lines = {begin, begin + i->size};
    struct model_str line, text;
    int rc = 0;
    s->user = import_module(i, MODEL_MODULE_UNKNOWN, MODEL_STR("[unknown]"));
    s->kernel = import_module(i, MODEL_MODULE_KERNEL, MODEL_STR("[kernel]"));
    s->thread = import_thread(i, 1, 1, MODEL_STR(""), MODEL_STR(""));
    if (s->user == UINT32_MAX || s->kernel == UINT32_MAX || s->thread == UINT32_MAX)
        return ORIEL_ENOMEM;
    while (rc == 0 && import_next_line(&lines, &line)) {
        struct import_row row = {
            .count = 1, .thread = s->thread, .kind = ORIEL_SAMPLE_CPU, .t_ns = 1};
        if (line.n == 0)
            continue;
        if (!split(line, &text, &row.weight)) {
            import_note_damage(i, (uint64_t)(line.p - begin));
            continue;
        }
        rc = add_stack(s, text, &row.stack);
        if (rc == 0)
            rc = import_add(i, &row);
    }
    import_sort(i);
    import_set_format(i, "folded");
    return rc;
}

static int folded_open(void *state, const struct source_bytes *file, struct model_catalog *catalog,
                       struct oriel_err *err)
{
    struct folded_source *s = state;
    int rc = import_init(&s->import, file, catalog);
    if (rc == 0)
        rc = parse(s);
    if (rc == 0)
        return 0;
    import_done(&s->import);
    return err_set(err, rc, "%s: %s", file->path, err_text(rc));
}

static int folded_poll(void *state, struct model_batch *batch, size_t max_records,
                       struct oriel_err *err)
{
    int rc = import_poll(&((struct folded_source *)state)->import, batch, max_records);
    return rc < 0 ? err_set(err, rc, "folded stacks: %s", err_text(rc)) : rc;
}

static void folded_damage(const void *state, struct source_damage *out)
{
    import_damage(&((const struct folded_source *)state)->import, out);
}

static void folded_close(void *state)
{
    import_done(&((struct folded_source *)state)->import);
}

const struct source source_folded = {.name = "folded",
                                     .state_size = sizeof(struct folded_source),
                                     .recognizes = folded_recognizes,
                                     .open_bytes = folded_open,
                                     .poll = folded_poll,
                                     .damage = folded_damage,
                                     .close = folded_close};
