/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Copies of sites: whatever the binding does with its texts afterwards, and as
 * much of them as memory allows.
 */
#include "base/mem.h"
#include "rec/rec.h"
#include "test.h"

static char name[] = "query", target[] = "db", key[] = "rows";
static struct oriel_field fields[] = {{key, ORIEL_TYPE_U64, 0}, {0, 0, 0}};

static struct oriel_site_node *volatile kept[8]; /* copies are for good */

static struct oriel_site made(void)
{
    return (struct oriel_site){.kind = ORIEL_SITE_EVENT,
                               .field_count = 1,
                               .name = name,
                               .target = target,
                               .fields = fields};
}

TEST(a_copy_shares_nothing_with_what_it_was_made_from)
{
    struct oriel_site site = made();
    struct oriel_site_node *copy = kept[0] = rec_site_copy(&site);
    REQUIRE(copy);
    name[0] = target[0] = key[0] = 'X';
    CHECK_STR(copy->site.name, "query");
    CHECK_STR(copy->site.target, "db");
    CHECK_STR(copy->site.fields[0].name, "rows");
    CHECK_EQ(copy->site.fields[0].type, ORIEL_TYPE_U64);
    CHECK(copy->site.format == NULL);
}

TEST(what_finds_no_memory_has_no_name_but_is_a_site)
{
    struct oriel_site site = made();
    for (uint64_t n = 1; n <= 5; n++) {
        mem_fail_after(n);
        struct oriel_site_node *copy = kept[n] = rec_site_copy(&site);
        mem_fail_after(0);
        CHECK_EQ(copy != NULL, n > 2); /* the node and its fields must be */
        if (!copy)
            continue;
        CHECK_EQ(copy->site.field_count, 1);
        CHECK_STR(copy->site.fields[0].name, n == 3 ? "" : "rows");
        CHECK_STR(copy->site.name, n == 4 ? "" : "query");
    }
}

TEST_MAIN()
