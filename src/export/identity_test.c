/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Numbers for viewers: kept while they are unique, replaced when they are not. */
#include "export/identity.h"

#include "test.h"

static struct model_catalog catalog;

static const struct model_process *process(int32_t pid)
{
    return model_catalog_add_process(&catalog, pid, MODEL_STR("/bin/x"), MODEL_STR("x"));
}

static const struct model_thread *thread(uint32_t of, int32_t tid)
{
    return model_catalog_add_thread(&catalog, of, tid, catalog.thread_count + 1);
}

TEST(the_first_owner_keeps_its_number)
{
    struct export_identity id = {0};
    model_catalog_init(&catalog);
    const struct model_process *p = process(100);
    const struct model_thread *a = thread(p->index, 101), *b = thread(p->index, 101);
    CHECK_EQ(export_identity_pid(&id, p), 100);
    CHECK_EQ(export_identity_tid(&id, &catalog, a), 101);
    CHECK(export_identity_tid(&id, &catalog, b) >= EXPORT_TID_FIRST);
    CHECK_EQ(export_identity_tid(&id, &catalog, a), 101);
    CHECK_EQ(export_identity_tid(&id, &catalog, b), export_identity_tid(&id, &catalog, b));
    export_identity_done(&id);
    model_catalog_done(&catalog);
}

TEST(the_main_thread_is_known_by_the_number_of_its_process_even_a_made_up_one)
{
    struct export_identity id = {0};
    model_catalog_init(&catalog);
    const struct model_process *p = process(100), *q = process(100);
    const struct model_thread *a = thread(p->index, 100), *b = thread(q->index, 100);
    const struct model_thread *c = thread(q->index, 100);
    CHECK_EQ(export_identity_tid(&id, &catalog, a), export_identity_pid(&id, p));
    CHECK_EQ(export_identity_tid(&id, &catalog, b), export_identity_pid(&id, q));
    CHECK(export_identity_pid(&id, p) != export_identity_pid(&id, q));
    CHECK(export_identity_tid(&id, &catalog, c) != export_identity_pid(&id, q));
    CHECK_EQ(export_identity_tid(&id, &catalog, b), export_identity_pid(&id, q));
    export_identity_done(&id);
    model_catalog_done(&catalog);
}

TEST(an_unknown_number_is_replaced)
{
    struct export_identity id = {0};
    model_catalog_init(&catalog);
    const struct model_process *p = process(0);
    CHECK(export_identity_pid(&id, p) >= EXPORT_PID_FIRST);
    CHECK(export_identity_tid(&id, &catalog, thread(p->index, 0)) >= EXPORT_TID_FIRST);
    CHECK(export_identity_tid(&id, &catalog, thread(p->index, -1)) >= EXPORT_TID_FIRST);
    export_identity_done(&id);
    model_catalog_done(&catalog);
}

TEST_MAIN()
