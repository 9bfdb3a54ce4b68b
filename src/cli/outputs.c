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

#include "cli/limit.h"
#include "cli/runs.h"
#include "wire/capture.h"

static int add_outlet(struct outputs *o, const char *name, size_t n, struct oriel_err *err)
{
    char text[64];
    if (n == 0 || n >= sizeof text)
        return err_set(err, ORIEL_EINVAL, "--to: \"%.*s\" is no outlet", (int)n, name);
    memcpy(text, name, n);
    text[n] = 0;
    const struct exporter *e = export_find(text);
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
    for (unsigned i = 0; i < o->count; i++) {
        struct output *out = &o->items[i];
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

int outputs_choose(struct outputs *o, const char *to, const char *file, const char *program,
                   struct oriel_err *err)
{
    *o = (struct outputs){.capture = -1};
    int rc = parse_list(o, to, err);
    if (rc < 0)
        return rc;
    if (file && file[0]) {
        rc = check_target(file, o->capture >= 0, err);
        return rc ? rc : name_files(o, file, err);
    }
    rc = runs_make(program, time(NULL), o->dir, sizeof o->dir, err);
    if (rc < 0)
        return rc;
    char path[sizeof o->dir + 32];
    snprintf(path, sizeof path, "%s/capture%s", o->dir,
             o->items[o->capture >= 0 ? o->capture : 0].exporter->suffix);
    return name_files(o, path, err);
}

static int open_one(struct output *o, struct session *s, const void *options, uint64_t max_bytes,
                    struct oriel_err *err)
{
    struct out *out = NULL;
    int rc = out_file_open(&out, o->path, false, err);
    if (rc == 0 && max_bytes) {
        rc = limit_open(&out, out, max_bytes);
        if (rc < 0)
            return err_set(err, rc, "%s: %s", o->path, err_text(rc));
    }
    return rc ? rc : session_add_outlet(s, o->exporter, options, out, err);
}

int outputs_open(struct outputs *o, struct session *s, const struct exporter *outlet,
                 const void *options, uint64_t max_bytes, struct oriel_err *err)
{
    int opened = 0;
    for (unsigned i = 0; i < o->count; i++) {
        struct oriel_err why = {0};
        const void *given = o->items[i].exporter == outlet ? options : NULL;
        int rc = open_one(&o->items[i], s, given, max_bytes, &why);
        if (rc == 0)
            o->items[i].index = opened++;
        else if (rc == ORIEL_ENOSPC)
            *err = why;
        else
            return err_set(err, rc, "%s", why.text);
    }
    return 0;
}

void outputs_discard(const struct outputs *o)
{
    if (!o->dir[0])
        return;
    for (unsigned i = 0; i < o->count; i++)
        unlink(o->items[i].path);
    rmdir(o->dir);
}
