/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The screen at the end of a recording, on stderr: a summary line, what went
 * wrong, the top of the report, where to go next.
 */
#include "cli/ending.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/reading.h"
#include "cli/symbolize.h"
#include "report/text.h"
#include "util/num.h"
#include "util/tty.h"
#include "util/utf8.h"

#define REPORT_BYTES_MAX (128u << 20) /* a bigger capture would delay the prompt */
#define REPORT_LINES 21u
#define REPORT_ROWS 8u

struct screen {
    struct buf text;
    const char *dot; /* between the facts of a line */
    struct tty tty;
};

static void fact(struct screen *s, uint64_t n, const char *one, const char *many)
{
    char number[NUM_TEXT_MAX];
    buf_printf(&s->text, "%s%s %s", s->dot, num_count(number, n), n == 1 ? one : many);
}

/* Of what only went to a receiver: a capture beside it has all of it. */
static uint64_t undelivered(const struct outputs *o)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < o->count && o->capture < 0; i++)
        sum += o->items[i].lost;
    return sum;
}

static void losses(struct screen *s, const struct session_counts *c, const struct outputs *o)
{
    char number[NUM_TEXT_MAX];
    const uint64_t left = undelivered(o);
    uint64_t sum = left;
    for (unsigned i = 0; i < ORIEL_LOST_CAUSES; i++)
        sum += c->lost[i];
    buf_printf(&s->text, "%s%s lost", s->dot, num_count(number, sum));
    const char *between = " (";
    for (uint32_t i = 0; i < ORIEL_LOST_CAUSES; i++) {
        if (!c->lost[i])
            continue;
        if (c->lost[i] == sum)
            buf_printf(&s->text, "%s%s: %s", between, model_lost_text(i), model_lost_remedy(i));
        else
            buf_printf(&s->text, "%s%s %s: %s", between, num_count(number, c->lost[i]),
                       model_lost_text(i), model_lost_remedy(i));
        between = "; ";
    }
    if (left && left == sum)
        buf_printf(&s->text, "%snot delivered", between);
    else if (left)
        buf_printf(&s->text, "%s%s not delivered", between, num_count(number, left));
    if (sum)
        buf_putc(&s->text, ')');
}

static const char *main_path(const struct outputs *o)
{
    return o->dir[0] ? o->dir : o->items[o->capture >= 0 ? o->capture : 0].path;
}

static void summary(struct screen *s, const struct ending *e)
{
    char time[NUM_TEXT_MAX];
    const struct session_counts *c = &e->counts;
    buf_printf(&s->text, "oriel  %s", num_duration(time, e->duration_ns));
    if (c->processes > 1)
        fact(s, c->processes, "process", "processes");
    fact(s, c->threads, "thread", "threads");
    if (reading_spans(c) || reading_events(c) || !session_samples(c)) {
        fact(s, reading_spans(c), "span", "spans");
        fact(s, reading_events(c), "event", "events");
    }
    if (session_samples(c))
        fact(s, session_samples(c), "sample", "samples");
    losses(s, c, e->outputs);
    buf_printf(&s->text, "%s%s\n", s->dot, main_path(e->outputs));
}

/* What the program said, and what was seen of it. */
static void refusals(struct screen *s, const char *path, uint64_t all, uint64_t seen)
{
    char n[NUM_TEXT_MAX];
    buf_printf(&s->text, "oriel: %s: %s %s could not be written", path, num_count(n, all - seen),
               num_noun(all - seen, "record", "records"));
    if (seen)
        buf_printf(&s->text, ", nor %s of samples and readings", num_count(n, seen));
    buf_puts(&s->text, "; the program was not held up\n");
}

static void calls_unseen(struct screen *s, const struct syscall_ability *calls)
{
    char n[NUM_TEXT_MAX];
    if (calls && calls->missing[0])
        buf_printf(&s->text, "not seen: %s\n", calls->missing);
    if (calls && calls->lost)
        buf_printf(&s->text, "oriel: %s %s not counted: too many threads at a time\n",
                   num_count(n, calls->lost),
                   num_noun(calls->lost, "system call is", "system calls are"));
    if (calls && calls->unwatched)
        buf_printf(&s->text, "oriel: the system calls of %s %s are not counted: too many\n",
                   num_count(n, calls->unwatched), num_noun(calls->unwatched, "thread", "threads"));
}

