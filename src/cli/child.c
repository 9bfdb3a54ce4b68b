/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Starts the recorded program with posix_spawn (no copy of the recorder's
 * memory) and follows it by SIGCHLD, which only arrives inside ppoll.
 */
#include "cli/child.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

static const int passed_on[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
static const int noticed[] = {SIGCHLD, SIGPIPE};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static volatile sig_atomic_t to_pass_on[COUNT(passed_on)];

/* The kernel sends the terminal's signals to the whole group (si_code > 0):
 * the program has it already. */
static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    for (size_t i = 0; i < COUNT(passed_on); i++)
        if (passed_on[i] == signal_number && info->si_code <= 0)
            to_pass_on[i] = 1;
}

/* What the recorder was started with ignored (nohup, background jobs) stays
 * ignored, here and in the program. Except SIGCHLD: ignored, it would take the
 * exit status away. */
static void handle(int signal_number, void (*fn)(int, siginfo_t *, void *))
{
    struct sigaction old, sa = {.sa_flags = SA_SIGINFO | SA_RESTART};
    if (sigaction(signal_number, NULL, &old) != 0 ||
        (old.sa_handler == SIG_IGN && signal_number != SIGCHLD))
        return;
    sigemptyset(&sa.sa_mask);
    if (fn)
        sa.sa_sigaction = fn;
    else
        sa = (struct sigaction){.sa_handler = SIG_DFL};
    sigaction(signal_number, &sa, NULL);
}

static void each_signal(void (*fn)(int, siginfo_t *, void *), sigset_t *set)
{
    for (size_t i = 0; i < COUNT(passed_on); i++) {
        sigaddset(set, passed_on[i]);
        handle(passed_on[i], fn);
    }
    for (size_t i = 0; i < COUNT(noticed); i++) {
        sigaddset(set, noticed[i]);
        handle(noticed[i], fn);
    }
}

/* ---- finding ---- */

static int check_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno == EACCES ? ORIEL_EPERM : ORIEL_ENOTFOUND;
    return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : ORIEL_EPERM;
}

static int find_in_path(const char *name, char *out, size_t n)
{
    const char *path = getenv("PATH");
    int found = ORIEL_ENOTFOUND;
    for (const char *p = path ? path : "/usr/local/bin:/bin:/usr/bin"; p;) {
        size_t len = strcspn(p, ":");
        int size = snprintf(out, n, "%.*s%s%s", (int)len, p, len ? "/" : "./", name);
        int rc = size > 0 && (size_t)size < n ? check_file(out) : ORIEL_ENOTFOUND;
        if (rc == 0)
            return 0;
        found = rc == ORIEL_EPERM ? rc : found;
        p = p[len] ? p + len + 1 : NULL;
    }
    return found;
}

int child_find(const char *name, char *out, size_t n, struct oriel_err *err)
{
    assert(name && n > 0);
    int rc;
    if (!name[0]) {
        rc = ORIEL_ENOTFOUND;
    } else if (strchr(name, '/')) {
        int size = snprintf(out, n, "%s", name);
        rc = (size_t)size < n ? check_file(out) : ORIEL_ENOTFOUND;
    } else {
        rc = find_in_path(name, out, n);
    }
    if (rc == ORIEL_EPERM)
        return err_set(err, rc, "%s: not an executable file", name);
    if (rc < 0)
        return err_set(err, rc, "%s: no such program", name);
    return 0;
}

/* ---- starting ---- */

static bool is_set_by(const char *variable, char *const settings[])
{
    size_t n = strcspn(variable, "=") + 1;
    while (*settings && strncmp(variable, *settings, n) != 0)
        settings++;
    return *settings != NULL;
}

/* Our environment with some variables set; the strings stay where they are. */
static char **make_environment(char *const settings[])
{
    size_t n = 0, m = 0, used = 0;
    while (environ[n])
        n++;
    while (settings[m])
        m++;
    char **env = mem_calloc(n + m + 1, sizeof *env);
    if (!env)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!is_set_by(environ[i], settings))
            env[used++] = environ[i];
    for (size_t i = 0; i < m; i++)
        env[used++] = settings[i];
    return env;
}

static int spawn(struct child *c, const char *path, char *const argv[], char **env)
{
    posix_spawnattr_t attr;
    int rc = posix_spawnattr_init(&attr);
    if (rc != 0)
        return rc;
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attr, &c->mask);
    rc = posix_spawn(&c->pid, path, NULL, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    return rc;
}

