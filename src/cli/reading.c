/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Drives a session over a file, with a progress line on a terminal.
 */
#include "cli/reading.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/runs.h"
#include "session/foreign.h"
#include "util/num.h"
#include "wire/region.h"

#define PROGRESS_AFTER_NS UINT64_C(1000000000)
#define PROGRESS_EVERY_NS UINT64_C(200000000)

/* A ring is no capture, but easily mistaken for one: say what to do. */
static int refuse_ring(const char *path, struct oriel_err *err)
{
    char magic[8] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, magic, sizeof magic);
    close(fd);
    if (n == (ssize_t)sizeof magic && memcmp(magic, WIRE_REGION_MAGIC, sizeof magic) == 0)
        return err_set(err, ORIEL_EFORMAT,
                       "%s: a ring in memory, not a capture; save it with: oriel recover %s", path,
                       path);
    return 0;
}

/* What is no file may be a run: "@2", "codesearch". */
static int find_run(struct reading *r, struct oriel_err *err)
{
    struct runs runs;
    struct stat st;
    if (stat(r->path, &st) == 0)
        return 0;
    int rc = runs_match(r->path, &runs);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", r->path, err_text(rc));
    if (runs.count && runs.items[0].coverage)
        rc = err_set(err, ORIEL_EFORMAT, "%s: a run of coverage; told by: oriel cov %s", r->path,
                     r->path);
    else if (runs.count)
        snprintf(r->path, sizeof r->path, "%s", runs.items[0].path);
    else if (r->path[0] == '@')
        rc = err_set(err, ORIEL_ENOTFOUND, "%s: there are not so many runs; oriel runs lists them",
                     r->path);
    runs_done(&runs);
    return rc;
}

int reading_open(struct reading *r, const char *path, struct oriel_err *err)
{
    *r = (struct reading){.verb = "reading", .start_ns = clock_mono_ns()};
    int rc = 0;
    if (!path)
        rc = runs_newest(r->path, sizeof r->path, err);
    else if ((size_t)snprintf(r->path, sizeof r->path, "%s", path) >= sizeof r->path)
        rc = err_set(err, ORIEL_EINVAL, "the path is longer than %zu bytes", sizeof r->path - 1);
    if (rc == 0)
        rc = find_run(r, err);
    if (rc < 0)
        return rc;
    struct stat st;
    if (stat(r->path, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            char inside[sizeof r->path + sizeof RUNS_FILE];
            snprintf(inside, sizeof inside, "%s/" RUNS_FILE, r->path);
            if (strlen(inside) >= sizeof r->path || stat(inside, &st) != 0)
                return err_set(err, ORIEL_EINVAL, "%s: a directory without a " RUNS_FILE, r->path);
            memcpy(r->path, inside, strlen(inside) + 1);
        }
        r->file_bytes = (uint64_t)st.st_size;
    }
    rc = refuse_ring(r->path, err);
    return rc ? rc : session_new_source(&r->session, foreign_source(r->path), r->path, NULL, err);
}

static void progress(struct reading *r, uint64_t now)
{
    struct session_counts c;
    char records[NUM_TEXT_MAX], of[64] = "";
    session_get_counts(r->session, &c);
    if (c.damage.chunks > c.damage.chunks_read)
        snprintf(of, sizeof of, ", chunk %llu of %llu", (unsigned long long)c.damage.chunks_read,
                 (unsigned long long)c.damage.chunks);
    char line[256];
    int n = snprintf(line, sizeof line, "\r\033[K%s %.100s: %s records%s", r->verb, r->path,
                     num_short(records, (double)c.records), of);
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) == n)
        r->shown_ns = now;
}

static void progress_end(const struct reading *r)
{
    if (r->shown_ns) {
        ssize_t n = write(STDERR_FILENO, "\r\033[K", 4);
        (void)n;
    }
}

int reading_run(struct reading *r, struct oriel_err *err)
{
    assert(r->session);
    bool terminal = isatty(STDERR_FILENO) == 1;
    int result;
    do {
        result = session_step(r->session, err);
        uint64_t now = terminal ? clock_mono_ns() : 0;
        if (terminal && now - r->start_ns >= PROGRESS_AFTER_NS &&
            now - r->shown_ns >= PROGRESS_EVERY_NS)
            progress(r, now);
        r->cut = result == SOURCE_DATA && r->over && r->over(r->user);
    } while (result == SOURCE_DATA && !r->cut);
    progress_end(r);
    return result < 0 ? result : 0;
}

