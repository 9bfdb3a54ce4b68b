/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Says a span, and so does a fork child of it; each waits for a line, so that the test can look at
 * what profilers outside find in it. With an argument the parent ends then, and the child says one
 * more each time that it is asked.
 */
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <oriel/oriel.h>

/* One byte of stdin at a time: two processes have it. */
static bool wait_for_line(void)
{
    char c = 0;
    while (read(0, &c, 1) == 1)
        if (c == '\n')
            return true;
    return false;
}

static void say(const char *who)
{
    char line[64];
    const int n = snprintf(line, sizeof line, "%s %ld\n", who, (long)getpid());
    (void)!write(1, line, (size_t)n);
}

static int child(bool inherits)
{
    {
        ORIEL_SPAN("of the child");
    }
    say("child");
    (void)wait_for_line();
    while (inherits && wait_for_line()) {
        ORIEL_SPAN("of the heir");
    }
    return 0;
}

int main(int argc, char **argv)
{
    int status = 0;
    {
        ORIEL_SPAN("of the parent");
    }
    say("parent");
    (void)wait_for_line();
    const pid_t pid = fork();
    if (pid == 0)
        return child(argc > 1);
    if (argc > 1)
        return 0;
    waitpid(pid, &status, 0);
    return status ? 1 : 0;
}