/* A script without "#!" is the shell's, as with execvp. */
static int spawn_script(struct child *c, const char *path, char *const argv[], char **env)
{
    size_t n = 0;
    while (argv[n])
        n++;
    char **words = mem_calloc(n + 2, sizeof *words);
    if (!words)
        return ENOMEM;
    char shell[] = "/bin/sh";
    char *script = mem_strdup(path);
    int rc = script ? 0 : ENOMEM;
    words[0] = shell;
    words[1] = script;
    for (size_t i = 1; i < n; i++)
        words[i + 1] = argv[i];
    if (rc == 0)
        rc = spawn(c, shell, words, env);
    mem_free(script);
    mem_free(words);
    return rc;
}

int child_start(struct child *c, const char *path, char *const argv[], char *const settings[],
                struct oriel_err *err)
{
    assert(c && path && argv && argv[0] && settings);
    *c = (struct child){0};
    char **env = make_environment(settings);
    if (!env)
        return err_set(err, ORIEL_ENOMEM, "out of memory");
    sigset_t ours;
    sigemptyset(&ours);
    memset((void *)to_pass_on, 0, sizeof to_pass_on);
    each_signal(on_signal, &ours);
    sigprocmask(SIG_BLOCK, &ours, &c->mask);
    /* A fork child that has not said anything yet is known to nobody else. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    int rc = spawn(c, path, argv, env);
    if (rc == ENOEXEC)
        rc = spawn_script(c, path, argv, env);
    mem_free(env);
    if (rc == 0)
        return 0;
    child_release(c);
    if (rc == EACCES || rc == ENOEXEC)
        return err_set(err, ORIEL_EPERM, "%s: not executable", argv[0]);
    return err_set_errno(err, rc, "%s: cannot be started", argv[0]);
}

/* ---- following ---- */

static void pass_on(struct child *c)
{
    for (size_t i = 0; i < COUNT(passed_on); i++)
        if (to_pass_on[i]) {
            to_pass_on[i] = 0;
            if (!c->over)
                kill(c->pid, passed_on[i]);
        }
}

static uint64_t ns_of(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
}

bool child_poll(struct child *c)
{
    assert(c->pid > 0);
    pass_on(c);
    for (;;) {
        int status;
        struct rusage used;
        pid_t got = wait4(-1, &status, WNOHANG, &used);
        if (got > 0 && WIFSIGNALED(status) && (got == c->pid || !c->died_pid)) {
            c->died_pid = got;
            c->died_signal = WTERMSIG(status);
        }
        if (got == c->pid) {
            c->status = status;
            c->user_ns = ns_of(used.ru_utime);
            c->system_ns = ns_of(used.ru_stime);
            c->used = used;
            c->over = true;
        } else if (got < 0 && errno == ECHILD) {
            c->over = c->alone = true;
        }
        if (got <= 0)
            return c->over;
    }
}

const char *child_signal_name(int number, char *room, size_t n)
{
    static const char *const names[] = {
        [SIGHUP] = "SIGHUP",   [SIGINT] = "SIGINT",   [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",
        [SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS",   [SIGFPE] = "SIGFPE",
        [SIGKILL] = "SIGKILL", [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
        [SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM", [SIGXCPU] = "SIGXCPU",
        [SIGXFSZ] = "SIGXFSZ", [SIGSYS] = "SIGSYS"};
    if (number > 0 && (size_t)number < COUNT(names) && names[number])
        return names[number];
    snprintf(room, n, "signal %d", number);
    return room;
}

void child_sleep(struct child *c, uint64_t ns, int fd, int other)
{
    struct pollfd wake[2] = {{.fd = fd, .events = POLLIN}, {.fd = other, .events = POLLIN}};
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    sigset_t open = c->mask;
    for (size_t i = 0; i < COUNT(passed_on); i++)
        sigdelset(&open, passed_on[i]);
    sigdelset(&open, SIGCHLD);
    (void)ppoll(wake, COUNT(wake), &t, &open);
    pass_on(c);
}

void child_release(struct child *c)
{
    sigset_t unused;
    sigemptyset(&unused);
    each_signal(NULL, &unused);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    sigprocmask(SIG_SETMASK, &c->mask, NULL);
}

int child_exit_like(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    assert(WIFSIGNALED(status));
    int number = WTERMSIG(status);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    struct sigaction sa = {.sa_handler = SIG_DFL};
    sigaction(number, &sa, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    kill(getpid(), number);
    return 128 + number;
}