static int add_items(void *user, const struct model_batch *items)
{
    return report_add(user, items);
}

int reading_report(struct reading *r, const char *path, const struct report_options *how,
                   struct report **out, struct oriel_err *err)
{
    int rc = reading_open(r, path, err);
    if (rc < 0)
        return rc;
    *out = NULL;
    rc = report_new(out, how, session_catalog(r->session));
    if (rc < 0)
        err_set(err, rc, "%s: %s", r->path, err_text(rc));
    if (rc == 0) {
        session_on_items(r->session, add_items, *out);
        rc = reading_run(r, err);
    }
    if (rc == 0)
        rc = session_finish(r->session, err);
    if (rc < 0) {
        report_free(*out);
        *out = NULL;
        reading_close(r);
    }
    return rc;
}

void reading_facts(const struct reading *r, struct report_facts *out)
{
    struct session_counts c;
    session_get_counts(r->session, &c);
    *out = (struct report_facts){.records = c.records,
                                 .damaged = c.damage.records,
                                 .clamped = c.pipe.clamped,
                                 .unfinished = c.pipe.unfinished,
                                 .orphan_ends = c.pipe.orphan_ends,
                                 .unwritten = c.damage.unwritten,
                                 .unwritten_seen = c.damage.unwritten_seen,
                                 .bytes_skipped = c.damage.bytes_skipped,
                                 .first_damage = c.damage.first_offset,
                                 .truncated = c.damage.truncated,
                                 .path = r->path};
    memcpy(out->lost, c.lost, sizeof out->lost);
}

void reading_say_damage(const struct reading *r)
{
    struct session_counts c;
    session_get_counts(r->session, &c);
    const struct source_damage *d = &c.damage;
    char at[NUM_TEXT_MAX], skipped[NUM_TEXT_MAX], bytes[NUM_TEXT_MAX];
    if (d->first_offset != UINT64_MAX && d->chunks == 0) /* no capture, so none of its chunks */
        cli_note("%s: damaged at byte %s: %s %s and %s skipped", r->path,
                 num_count(at, d->first_offset), num_count(skipped, d->records),
                 num_noun(d->records, "record", "records"), num_bytes(bytes, d->bytes_skipped));
    else if (d->first_offset != UINT64_MAX)
        cli_note("%s: damaged at byte %s: %llu of %llu %s read, %s %s and %s skipped", r->path,
                 num_count(at, d->first_offset), (unsigned long long)d->chunks_read,
                 (unsigned long long)d->chunks, num_noun(d->chunks, "chunk", "chunks"),
                 num_count(skipped, d->records), num_noun(d->records, "record", "records"),
                 num_bytes(bytes, d->bytes_skipped));
    else if (d->truncated && d->chunks == 0)
        cli_note("%s: the end is missing (still being written, or cut)", r->path);
    else if (d->truncated)
        cli_note("%s: the end is missing (still being written, or cut); %llu %s read", r->path,
                 (unsigned long long)d->chunks_read, num_noun(d->chunks_read, "chunk", "chunks"));
    if (d->unwritten || d->unwritten_seen)
        cli_note(
            "%s: %s %s could not be stored when it was recorded, nor %s of samples and readings",
            r->path, num_count(skipped, d->unwritten), num_noun(d->unwritten, "record", "records"),
            num_count(bytes, d->unwritten_seen));
}

void reading_close(struct reading *r)
{
    session_free(r->session);
    r->session = NULL;
}

uint64_t reading_spans(const struct session_counts *c)
{
    return c->by_type[ORIEL_REC_BEGIN] + c->by_type[ORIEL_REC_OPEN] + c->by_type[ORIEL_REC_SPAN] +
           c->by_type[ORIEL_REC_TOLD];
}

uint64_t reading_events(const struct session_counts *c)
{
    return c->by_type[ORIEL_REC_EVENT] - c->seen_events + c->by_type[ORIEL_REC_TOLD_LOG];
}