static void troubles(struct screen *s, const struct ending *e)
{
    const struct session_counts *c = &e->counts;
    char n[NUM_TEXT_MAX];
    if (e->unseen[0])
        buf_printf(&s->text, "not seen: %s\n", e->unseen);
    calls_unseen(s, e->calls);
    if (e->trouble[0])
        buf_printf(&s->text, "oriel: %s\n", e->trouble);
    for (unsigned i = 0; i < e->outputs->count; i++) {
        const struct output *o = &e->outputs->items[i];
        uint64_t seen, refused = outputs_refused(o, c, &seen);
        if (o->index < 0)
            buf_printf(&s->text, "oriel: %s: not written\n", o->path);
        else if (o->sends && (!o->all || e->outputs->capture >= 0))
            buf_printf(&s->text, "oriel: %s: %s\n", o->path, o->words);
        else if (o->sends && o->all)
            buf_printf(&s->text, "%s: %s\n", o->exporter->name, o->words);
        else if (refused)
            refusals(s, o->path, refused, seen);
    }
    if (e->dumps)
        buf_printf(&s->text, "oriel: written out %u %s before the end; the last time for: %s\n",
                   e->dumps, e->dumps == 1 ? "time" : "times", e->dump);
    if (c->damage.records)
        buf_printf(&s->text, "oriel: %s damaged %s skipped in the ring\n",
                   num_count(n, c->damage.records),
                   num_noun(c->damage.records, "record was", "records were"));
    if (e->still_running)
        buf_printf(&s->text, "oriel: %u %s still running and no longer recorded (--wait waits)\n",
                   e->still_running, e->still_running == 1 ? "process is" : "processes are");
}

/* A capture has them, and so have outlets of samples. */
static void samples_left(struct screen *s, const struct ending *e)
{
    char n[NUM_TEXT_MAX];
    const uint64_t samples = session_samples(&e->counts);
    const struct outputs *o = e->outputs;
    for (unsigned i = 0; i < o->count; i++)
        if (!samples || !export_leaves_samples(o->items[i].exporter))
            return;
    buf_printf(&s->text,
               "left behind: %s %s: %s has no place for them; --to capture,%s keeps them\n",
               num_count(n, samples), num_noun(samples, "sample", "samples"),
               o->items[0].exporter->name, o->items[0].exporter->name);
}

/* Said first of all that is said of the report. */
static void killed(struct screen *s, const struct ending *e, const struct buf *line)
{
    const char *slash = strrchr(e->program, '/');
    const char *name = slash && slash[1] ? slash + 1 : e->program;
    struct buf text;
    if (!e->crash[0])
        return;
    buf_init(&text);
    buf_printf(&text, "oriel: %s was killed by ", name);
    if (line && line->size)
        buf_put(&text, line->data, line->size);
    else
        buf_puts(&text, e->crash);
    if (!text.failed)
        utf8_printable(&s->text, text.data, text.size);
    buf_putc(&s->text, '\n');
    buf_done(&text);
}

/* Colour in front does not count. */
static bool line_begins(const char *at, const char *end, const char *with)
{
    if (at < end && *at == '\033') {
        const char *m = memchr(at, 'm', (size_t)(end - at));
        at = m ? m + 1 : at;
    }
    return (size_t)(end - at) >= strlen(with) && memcmp(at, with, strlen(with)) == 0;
}

/* What the system says, and its calls, if the report has lines of them above its first table. */
static void put_system(struct screen *s, const struct buf *report)
{
    const char *at = report->size ? report->data : "", *end = at + report->size;
    while (at < end && *at != '\n') {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        next = next ? next + 1 : end;
        if (line_begins(at, next, "system: ") || line_begins(at, next, "system calls: "))
            buf_put(&s->text, at, (size_t)(next - at));
        at = next;
    }
}

/* The summary of the report, if it has one, and the first table; its own first
 * lines say what the summary line has said, and the rest is one command away. */
static void put_top(struct screen *s, const struct buf *report)
{
    const char *text = report->size ? report->data : "", *end = text + report->size;
    const char *from = memmem(text, report->size, "\n\n", 2);
    if (!from)
        return;
    const char *title_end = memchr(from + 2, '\n', (size_t)(end - from - 2));
    size_t title = title_end ? (size_t)(title_end - from) : 0;
    unsigned tables = memmem(from, title, REPORT_SUMMARY, sizeof REPORT_SUMMARY - 1) ? 2 : 1;
    from++;
    for (unsigned lines = 0; from < end && lines < REPORT_LINES; lines++) {
        const char *next = memchr(from, '\n', (size_t)(end - from));
        next = next ? next + 1 : end;
        if (next - from == 1 && lines > 0 && --tables == 0)
            return;
        buf_put(&s->text, from, (size_t)(next - from));
        from = next;
    }
}

