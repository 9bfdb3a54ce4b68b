/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names and opens the files of a recording.
 */
#include "cli/outputs.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/limit.h"
#include "cli/runs.h"
#include "util/left_out.h"
#include "wire/capture.h"

/* What is recorded waits in the ring meanwhile. */
#define ROOM_WAIT_NS UINT64_C(250000000)

static int add_outlet(struct outputs *o, const char *name, size_t n, struct oriel_err *err)
{
    char text[64], why[LEFT_OUT_WHY_BYTES];
    if (n == 0 || n >= sizeof text)
        return err_set(err, ORIEL_EINVAL, "--to: \"%.*s\" is no outlet", (int)n, name);
    memcpy(text, name, n);
    text[n] = 0;
    const struct exporter *e = export_find(text);
    if (!e && left_out_find("EXPORTER", text, n, why))
        return err_set(err, ORIEL_EINVAL, "--to %s: %s", text, why);
    if (!e)
        return err_set(err, ORIEL_EINVAL, "--to: no outlet is called \"%s\"", text);
    for (unsigned i = 0; i < o->count; i++)
        if (o->items[i].exporter == e)
            return err_set(err, ORIEL_EINVAL, "--to: \"%s\" is there twice", text);
    if (o->count == SESSION_OUTLETS_MAX)
        return err_set(err, ORIEL_EINVAL, "--to: more than %u outlets", SESSION_OUTLETS_MAX);
    if (strcmp(text, "capture") == 0)
        o->capture = (int)o->count;
    o->items[o->count++] = (struct output){.exporter = e, .index = -1};
    return 0;
}

static int parse_list(struct outputs *o, const char *to, struct oriel_err *err)
{
    if (!to || !to[0])
        to = "capture";
    for (const char *p = to;; p++) {
        size_t n = strcspn(p, ",");
        int rc = add_outlet(o, p, n, err);
        if (rc < 0)
            return rc;
        p += n;
        if (!*p)
            return 0;
    }
}

/* A name given twice in a row is fine; somebody's text file is not. */
static int check_target(const char *path, bool capture, struct oriel_err *err)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        return err_set(err, ORIEL_EINVAL,
                       "-o -: standard output belongs to the program; name a file");
    if (stat(path, &st) != 0 || st.st_size == 0)
        return 0;
    if (S_ISDIR(st.st_mode))
        return err_set(err, ORIEL_EINVAL, "%s: is a directory; -o names a file", path);
    char magic[8] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ours = fd >= 0 && read(fd, magic, sizeof magic) == (ssize_t)sizeof magic &&
                memcmp(magic, WIRE_CAPTURE_MAGIC, sizeof magic) == 0;
    if (fd >= 0)
        close(fd);
    if (capture && !ours)
        return err_set(err, ORIEL_EINVAL, "%s: exists and is no capture; it is not overwritten",
                       path);
    return 0;
}

/* `file` for the outlet it is meant for, its stem with their suffix for others. */
static int name_files(struct outputs *o, const char *file, struct oriel_err *err)
{
    const char *slash = strrchr(file, '/');
    const char *dot = strrchr(slash ? slash : file, '.');
    size_t stem = dot && dot > file && dot[-1] != '/' ? (size_t)(dot - file) : strlen(file);
    unsigned main_output = o->capture >= 0 ? (unsigned)o->capture : 0;
    while (o->items[main_output].sends && main_output + 1 < o->count)
        main_output++;
    for (unsigned i = 0; i < o->count; i++) {
        struct output *out = &o->items[i];
        if (out->sends)
            continue;
        int n = i == main_output ? snprintf(out->path, sizeof out->path, "%s", file)
                                 : snprintf(out->path, sizeof out->path, "%.*s%s", (int)stem, file,
                                            out->exporter->suffix);
        if (n < 0 || (size_t)n >= sizeof out->path)
            return err_set(err, ORIEL_EINVAL, "-o: the path is too long");
        for (unsigned k = 0; k < i; k++)
            if (strcmp(o->items[k].path, out->path) == 0)
                return err_set(err, ORIEL_EINVAL, "%s: two outlets would write it", out->path);
    }
    return 0;
}

/* Those that go to a receiver, and where that is; how many there are. */
static int choose_receivers(struct outputs *o, const struct outputs_wish *w, unsigned *out_count,
                            struct oriel_err *err)
{
    for (unsigned i = 0; i < o->count; i++) {
        struct output *out = &o->items[i];
        const void *options = out->exporter == w->outlet ? w->options : NULL;
        const bool given = sending_is_given(out->exporter, options);
        if (!out->exporter->destination)
            continue;
        if (given && w->file && w->file[0] && o->count == 1)
            return err_set(err, ORIEL_EINVAL,
                           "-o writes a file and --endpoint sends to a receiver: choose one");
        if (!given && w->file && w->file[0])
            continue;
        int rc = sending_configure(out->exporter, options, (const char *const *)environ,
                                   &out->config, err);
        if (rc < 0)
            return rc;
        sending_warnings(out->config, cli_pass_on, NULL);
        out->sends = given || sending_is_asked(out->config);
        if (out->sends) {
            sending_where(out->config, out->path, sizeof out->path);
            ++*out_count;
            continue;
        }
        config_free(out->config);
        out->config = NULL;
    }
    return 0;
}

