/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of rewriting old sections: comments and everything else stay. */
#include "base/mem.h"
#include "config/config.h"
#include "test.h"

static struct buf out;
static struct oriel_err err;
static unsigned changes;

static const char *migrated(const char *text)
{
    buf_clear(&out);
    err.text[0] = 0;
    changes = 99;
    int rc = config_migrate("old.toml", text, strlen(text), &out, &changes, &err);
    return rc == 0 ? buf_cstr(&out) : err.text;
}

TEST(a_file_of_today_stays_as_it_is)
{
    static const char text[] = "# x\n[telemetry] # y\nenabled = true\r\n\n[other.debug]\na=1";
    CHECK_STR(migrated(text), text);
    CHECK_EQ(changes, 0);
}

TEST(a_section_becomes_the_new_one_where_it_stands)
{
    CHECK_STR(migrated("# head\n\n  [ observability ] # why\n# what\nexporter = \"otlp\" # on\n"
                       "\n\tendpoint =  'http://x:4317'  # there\n\n# next\n[other]\nx = 1\n"),
              "# head\n\n  [telemetry] # why\n# what\nbackend = \"otlp\" # on\nenabled = true\n"
              "\n\totlp_endpoint =  'http://x:4317'  # there\n\n# next\n[other]\nx = 1\n");
    CHECK_EQ(changes, 3);
}

TEST(lines_move_into_the_section_that_is_there)
{
    CHECK_STR(
        migrated("[telemetry]\nenabled = true\n\n[debug]\nlevel = 3\n# traces\n[debug.traces]\n"
                 "# a name\nservice_name = 'a'\nredact = true\n"),
        "[telemetry]\nenabled = true\n# a name\nservice_name = 'a'\n\n[debug]\nlevel = 3\n"
        "# traces\n");
    CHECK_STR(migrated("[debug.traces]\nservice_name = 'a'\n[telemetry]\nenabled = true"),
              "[telemetry]\nenabled = true\nservice_name = 'a'\n");
}

TEST(both_old_sections_become_one)
{
    CHECK_STR(migrated("[observability]\nendpoint = 'e' # one\n\n[debug.traces]\n"
                       "otlp_endpoint = 'e' # two\nservice_name = 's'\n[z]\n"),
              "[telemetry]\notlp_endpoint = 'e' # one\nservice_name = 's'\n\n[z]\n");
    CHECK_STR(migrated("[debug.traces]\nservice_name = 's'\n[observability]\nendpoint = 'e'"),
              "[telemetry]\notlp_endpoint = 'e'\nservice_name = 's'\n");
    CHECK_STR(migrated("[observability]\n[debug.traces]\nservice_name = 's'\n"),
              "[telemetry]\nservice_name = 's'\n");
}

TEST(sections_around_the_new_one_move_into_it)
{
    CHECK_STR(migrated("[debug.traces]\notlp_endpoint = 'e'\n[telemetry]\nservice_name = 'x'\n"
                       "[observability]\nsampling_rate = 0.5\n[debug]\nlevel = 1"),
              "[telemetry]\nservice_name = 'x'\nsample_rate = 0.5\notlp_endpoint = 'e'\n[debug]\n"
              "level = 1");
}

TEST(a_section_of_an_outlet_is_not_in_the_way)
{
    CHECK_STR(migrated("[telemetry.log]\nspans = true\n[observability]\nendpoint = 'e'\n"
                       "[debug.traces]\nenabled = true\n"),
              "[telemetry.log]\nspans = true\n[telemetry]\notlp_endpoint = 'e'\nenabled = true\n");
}

TEST(what_cannot_be_rewritten_is_refused_with_its_line)
{
    CHECK_STR(migrated("[observability]\nlevel = 3\n"),
              "old.toml:2: level: has no counterpart in [telemetry]; change it by hand");
    CHECK_STR(migrated("[debug.traces]\nredact = false\n"),
              "old.toml:2: redact: has no counterpart in [telemetry]; change it by hand");
    CHECK_STR(migrated("[debug.traces]\na.b = 1\n"),
              "old.toml:2: a: has no counterpart in [telemetry]; change it by hand");
    CHECK_STR(
        migrated("observability.endpoint = 'x'\n"),
        "old.toml:1: observability: is rewritten only where it stands as a section; change it "
        "by hand");
    CHECK_STR(migrated("telemetry = {}\n[observability]\nendpoint = 'x'\n"),
              "old.toml:1: telemetry: stands not as a section [telemetry]; change it by hand");
    CHECK_STR(migrated("[telemetry]\nservice_name = 'a'\n[debug.traces]\nservice_name = 'b'\n"),
              "old.toml:4: service_name: is in [telemetry] too, with another value; remove one of "
              "them");
    CHECK_STR(migrated("[telemetry"),
              "old.toml:1:11: a header ends with ], not with the end of the file");
}

/* What was read before is read after, whatever the form. */
TEST(a_rewritten_file_means_the_same)
{
    static const char text[] = "[observability]\nexporter='local'\nsample_rate=0.5\n"
                               "[debug.traces]\ntrace_dir='t'\ninclude_args=true\n";
    struct config *before, *after;
    struct config_input in = {.size = sizeof in, .file_text = text, .file_bytes = sizeof text - 1};
    REQUIRE(config_load(&before, &in, &err) == 0);
    in.file_text = migrated(text);
    in.file_bytes = out.size;
    REQUIRE(config_load(&after, &in, &err) == 0);
    const struct config_message *m;
    CHECK_EQ(config_messages(after, &m), 0);
    CHECK_EQ(config_messages(before, &m), 2);
    CHECK(config_telemetry(before)->sample_rate == 0.5);
    CHECK(config_telemetry(after)->sample_rate == 0.5);
    CHECK(config_telemetry(after)->enabled && config_telemetry(after)->include_args);
    CHECK_STR(config_telemetry(after)->trace_dir, config_telemetry(before)->trace_dir);
    CHECK_STR(config_telemetry(after)->backend, config_telemetry(before)->backend);
    config_free(before);
    config_free(after);
}

TEST(every_allocation_may_fail)
{
    static const char text[] = "[observability]\nendpoint = 'e'\n[debug.traces]\nenabled = true\n";
    int rc = ORIEL_ENOMEM;
    for (uint64_t n = 1; rc != 0; n++) {
        struct buf own;
        size_t blocks = mem_live_blocks();
        buf_init(&own);
        mem_fail_after(n);
        rc = config_migrate("x", text, sizeof text - 1, &own, &changes, &err);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        buf_done(&own);
        CHECK_EQ(mem_live_blocks(), blocks);
        REQUIRE(n < 200);
    }
}

TEST_MAIN()
