/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* When it is said what a full queue lost. */
#include <string.h>

#include "deliver/deliver.h"
#include "deliver/test_destination.h"
#include "test.h"

TEST(what_a_full_queue_lost_is_said_before_the_end_is_over)
{
    char said[4096];
    struct watch w;
    struct deliver_options o = destination_options("http://127.0.0.1:1", false);
    struct deliver_counts c;
    o.queue_items = 50;
    o.held = true;           /* nothing is sent, */
    watch_use(&w, &o, true); /* and no minute passes */
    struct deliver *d = destination_open(&o);
    CHECK_EQ(destination_put(d, OUT_LOGS, 0, 50), 0);
    CHECK_EQ(destination_put(d, OUT_LOGS, 0, 7), 0);
    DESTINATION_UNTIL(d, &c,
                      watch_lines(&w, said, sizeof said) &&
                          strstr(said, "7 log records lost to a full queue"));
    CHECK_EQ(destination_put(d, OUT_LOGS, 0, 11), 0);
    CHECK_EQ(out_finish(deliver_out(d), 1, true), ORIEL_ETIMEOUT);
    watch_lines(&w, said, sizeof said); /* nobody closes it where the time is over */
    CHECK(strstr(said, "11 log records lost to a full queue (queue_items)"));
    out_close(deliver_out(d));
}

TEST_MAIN()