int outputs_choose(struct outputs *o, const struct outputs_wish *w, struct oriel_err *err)
{
    unsigned receivers = 0;
    *o = (struct outputs){.capture = -1};
    int rc = parse_list(o, w->to, err);
    if (rc == 0)
        rc = choose_receivers(o, w, &receivers, err);
    if (rc < 0 || receivers == o->count)
        return rc;
    if (w->file && w->file[0]) {
        rc = check_target(w->file, o->capture >= 0, err);
        return rc ? rc : name_files(o, w->file, err);
    }
    rc = runs_make(w->program, time(NULL), o->dir, sizeof o->dir, err);
    if (rc < 0)
        return rc;
    char path[sizeof o->dir + 32];
    unsigned first = o->capture >= 0 ? (unsigned)o->capture : 0;
    while (o->items[first].sends)
        first++;
    snprintf(path, sizeof path, "%s/capture%s", o->dir, o->items[first].exporter->suffix);
    return name_files(o, path, err);
}

static void forget_configs(struct outputs *o)
{
    for (unsigned i = 0; i < o->count; i++) {
        config_free(o->items[i].config);
        o->items[i].config = NULL;
    }
}

static int open_receiver(struct output *o, struct session *s, const void *options,
                         struct oriel_err *err)
{
    const struct sending how = {.size = sizeof how,
                                .exporter = o->exporter,
                                .options = options,
                                .config = o->config,
                                .environment = (const char *const *)environ,
                                .room_wait_ns = ROOM_WAIT_NS,
                                .books = true,
                                .say = cli_pass_on};
    return sending_add(s, &how, &o->outlets, err);
}

static int open_one(struct output *o, struct session *s, const void *options, uint64_t max_bytes,
                    struct oriel_err *err)
{
    struct out *out = NULL;
    if (o->sends)
        return open_receiver(o, s, options, err);
    o->outlets = 1;
    int rc = out_file_open(&out, o->path, false, err);
    if (rc == 0 && max_bytes) {
        rc = limit_open(&out, out, max_bytes);
        if (rc < 0)
            return err_set(err, rc, "%s: %s", o->path, err_text(rc));
    }
    return rc ? rc : session_add_outlet(s, o->exporter, options, out, err);
}

static int open_all(struct outputs *o, struct session *s, const struct exporter *outlet,
                    const void *options, uint64_t max_bytes, struct oriel_err *err)
{
    int opened = 0;
    for (unsigned i = 0; i < o->count; i++) {
        struct oriel_err why = {0};
        const void *given = o->items[i].exporter == outlet ? options : NULL;
        int rc = open_one(&o->items[i], s, given, max_bytes, &why);
        if (rc == 0) {
            o->items[i].index = opened;
            opened += (int)o->items[i].outlets;
        } else if (rc == ORIEL_ENOSPC) {
            *err = why;
        } else {
            return err_set(err, rc, "%s", why.text);
        }
    }
    return 0;
}

int outputs_open(struct outputs *o, struct session *s, const struct exporter *outlet,
                 const void *options, uint64_t max_bytes, struct oriel_err *err)
{
    int rc = open_all(o, s, outlet, options, max_bytes, err);
    forget_configs(o);
    return rc;
}

uint64_t outputs_refused(const struct output *o, const struct session_counts *c, uint64_t *out_seen)
{
    uint64_t all = 0;
    *out_seen = 0;
    for (unsigned i = 0; o->index >= 0 && i < o->outlets; i++) {
        all += c->refused[(unsigned)o->index + i];
        *out_seen += c->refused_seen[(unsigned)o->index + i];
    }
    return all;
}

void outputs_tell(struct outputs *o, const struct session *s)
{
    for (unsigned i = 0; i < o->count; i++) {
        struct output *out = &o->items[i];
        out->all = true;
        for (unsigned k = 0; out->sends && out->index >= 0 && k < out->outlets; k++) {
            const size_t at = strlen(out->words);
            if (at && at + 3 < sizeof out->words)
                memcpy(out->words + at, "; ", 3);
            const size_t from = strlen(out->words);
            out->all &= sending_words(s, (unsigned)out->index + k, out->words + from,
                                      sizeof out->words - from);
            out->lost += sending_lost(s, (unsigned)out->index + k);
        }
    }
}

void outputs_discard(struct outputs *o)
{
    forget_configs(o);
    if (!o->dir[0])
        return;
    for (unsigned i = 0; i < o->count; i++)
        if (!o->items[i].sends)
            unlink(o->items[i].path);
    rmdir(o->dir);
}
