/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Both ends of the socket between parent and confined child.
 *
 *   child:  question -> wait -> answer with a descriptor        (any number)
 *           end: code, result, image -> exit
 *   parent: waits with one absolute deadline; kills what is left; checks all sizes
 */
#include "symbol/child.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbol/table.h"
#include "util/confined.h"

enum {
    TEXT_MAX = 4096,
    QUESTIONS_MAX = 1 << 16,
    IMAGE_MAX = 1 << 30,
    MESSAGE_QUESTION = 1,
    MESSAGE_END = 2
};

/* What the child sends in front of everything. */
struct message {
    uint32_t type;
    uint32_t kind, base, nth, name_bytes, dir_bytes, id_bytes; /* of a question */
    int32_t code;                                              /* of an end */
    uint32_t unconfined;
    uint64_t image_bytes;
    struct job_result result;
};
/* What it gets back, with the descriptor. */
struct reply {
    uint64_t bytes; /* 0: there is none */
    uint32_t file, unused;
};

/* ---- in the child ---- */

static bool ask_parent(void *ctx, const struct job_question *q, struct job_answer *out)
{
    struct message m = {.type = MESSAGE_QUESTION, .kind = q->kind, .base = q->base, .nth = q->nth};
    const char *name = q->name ? q->name : "", *dir = q->dir ? q->dir : "";
    struct reply reply;
    int fd;
    m.name_bytes = (uint32_t)strnlen(name, TEXT_MAX);
    m.dir_bytes = (uint32_t)strnlen(dir, TEXT_MAX);
    m.id_bytes = q->build_id.n <= TABLE_ID_MAX ? (uint32_t)q->build_id.n : 0;
    if (m.name_bytes == TEXT_MAX || m.dir_bytes == TEXT_MAX || !confined_say(&m, sizeof m) ||
        !confined_say(name, m.name_bytes) || !confined_say(dir, m.dir_bytes) ||
        !confined_say(q->build_id.p, m.id_bytes) || !confined_hear(&reply, sizeof reply, &fd) ||
        fd < 0)
        return false;
    void *p = mmap(NULL, reply.bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return false;
    *out = (struct job_answer){{p, reply.bytes}, reply.file};
    return true;
}

struct order {
    struct bytes build_id;
    struct asked asked;
    const struct child_options *options;
};

static void work(const void *how, const struct confined_file *file)
{
    const struct order *order = how;
    const struct child_options *options = order->options;
    struct job job = {.file = {file->bytes, file->size},
                      .build_id = order->build_id,
                      .asked = order->asked,
                      .ask = ask_parent};
    struct message m = {.type = MESSAGE_END, .unconfined = file->unconfined};
    struct buf image;
    buf_init(&image);
    m.code = options->run ? options->run(options->how, &job, &image, &m.result)
                          : job_run(&job, &image, &m.result);
    m.image_bytes = m.code == 0 ? image.size : 0;
    if (confined_say(&m, sizeof m))
        (void)confined_say(image.data, m.image_bytes);
}

/* ---- in the parent ---- */

struct reading {
    struct confined child;
    const struct child_options *options;
    struct buf *out;
    struct child_outcome *outcome;
};

static int answer_question(struct reading *r, const struct message *m)
{
    char name[TEXT_MAX + 1], dir[TEXT_MAX + 1];
    uint8_t id[TABLE_ID_MAX];
    struct reply reply = {0};
    struct stat st;
    if (m->kind > JOB_FILE_DWP || m->name_bytes >= TEXT_MAX || m->dir_bytes >= TEXT_MAX ||
        m->id_bytes > sizeof id)
        return -EPROTO;
    int rc = confined_receive(&r->child, name, m->name_bytes);
    if (rc == 0)
        rc = confined_receive(&r->child, dir, m->dir_bytes);
    if (rc == 0)
        rc = confined_receive(&r->child, id, m->id_bytes);
    if (rc != 0)
        return rc;
    name[m->name_bytes] = dir[m->dir_bytes] = 0;
    struct job_question q = {.kind = (enum job_file_kind)m->kind,
                             .base = m->base,
                             .nth = m->nth,
                             .name = name,
                             .dir = dir,
                             .build_id = {id, m->id_bytes}};
    int fd = r->options->open ? r->options->open(r->options->ctx, &q, &reply.file) : -1;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        reply.bytes = (uint64_t)st.st_size;
    bool sent = confined_reply(&r->child, &reply, sizeof reply, reply.bytes ? fd : -1);
    if (fd >= 0)
        close(fd);
    return sent ? 0 : -EPIPE;
}

static int take_end(struct reading *r, const struct message *m)
{
    if (m->image_bytes > IMAGE_MAX || (m->code == 0) != (m->image_bytes > 0) || m->code > 0)
        return -EPROTO;
    r->outcome->code = m->code;
    r->outcome->unconfined = m->unconfined != 0;
    r->outcome->result = m->result;
    unsigned char mismatch; /* a byte of theirs is no bool before it was looked at */
    memcpy(&mismatch, &m->result.mismatch, sizeof mismatch);
    r->outcome->result.mismatch = mismatch != 0;
    r->outcome->result.note[sizeof m->result.note - 1] = 0;
    char *p = m->image_bytes ? buf_reserve(r->out, m->image_bytes) : NULL;
    if (m->image_bytes && !p)
        return -ENOMEM;
    int rc = confined_receive(&r->child, p, m->image_bytes);
    if (rc == 0)
        r->out->size += m->image_bytes;
    return rc;
}

static int serve(struct reading *r)
{
    for (int i = 0; i < QUESTIONS_MAX; i++) {
        struct message m;
        int rc = confined_receive(&r->child, &m, sizeof m);
        if (rc != 0)
            return rc;
        if (m.type == MESSAGE_END)
            return take_end(r, &m);
        rc = m.type == MESSAGE_QUESTION ? answer_question(r, &m) : -EPROTO;
        if (rc != 0)
            return rc;
    }
    return -EPROTO;
}

int child_run(int fd, struct bytes build_id, struct asked asked,
              const struct child_options *options, struct buf *out, struct child_outcome *outcome,
              struct oriel_err *err)
{
    const struct order order = {build_id, asked, options};
    const struct confined_options how = {.file = fd,
                                         .cpu_ms = options->timeout_ms,
                                         .timeout_ms = options->timeout_ms,
                                         .memory_bytes = options->memory_bytes,
                                         .work = work,
                                         .how = &order};
    struct reading r = {.options = options, .out = out, .outcome = outcome};
    int rc = confined_start(&r.child, &how, err);
    return rc < 0 ? rc : confined_end(&r.child, serve(&r), err);
}
