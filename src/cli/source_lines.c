/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads regular files of a bounded size; what is not there has no lines.
 */
#include "cli/source_lines.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

#define SOURCE_BYTES_MAX (16u << 20)

void source_lines_init(struct source_lines *s, uint64_t recorded_ns)
{
    *s = (struct source_lines){.recorded_ns = recorded_ns};
    buf_init(&s->path);
    buf_init(&s->text);
}

void source_lines_done(struct source_lines *s)
{
    buf_done(&s->path);
    buf_done(&s->text);
    VEC_DONE(&s->starts);
}

static bool add_start(struct source_lines *s, size_t at)
{
    uint32_t *slot = VEC_PUSH(&s->starts);
    if (slot)
        *slot = (uint32_t)at;
    return slot != NULL;
}

static void find_lines(struct source_lines *s)
{
    bool done = add_start(s, 0);
    for (size_t i = 0; done && i < s->text.size; i++)
        if (s->text.data[i] == '\n')
            done = add_start(s, i + 1);
    if (done && s->text.size && s->text.data[s->text.size - 1] != '\n')
        add_start(s, s->text.size + 1); /* as if the last line had its end */
}

static void read_file(struct source_lines *s, struct model_str file)
{
    struct stat st;
    buf_clear(&s->path);
    buf_clear(&s->text);
    s->starts.count = 0;
    buf_put(&s->path, file.p, file.n);
    if (s->path.failed)
        return;
    int fd = open(buf_cstr(&s->path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= SOURCE_BYTES_MAX) {
        char *room = buf_reserve(&s->text, (size_t)st.st_size + 1);
        ssize_t n = room ? read(fd, room, (size_t)st.st_size) : -1;
        s->text.size += n > 0 ? (size_t)n : 0;
        find_lines(s);
        if ((uint64_t)st.st_mtim.tv_sec > s->recorded_ns / 1000000000u && !s->newer) {
            s->newer = true;
            cli_note("%s: changed since it was recorded, lines may have moved", buf_cstr(&s->path));
        }
    }
    close(fd);
}

bool source_lines_get(void *user, struct model_str file, uint32_t line, struct model_str *out)
{
    struct source_lines *s = user;
    assert(s && out);
    if (file.n != s->path.size || (file.n && memcmp(file.p, s->path.data, file.n) != 0))
        read_file(s, file);
    if (line == 0 || line >= s->starts.count)
        return false;
    uint32_t from = s->starts.items[line - 1], to = s->starts.items[line] - 1;
    while (to > from && s->text.data[to - 1] == '\r')
        to--;
    *out = (struct model_str){s->text.data + from, to - from};
    return true;
}
