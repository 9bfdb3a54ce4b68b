/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Programs that close all descriptors they find, as daemons do when they begin, while
 * the sending thread (pthread_create of sender_start) is there: nothing is written to what they
 * open then, and they end. The receiver is a process of its own, made before any thread, because
 * the thread sanitizer knows no fork of a process that has some.
 */
#include "deliver/deliver.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "deliver/test_destination.h"
#include "peer.h"
#include "receiver.h"
#include "test.h"

enum { LAST_FD = 200, THEIR_FILES = 60 };

/* Closes all descriptors and opens files of its own, as daemons do. */
static bool goes_on_with_its_own_files(const char *url, bool grpc)
{
    struct deliver_options o = destination_options(url, grpc);
    struct deliver *d = destination_open(&o);
    struct deliver_counts c;
    int theirs[THEIR_FILES];
    bool good = destination_put(d, OUT_TRACES, 1, 1) == 0;
    DESTINATION_UNTIL(d, &c, c.delivered == 1);
    for (int fd = 3; fd < LAST_FD; fd++)
        (void)syscall(SYS_close,
                      fd); /* not before the eyes of a sanitizer: it is a race, on purpose */
    for (int i = 0; i < THEIR_FILES; i++)
        theirs[i] = memfd_create("theirs", 0);
    good = destination_put(d, OUT_TRACES, 2, 1) == 0 && good;
    DESTINATION_UNTIL(d, &c, c.delivered == 2);
    out_close(deliver_out(d));
    for (int i = 0; i < THEIR_FILES; i++)
        good = lseek(theirs[i], 0, SEEK_END) == 0 && good; /* open, and empty */
    return good;
}

TEST(a_program_that_closes_all_descriptors_is_not_written_to_and_ends)
{
    char url[64];
    pid_t receiver = receiver_start_elsewhere(false, url, sizeof url);
    CHECK(goes_on_with_its_own_files(url, false));
    receiver_stop_elsewhere(receiver);
}

TEST(nor_is_one_whose_receiver_speaks_grpc)
{
    char url[64];
    pid_t receiver = receiver_start_elsewhere(true, url, sizeof url);
    CHECK(goes_on_with_its_own_files(url, true));
    receiver_stop_elsewhere(receiver);
}

TEST_MAIN()
