/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads .git by hand: HEAD, loose and packed refs, linked work trees. Only the
 * question "changed?" needs git itself, run without locks, hooks or monitors.
 */
#include "session/vcs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/os.h"

#define PACKED_REFS_MAX (4u << 20)

static bool join(char *out, size_t n, const char *dir, const char *name)
{
    int len = name[0] == '/' ? snprintf(out, n, "%s", name) : snprintf(out, n, "%s/%s", dir, name);
    return len > 0 && (size_t)len < n;
}

/* First line of a small file without its end. */
static bool first_line(const char *path, char *out, size_t n)
{
    long got = os_read_file(path, out, n);
    if (got <= 0)
        return false;
    assert((size_t)got < n);
    out[strcspn(out, "\r\n")] = 0;
    return out[0] != 0;
}

static bool is_commit(const char *s)
{
    size_t n = strspn(s, "0123456789abcdef");
    return s[n] == 0 && (n == 40 || n == 64);
}

/* Find DIR/.git going up (DIR is absolute); a file there names the directory of a work tree. */
static bool find_git(const char *dir, char root[VCS_PATH_BYTES], char git[VCS_PATH_BYTES])
{
    if (dir[0] != '/' || !join(root, VCS_PATH_BYTES, "", dir))
        return false;
    for (;;) {
        struct stat st;
        char path[VCS_PATH_BYTES], line[VCS_PATH_BYTES];
        if (!join(path, sizeof path, root[1] ? root : "", ".git"))
            return false;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return join(git, VCS_PATH_BYTES, "", path); /* path is absolute */
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
            return first_line(path, line, sizeof line) && strncmp(line, "gitdir: ", 8) == 0 &&
                   join(git, VCS_PATH_BYTES, root, line + 8);
        char *slash = strrchr(root, '/');
        if (!slash || root[1] == 0)
            return false;
        slash[slash == root ? 1 : 0] = 0;
    }
}

/* Lines "<hex> <ref>"; a table of a big repository may have megabytes. */
static bool packed_ref(const char *common, const char *ref, char out[72])
{
    char path[VCS_PATH_BYTES];
    if (!join(path, sizeof path, common, "packed-refs"))
        return false;
    char *text = mem_alloc(PACKED_REFS_MAX + 1);
    if (!text)
        return false;
    if (os_read_file(path, text, PACKED_REFS_MAX + 1) < 0)
        text[0] = 0;
    bool found = false;
    for (char *line = text; *line && !found;) {
        size_t len = strcspn(line, "\n");
        char *next = line + len + (line[len] == '\n');
        line[len] = 0;
        char *space = strchr(line, ' ');
        if (space && strcmp(space + 1, ref) == 0) {
            *space = 0;
            found = is_commit(line);
            if (found)
                memcpy(out, line, strlen(line) + 1);
        }
        line = next;
    }
    mem_free(text);
    return found;
}

int vcs_read(const char *dir, struct vcs *out)
{
    struct vcs v = {0};
    char git[VCS_PATH_BYTES], common[VCS_PATH_BYTES], path[VCS_PATH_BYTES], line[1024];
    if (!find_git(dir, v.root, git))
        return ORIEL_ENOTFOUND;
    memcpy(common, git, sizeof common);
    if (join(path, sizeof path, git, "commondir") && first_line(path, line, sizeof line) &&
        !join(common, sizeof common, git, line))
        return ORIEL_ENOTFOUND;
    if (!join(path, sizeof path, git, "HEAD") || !first_line(path, line, sizeof line))
        return ORIEL_ENOTFOUND;
    if (strncmp(line, "ref: ", 5) != 0) {
        if (!is_commit(line))
            return ORIEL_ENOTFOUND;
        memcpy(v.commit, line, strlen(line) + 1);
        *out = v;
        return 0;
    }
    const char *ref = line + 5;
    const char *branch = strncmp(ref, "refs/heads/", 11) == 0 ? ref + 11 : ref;
    snprintf(v.branch, sizeof v.branch, "%.*s", (int)sizeof v.branch - 1, branch);
    char loose[128];
    if (join(path, sizeof path, common, ref) && first_line(path, loose, sizeof loose) &&
        is_commit(loose))
        memcpy(v.commit, loose, strlen(loose) + 1);
    else
        packed_ref(common, ref, v.commit);
    *out = v;
    return 0;
}

void vcs_dirty_start(struct vcs_query *q, const char *root)
{
    *q = (struct vcs_query){.fd = -1};
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_RDWR, 0);
    /* fsmonitor is the one setting of a foreign repository that runs a program. */
    const char *args[] = {"git",
                          "--no-optional-locks",
                          "-c",
                          "core.fsmonitor=false",
                          "-C",
                          root,
                          "status",
                          "--porcelain",
                          "--untracked-files=no",
                          "--ignore-submodules",
                          NULL};
    pid_t pid;
    if (posix_spawnp(&pid, "git", &actions, NULL, (char *const *)args, environ) == 0) {
        q->pid = pid;
        q->fd = fds[0];
        fds[0] = -1;
    }
    posix_spawn_file_actions_destroy(&actions);
    if (fds[0] >= 0)
        close(fds[0]);
    close(fds[1]);
}

/* One byte of output says dirty; the end without one says what the exit does. */
static enum vcs_dirty wait_output(int fd, uint64_t deadline_ns, bool *out_ended)
{
    for (;;) {
        uint64_t now = clock_mono_ns();
        if (now >= deadline_ns)
            return VCS_UNKNOWN;
        uint64_t left = deadline_ns - now;
        struct timespec t = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char byte;
        if (ppoll(&p, 1, &t, NULL) <= 0)
            continue;
        ssize_t n = read(fd, &byte, 1);
        if (n < 0 && errno == EINTR)
            continue;
        *out_ended = n == 0;
        return n > 0 ? VCS_DIRTY : VCS_CLEAN;
    }
}

enum vcs_dirty vcs_dirty_wait(struct vcs_query *q, uint64_t deadline_ns)
{
    if (q->pid <= 0)
        return VCS_UNKNOWN;
    assert(q->fd >= 0);
    bool ended = false;
    int status = 0;
    enum vcs_dirty answer = wait_output(q->fd, deadline_ns, &ended);
    close(q->fd);
    if (!ended)
        kill(q->pid, SIGKILL);
    while (waitpid(q->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (ended && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        answer = VCS_UNKNOWN; /* git itself failed */
    *q = (struct vcs_query){.fd = -1};
    return answer;
}
