/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Asking a debuginfod server, through elfutils' own client: it knows https,
 * redirects and its cache. All questions of a finder together take a bounded
 * time; what was answered is kept for a while, so that a slow server is not
 * waited for again and again. Runs a program; in the parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "symbol/cache.h"
#include "symbol/find.h"
#include "symbol/table.h"

enum {
    NO_IS_KEPT_S = 24 * 3600, /* distributions publish debug information late */
    LATE_IS_KEPT_S = 600
};

/* The rest is the user's: where the client keeps what it got, and for how long. */
static bool is_ours(const char *variable)
{
    static const char *const names[] = {
        "DEBUGINFOD_URLS=", "DEBUGINFOD_TIMEOUT=", "DEBUGINFOD_PROGRESS=", "DEBUGINFOD_VERBOSE="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

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
        if (!is_ours(environ[i]))
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

enum said { SAID_NOTHING, SAID_NO, SAID_LATE, SAID_PATH };

static enum said run_client(const struct symbols_options *o, char *hex, uint64_t deadline_ns,
                            char *out, size_t n)
{
    int ends[2], status = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return SAID_NOTHING;
    bool started = start_client(o, hex, ends[1], &pid);
    close(ends[1]);
    size_t got = 0;
    if (started) {
        got = read_line(ends[0], deadline_ns, out, n);
        kill(pid, SIGKILL); /* it has spoken, or it is late */
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    close(ends[0]);
    if (got > 0 && out[0] == '/')
        return SAID_PATH;
    /* A client that is not there will not be there in a minute either. */
    return started && clock_mono_ns() < deadline_ns ? SAID_NO : SAID_LATE;
}

/* ---- what was said before: "SECONDS WHAT", a path, "no" or "late" ---- */

static enum said recall(const struct symbols_options *o, struct bytes build_id, char *out, size_t n)
{
    struct buf b;
    enum said said = SAID_NOTHING;
    buf_init(&b);
    bool known = cache_load(o->cache_dir, build_id, CACHE_ASKED, &b);
    buf_putc(&b, 0);
    if (known && !b.failed) {
        char *what;
        uint64_t then_s = strtoull(b.data, &what, 10), now_s = clock_unix_ns() / 1000000000u;
        uint64_t age_s = now_s > then_s ? now_s - then_s : 0;
        what += *what == ' ';
        /* The client drops from its own cache what nobody asked for lately. */
        if (what[0] == '/' && strlen(what) < n && access(what, R_OK) == 0) {
            memcpy(out, what, strlen(what) + 1);
            said = SAID_PATH;
        } else if (strcmp(what, "no") == 0 && age_s < NO_IS_KEPT_S) {
            said = SAID_NO;
        } else if (strcmp(what, "late") == 0 && age_s < LATE_IS_KEPT_S) {
            said = SAID_LATE;
        }
    }
    buf_done(&b);
    return said;
}

static void remember(const struct symbols_options *o, struct bytes build_id, enum said said,
                     const char *path)
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "%llu %s", (unsigned long long)(clock_unix_ns() / 1000000000u),
               said == SAID_PATH ? path
               : said == SAID_NO ? "no"
                                 : "late");
    if (!b.failed && said != SAID_NOTHING)
        cache_store(o->cache_dir, build_id, CACHE_ASKED,
                    (struct bytes){(const uint8_t *)b.data, b.size}, o->cache_max_bytes);
    buf_done(&b);
}

static bool may_ask(const struct finder *f)
{
    const struct symbols_options *o = f->options;
    return o->debuginfod_urls && *o->debuginfod_urls &&
           f->asking_ns < (uint64_t)o->debuginfod_ms * 1000000;
}

bool finder_would_fetch(const struct finder *f, struct bytes build_id)
{
    char path[4096];
    return may_ask(f) && build_id.n > 0 &&
           recall(f->options, build_id, path, sizeof path) == SAID_NOTHING;
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
    if (!o->debuginfod_urls || !*o->debuginfod_urls || !cache_name(build_id, hex, sizeof hex))
        return false;
    enum said said = recall(o, build_id, out, n);
    if (said != SAID_NOTHING || !may_ask(f) || was_asked(f, hex))
        return said == SAID_PATH;
    uint64_t begin_ns = clock_mono_ns();
    f->stats->asked_servers++;
    said =
        run_client(o, hex, begin_ns + (uint64_t)o->debuginfod_ms * 1000000 - f->asking_ns, out, n);
    f->asking_ns += clock_mono_ns() - begin_ns;
    remember(o, build_id, said, out);
    return said == SAID_PATH;
}
