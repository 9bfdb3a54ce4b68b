/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The books on one outlet: given = delivered + refused, whatever fails. How a
 * session uses it is in session_test.c.
 */
#include "session/outlet.h"

#include "base/mem.h"
#include "test.h"

static int write_rc, flush_rc, opened, closed;
static uintptr_t state_at;

static int fake_open(void *state, const void *options, const struct export_env *env,
                     struct oriel_err *err)
{
    state_at = (uintptr_t)state;
    opened++;
    return env->service_name[0] ? 0 : ORIEL_EINVAL;
}
static int fake_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    return write_rc;
}
static int fake_flush(void *state, struct oriel_err *err)
{
    return flush_rc ? err_set(err, flush_rc, "full") : 0;
}
static int fake_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    closed++;
    return 0;
}
static const struct exporter fake = {.name = "fake",
                                     .state_size = 8,
                                     .open = fake_open,
                                     .write = fake_write,
                                     .flush = fake_flush,
                                     .close = fake_close};

TEST(what_is_given_is_delivered_or_refused)
{
    struct model_catalog catalog;
    struct outlet o;
    const struct model_batch batch = {.record_count = 0};
    const struct export_summary end = {.records = 6};
    struct oriel_err err = {0};
    model_catalog_init(&catalog);
    REQUIRE(outlet_open(&o, &fake, NULL, NULL, &catalog, &err) == 0);
    CHECK_EQ(state_at % 64, 0);
    outlet_write(&o, &batch, 3);
    outlet_flush(&o, false);
    CHECK(o.delivered == 3 && o.refused == 0 && o.failed == 0);
    write_rc = ORIEL_EIO;
    outlet_write(&o, &batch, 2);
    CHECK(o.delivered == 3 && o.refused == 2 && o.failed == 1);
    CHECK_STR(o.first.text, "fake: input/output error");
    write_rc = 0;
    flush_rc = ORIEL_ENOSPC;
    outlet_write(&o, &batch, 1);
    CHECK_EQ(o.delivered, 4);
    outlet_close(&o, &end); /* which flushes: it was not delivered */
    CHECK(o.delivered == 3 && o.refused == 3 && o.given == 6 && o.failed == 2);
    CHECK_STR(o.first.text, "fake: input/output error");
    CHECK(opened == 1 && closed == 1);
    outlet_done(&o);
    model_catalog_done(&catalog);
}

TEST(an_outlet_that_cannot_be_opened_leaves_nothing)
{
    struct model_catalog catalog;
    int rc = ORIEL_ENOMEM;
    model_catalog_init(&catalog);
    for (uint64_t n = 1; rc < 0 && n < 30; n++) {
        struct outlet o;
        struct oriel_err err = {0};
        const struct export_summary end = {.records = 0};
        mem_fail_after(n);
        rc = outlet_open(&o, &fake, NULL, NULL, &catalog, &err);
        mem_fail_after(0);
        CHECK(rc == 0 || (rc == ORIEL_ENOMEM && err.text[0] && !o.state && !o.options));
        if (rc == 0) {
            outlet_close(&o, &end);
            outlet_done(&o);
        }
    }
    CHECK_EQ(rc, 0);
    model_catalog_done(&catalog);
}

TEST_MAIN()
