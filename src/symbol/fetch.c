/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Asking a debuginfod server, through elfutils' own client: it knows https,
 * redirects and its cache. Bounded by one deadline; what was answered is kept,
 * so that a slow server is waited for once. Runs a program; in the parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "symbol/cache.h"
#include "symbol/find.h"
#include "symbol/table.h"

/* The environment with our server and timeout. NULL: out of memory. */
static char **make_environment(const struct symbols_options *o, struct buf *texts)
{
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **env = mem_calloc(n + 3, sizeof *env);
    if (!env)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "DEBUGINFOD_", 11) != 0)
            env[kept++] = environ[i];
    buf_printf(texts, "DEBUGINFOD_TIMEOUT=%u", (o->debuginfod_ms + 999) / 1000);
    buf_putc(texts, 0);
    size_t urls = texts->size;
    buf_printf(texts, "DEBUGINFOD_URLS=%s", o->debuginfod_urls);
    buf_putc(texts, 0);
    if (texts->failed) {
        mem_free(env);
        return NULL;
    }
    env[kept++] = texts->data;
    env[kept] = texts->data + urls;
    return env;
}

static bool start_client(const struct symbols_options *o, char *hex, int out_fd, pid_t *out_pid)
{
    char *argv[] = {(char *)(uintptr_t)o->debuginfod_find, (char *)(uintptr_t) "debuginfo", hex,
                    NULL};
    posix_spawn_file_actions_t actions;
    struct buf texts;
    buf_init(&texts);
    char **env = make_environment(o, &texts);
    bool good = env && posix_spawn_file_actions_init(&actions) == 0;
    if (good) {
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        good = posix_spawnp(out_pid, o->debuginfod_find, &actions, NULL, argv, env) == 0;
        posix_spawn_file_actions_destroy(&actions);
    }
    mem_free(env);
    buf_done(&texts);
    return good;
}

/* What the client prints, up to its end or the deadline. */
static size_t read_line(int fd, uint64_t deadline_ns, char *out, size_t n)
{
    size_t done = 0;
    while (done + 1 < n) {
        uint64_t now = clock_mono_ns();
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (now >= deadline_ns)
            return 0;
        if (poll(&wait, 1, (int)((deadline_ns - now) / 1000000) + 1) <= 0)
            continue;
        ssize_t got = read(fd, out + done, n - 1 - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    out[done] = 0;
    done = strcspn(out, "\n");
    out[done] = 0;
    return done;
}

static bool run_client(const struct symbols_options *o, char *hex, char *out, size_t n)
{
    int ends[2], status = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    bool started = start_client(o, hex, ends[1], &pid);
    close(ends[1]);
    size_t got = 0;
    if (started) {
        got = read_line(ends[0], clock_mono_ns() + (uint64_t)o->debuginfod_ms * 1000000, out, n);
        kill(pid, SIGKILL); /* it has spoken, or it is late */
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    close(ends[0]);
    return got > 0 && out[0] == '/';
}

static bool was_asked(struct finder *f, const char *hex)
{
    for (size_t i = 0; i < f->asked.count; i++)
        if (strcmp(f->asked.items[i], hex) == 0)
            return true;
    char *copy = mem_strdup(hex);
    char **item = copy ? VEC_PUSH(&f->asked) : NULL;
    if (item)
        *item = copy;
    else
        mem_free(copy);
    return !item; /* better not asked than asked for ever */
}

bool finder_fetch(struct finder *f, struct bytes build_id, char *out, size_t n)
{
    const struct symbols_options *o = f->options;
    char hex[TABLE_ID_MAX * 2 + 1];
    struct buf said;
    if (!o->debuginfod_urls || !*o->debuginfod_urls || !cache_name(build_id, hex, sizeof hex))
        return false;
    buf_init(&said);
    bool known = cache_load(o->cache_dir, build_id, CACHE_ASKED, &said);
    bool found = known && said.size > 0 && said.size < n && said.data[0] == '/';
    if (found) {
        memcpy(out, said.data, said.size);
        out[said.size] = 0;
    }
    buf_done(&said);
    if (known || was_asked(f, hex))
        return found;
    f->stats->asked_servers++;
    found = run_client(o, hex, out, n);
    cache_store(o->cache_dir, build_id, CACHE_ASKED,
                (struct bytes){(const uint8_t *)out, found ? strlen(out) : 0}, o->cache_max_bytes);
    return found;
}
