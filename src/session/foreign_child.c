/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The confined child's half of reading foreign files: the source that knows the
 * file, and the capture outlet with the socket behind it. From the first byte of
 * the file on, nothing of the system is to be had here but memory, that socket,
 * and what the parent opens.
 */
#include "session/foreign_child.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "export/exporter.h"

enum { POLL_RECORDS = 16384 };

/* ---- to the parent ---- */

static bool say(uint32_t type, const void *bytes, size_t n)
{
    struct foreign_message m = {type, (uint32_t)n};
    return confined_say(&m, sizeof m) && confined_say(bytes, n);
}

static int piece_write(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    const char *p = bytes;
    *out_written = 0;
    while (*out_written < n) {
        size_t left = n - *out_written;
        size_t part = left < FOREIGN_PIECE_BYTES ? left : FOREIGN_PIECE_BYTES;
        if (!say(FOREIGN_PIECE, p + *out_written, part))
            return ORIEL_EIO;
        *out_written += part;
    }
    return 0;
}

static int piece_sync(struct out *o)
{
    return 0;
}

static void piece_close(struct out *o)
{
}

static const struct out_ops pieces = {
    .write = piece_write, .sync = piece_sync, .close = piece_close};

static bool ask_object(void *ctx, const char *path, const void **out, size_t *out_size)
{
    uint64_t bytes;
    int fd;
    size_t n = strnlen(path, FOREIGN_PATH_MAX);
    if (n == 0 || n == FOREIGN_PATH_MAX || !say(FOREIGN_OBJECT, path, n) ||
        !confined_hear(&bytes, sizeof bytes, &fd) || fd < 0)
        return false;
    void *p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    *out = p;
    *out_size = bytes;
    return p != MAP_FAILED;
}

/* ---- the work ---- */

/* All that the source has, into the outlet. */
static int pour(const struct source *source, void *state, struct model_catalog *catalog,
                const struct exporter *to, void *outlet, struct oriel_err *err)
{
    struct model_batch batch;
    int rc;
    model_batch_init(&batch, catalog);
    do {
        model_batch_clear(&batch);
        rc = source->poll(state, &batch, POLL_RECORDS, err);
        if (rc >= 0 && batch.record_count) {
            int written = to->write(outlet, &batch, err);
            rc = written < 0 ? written : rc;
        }
    } while (rc == SOURCE_DATA);
    model_batch_done(&batch);
    return rc < 0 ? rc : 0;
}

static int convert(const struct source *source, void *state, struct model_catalog *catalog,
                   struct oriel_err *err)
{
    struct out out = {.ops = &pieces};
    const struct exporter *to = export_find("capture");
    const struct export_env env = {
        .catalog = catalog, .out = &out, .service_name = "oriel", .version = ORIEL_VERSION_TEXT};
    const struct option_def *packed = option_find(to->options, "compression", 11);
    void *options = mem_calloc(1, to->options_size), *outlet = mem_calloc(1, to->state_size);
    int rc = options && outlet ? option_defaults(to->options, options) : ORIEL_ENOMEM;
    if (rc == 0) /* it does not go far */
        rc = option_set(packed, options, "none", err);
    if (rc == 0)
        rc = to->open(outlet, options, &env, err);
    if (rc == 0) {
        struct oriel_err late = {0};
        const struct export_summary nothing = {0};
        rc = pour(source, state, catalog, to, outlet, err);
        int closed = to->close(outlet, &nothing, &late);
        if (rc == 0 && closed < 0 && (rc = closed))
            *err = late;
    }
    return rc;
}

static int read_file(const struct foreign_order *order, const struct confined_file *file,
                     const struct source *source, struct foreign_end *end, struct oriel_err *err)
{
    const struct source_bytes given = {.path = order->path,
                                       .bytes = file->bytes,
                                       .size = file->size,
                                       .written_unix_ns = order->written_unix_ns,
                                       .object = ask_object};
    struct model_catalog catalog;
    model_catalog_init(&catalog);
    void *state = mem_calloc(1, source->state_size);
    int rc = state ? source->open_bytes(state, &given, &catalog, err) : ORIEL_ENOMEM;
    if (rc == 0) {
        rc = convert(source, state, &catalog, err);
        source->damage(state, &end->damage);
    }
    return rc; /* the process ends: nothing is freed */
}

void foreign_child(const void *how, const struct confined_file *file)
{
    const struct foreign_order *order = how;
    struct foreign_end end = {.damage.first_offset = UINT64_MAX};
    struct oriel_err err = {0};
    const struct source *source = order->reader;
    if (!file->bytes)
        end.code = ORIEL_ENOMEM;
    else if (!source)
        source = source_detect(file->bytes,
                               file->size < SOURCE_HEAD_BYTES ? file->size : SOURCE_HEAD_BYTES);
    if (source && !source->open_bytes) {
        end.code = ORIEL_ENOTFOUND;
        end.unknown = true;
    } else if (source && end.code == 0) {
        end.code = read_file(order, file, source, &end, &err);
    }
    memcpy(end.text, err.text, sizeof end.text);
    (void)say(FOREIGN_END, &end, sizeof end);
}
