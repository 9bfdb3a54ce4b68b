/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Two copies of the record path in one process: the program carries one, the
 * plugin it loads another, with all symbols hidden. What they say together must
 * come out as one process with one thread, and spans must nest as they ran.
 *
 *   copies PLUGIN fork|stay
 */
#ifndef COPIES_PLUGIN
#define ORIEL_TARGET "copies.program"
#else
#define ORIEL_TARGET "copies.plugin"
#endif
#include <oriel/oriel.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void plugin_fn(void (*inner)(void));

#ifdef COPIES_PLUGIN
ORIEL_EXPORT void copies_work(void (*inner)(void));
void copies_work(void (*inner)(void))
{
    ORIEL_SPAN("plugin.middle");
    inner();
    ORIEL_EVENT("plugin.event");
}
#else
static void inner(void)
{
    ORIEL_SPAN("program.inner");
    ORIEL_EVENT("program.event");
}

static void outer(plugin_fn *work)
{
    ORIEL_SPAN("program.outer");
    work(inner);
}

int main(int argc, char **argv)
{
    plugin_fn *work = NULL;
    int status = 0;
    void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library)
        *(void **)&work = dlsym(library, "copies_work");
    if (!work)
        return 2;
    outer(work);
    if (strcmp(argv[2], "fork") == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            work(inner); /* this time the plugin is first */
            outer(work);
            _exit(0);
        }
        waitpid(pid, &status, 0);
    }
    outer(work);
    return status ? 3 : 0;
}
#endif
