/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The text of `perf script`, with or without stacks. Samples end at an empty
 * line or at the next sample. Lines that are neither are passed over, and
 * counted unless they are comments or source lines. One thread.
 */
#include "source/script/script.h"

#include <string.h>

enum { SNIFF_LINES = 200 };

static bool script_recognizes(const uint8_t *head, size_t n)
{
    struct import_lines lines = {(const char *)head, (const char *)head + n};
    struct model_str line;
    struct script_head sample;
    for (unsigned i = 0; i < SNIFF_LINES && import_next_line(&lines, &line); i++) {
        if (line.n && memchr(line.p, 0, line.n))
            return false;
        if (script_read_head(line, &sample))
            return true;
    }
    return false;
}

/* ---- stacks ---- */

static int add_place(struct script_source *s, const struct script_frame *frames, uint32_t count,
                     uint32_t *stack)
{
    struct model_line lines[IMPORT_INLINED_MAX];
    const struct script_frame *outer = &frames[count - 1];
    uint8_t kind = outer->kernel               ? MODEL_MODULE_KERNEL
                   : outer->module.n == 0      ? MODEL_MODULE_UNKNOWN
                   : outer->module.p[0] == '/' ? MODEL_MODULE_FILE
                                               : MODEL_MODULE_UNKNOWN;
    uint32_t module =
        import_module(&s->import, kind, outer->kernel ? MODEL_STR("[kernel]") : outer->module);
    for (uint32_t i = 0; i < count; i++)
        lines[i] = (struct model_line){.function = frames[i].name.n ? frames[i].name
                                                                    : MODEL_STR("[unknown]"),
                                       .inlined = i + 1 < count};
    uint32_t place = module == UINT32_MAX
                         ? UINT32_MAX
                         : import_place(&s->import, module, lines, outer->name.n ? count : 0);
    uint32_t node =
        place == UINT32_MAX ? 0 : model_stacks_node(&s->import.catalog->stacks, *stack, place);
    *stack = node ? node : *stack;
    return place == UINT32_MAX ? ORIEL_ENOMEM : 0;
}

/* Frames from the outermost in; inlined ones stand before the one they are in. */
static int make_stack(struct script_source *s, uint32_t *stack)
{
    const struct script_frame *f = s->frames.items;
    int rc = 0;
    for (size_t end = s->frames.count; end > 0 && rc == 0;) {
        size_t begin = end - 1;
        while (begin > 0 && f[begin - 1].inlined && end - begin < IMPORT_INLINED_MAX)
            begin--;
        rc = add_place(s, f + begin, (uint32_t)(end - begin), stack);
        end = begin;
    }
    return rc;
}

static int finish_sample(struct script_source *s)
{
    static const char fault[] = "fault";
    const struct script_head *h = &s->head;
    struct import_row row = {.t_ns = h->t_ns, .weight = h->period, .count = 1};
    if (!s->open)
        return 0;
    s->open = false;
    row.kind = h->event.n && memmem(h->event.p, h->event.n, fault, sizeof fault - 1)
                   ? ORIEL_SAMPLE_FAULT
                   : ORIEL_SAMPLE_CPU;
    int rc = make_stack(s, &row.stack);
    row.thread = import_thread(&s->import, h->pid, h->tid, h->comm, h->comm);
    if (rc == 0 && row.thread == UINT32_MAX)
        rc = ORIEL_ENOMEM;
    return rc < 0 ? rc : import_add(&s->import, &row);
}

static int take_frame(struct script_source *s, struct model_str line)
{
    struct script_frame frame;
    if (!script_read_frame(line, &frame))
        return ORIEL_EFORMAT;
    struct script_frame *fresh =
        s->frames.count < MODEL_STACK_DEPTH_MAX ? VEC_PUSH(&s->frames) : NULL;
    if (!fresh)
        return s->frames.count < MODEL_STACK_DEPTH_MAX ? ORIEL_ENOMEM : 0;
    *fresh = frame;
    return 0;
}

static int take_line(struct script_source *s, struct model_str line, uint64_t at)
{
    struct script_head head;
    if (line.n == 0)
        return finish_sample(s);
    if (script_read_head(line, &head)) {
        int rc = finish_sample(s);
        s->head = head;
        s->open = true;
        s->frames.count = 0;
        if (rc == 0 && head.rest.n) /* the only frame, on the same line */
            (void)take_frame(s, head.rest);
        return rc;
    }
    bool inside = line.p[0] == ' ' || line.p[0] == '\t';
    int rc = inside && s->open ? take_frame(s, line) : ORIEL_EFORMAT;
    if (rc == ORIEL_EFORMAT) {
        if (!inside && line.p[0] != '#')
            import_note_damage(&s->import, at);
        rc = 0;
    }
    return rc;
}

static int parse(struct script_source *s)
{
    struct import *i = &s->import;
    const char *begin = i->text;
    struct import_lines lines = {begin, begin + i->size};
    struct model_str line;
    int rc = 0;
    while (rc == 0 && import_next_line(&lines, &line))
        rc = take_line(s, line, (uint64_t)(line.p - begin));
    if (rc == 0)
        rc = finish_sample(s);
    import_sort(i);
    import_set_format(i, "perf script");
    return rc;
}

/* ---- the source ---- */

static void script_close(void *state)
{
    struct script_source *s = state;
    VEC_DONE(&s->frames);
    import_done(&s->import);
}

static int script_open(void *state, const struct source_bytes *file, struct model_catalog *catalog,
                       struct oriel_err *err)
{
    struct script_source *s = state;
    memset(s, 0, sizeof *s);
    int rc = import_init(&s->import, file, catalog);
    if (rc == 0)
        rc = parse(s);
    if (rc == 0)
        return 0;
    script_close(s);
    return err_set(err, rc, "%s: %s", file->path, err_text(rc));
}

static int script_poll(void *state, struct model_batch *batch, size_t max_records,
                       struct oriel_err *err)
{
    int rc = import_poll(&((struct script_source *)state)->import, batch, max_records);
    return rc < 0 ? err_set(err, rc, "perf script: %s", err_text(rc)) : rc;
}

static void script_damage(const void *state, struct source_damage *out)
{
    import_damage(&((const struct script_source *)state)->import, out);
}

const struct source source_script = {.name = "script",
                                     .state_size = sizeof(struct script_source),
                                     .recognizes = script_recognizes,
                                     .open_bytes = script_open,
                                     .poll = script_poll,
                                     .damage = script_damage,
                                     .close = script_close};
