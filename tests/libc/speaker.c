/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Says 100 spans with an event each on main, on four threads and in a fork
 * child, and whether anybody listens.
 */
#define ORIEL_TARGET "speaker"
#include <oriel/oriel.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void *speak(void *arg)
{
    for (int i = 0; i < 100; i++) {
        ORIEL_SPAN("spoke", "i", i);
        ORIEL_INFO("said", "i", i, "text", "some text");
    }
    return arg;
}

int main(void)
{
    pthread_t threads[4];
    int status = 0;
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, speak, NULL) != 0)
            return 1;
    speak(NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pid_t pid = fork();
    if (pid == 0) {
        speak(NULL);
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return 1;
    puts(oriel_enabled() ? "on" : "off");
    return 0;
}