static void top_of_report(struct screen *s, const struct ending *e, const char *path)
{
    struct reading r;
    struct report *report = NULL;
    struct report_facts facts;
    struct buf b, line;
    struct stat st;
    if (stat(path, &st) != 0 || st.st_size > REPORT_BYTES_MAX) {
        killed(s, e, NULL);
        return;
    }
    struct report_options how = {.size = sizeof how,
                                 .width = s->tty.terminal ? s->tty.width : 0,
                                 .color = s->tty.colour,
                                 .top = REPORT_ROWS,
                                 .no_crash = true};
    buf_init(&b);
    buf_init(&line);
    if (reading_report(&r, path, &how, &report, NULL) == 0) {
        reading_facts(&r, &facts);
        (void)symbolize(session_catalog(r.session), false);
        if (e->crash[0])
            (void)report_crash(report, &line);
        killed(s, e, &line);
        bool told = report_text(report, &facts, &b) == 0;
        report_text_unnamed(report, &s->text); /* it stands above the part that is shown */
        if (told) {
            put_system(s, &b);
            put_top(s, &b);
        }
        report_free(report);
        reading_close(&r);
    }
    buf_done(&line);
    buf_done(&b);
}

static void next_line(struct screen *s, const struct outputs *o, bool samples)
{
    if (o->capture < 0 || o->items[o->capture].index < 0)
        return;
    const char *file = o->dir[0] ? "" : o->items[o->capture].path;
    const char *space = file[0] ? " " : "";
    buf_printf(&s->text, "next: oriel report%s%s%soriel %s%s%s%soriel export --to perfetto%s%s\n",
               space, file, s->dot, samples ? "flame" : "report -t", space, file, s->dot, space,
               file);
}

static void nothing(struct screen *s, const struct ending *e)
{
    if (e->hidden && e->hidden[0])
        buf_printf(&s->text, "oriel: %s recorded nothing: %s\n", e->program, e->hidden);
    else if (e->counts.speakers && !e->sampled)
        buf_printf(&s->text,
                   "oriel: %s recorded nothing: no annotated line was reached, or --filter "
                   "left none\n",
                   e->program);
    else if (e->sampled)
        buf_printf(
            &s->text,
            "oriel: %s recorded nothing: it was over before the first sample, and no annotated "
            "line was reached; a higher --rate sees more\n",
            e->program);
    else
        buf_printf(&s->text,
                   "oriel: %s recorded nothing: it has no annotations; #include <oriel/oriel.h>, "
                   "say ORIEL_SPAN(\"name\"); and link liboriel-core\n",
                   e->program);
}

static void put(const struct buf *b)
{
    for (size_t at = 0; at < b->size && !b->failed;) {
        ssize_t n = write(STDERR_FILENO, b->data + at, b->size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody is left to tell */
        at += (size_t)n;
    }
}

void ending_say(const struct ending *e)
{
    assert(e->outputs && e->program);
    struct screen s;
    buf_init(&s.text);
    tty_look(&s.tty, STDERR_FILENO, TTY_AUTO);
    s.dot = s.tty.utf8 ? " \xc2\xb7 " : ", ";
    if (e->counts.records == e->counts.system_records && !e->trouble[0] &&
        !(e->calls && e->calls->told)) {
        nothing(&s, e);
        calls_unseen(&s, e->calls);
        if (e->unseen[0] && !(e->hidden && e->hidden[0]))
            buf_printf(&s.text, "not seen: %s\n", e->unseen);
        killed(&s, e, NULL);
    } else {
        summary(&s, e);
        troubles(&s, e);
        samples_left(&s, e);
        if (e->report && e->outputs->capture >= 0 &&
            e->outputs->items[e->outputs->capture].index >= 0) {
            top_of_report(&s, e, e->outputs->items[e->outputs->capture].path);
        } else {
            killed(&s, e, NULL);
        }
        next_line(&s, e->outputs, session_samples(&e->counts) + e->counts.between != 0);
    }
    put(&s.text);
    buf_done(&s.text);
}
