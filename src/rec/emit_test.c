/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records whose values come as arrays, as bindings say them, and what is said
 * about spans that are not bound to a scope; also with no room and no block.
 */
#define ORIEL_TARGET "emit.test"
#include <oriel/backtrace.h>
#include <oriel/oriel.h>
#include <oriel/propagation.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/os.h"
#include "rec/rec.h"
#include "recording.h"
#include "test.h"

static oriel_word words[6];
static const struct oriel_field fields[] = {{"n", ORIEL_TYPE_I64, 0}, {"s", ORIEL_TYPE_STR, 0}};

/* A site as a binding makes it. */
static oriel_word site(int i, enum oriel_site_kind kind)
{
    struct oriel_site s = {.abi_version = ORIEL_ABI_VERSION,
                           .kind = (uint8_t)kind,
                           .level = ORIEL_LEVEL_INFO,
                           .line = (uint32_t)i + 1,
                           .field_count = 2,
                           .name = "made",
                           .target = "emit.test",
                           .file = "x.py",
                           .fields = fields,
                           .word = &words[i]};
    CHECK_EQ(oriel_site_new(&s), 0);
    return words[i];
}

static void give(struct oriel_value v[2], int64_t n, const void *text, uint32_t size)
{
    v[0] = (struct oriel_value){ORIEL_TYPE_I64, 0, {(uint64_t)n}};
    v[1] = (struct oriel_value){.type = ORIEL_TYPE_STR, .size = size};
    v[1].v.bytes = text;
}

/* The last record of a type, its own words. */
struct last {
    uint64_t words[ORIEL_RECORD_MAX_BYTES / 8];
    uint64_t raw_id;
    uint32_t flags, count;
    uint8_t type;
};
static void keep_last(void *user, const struct model_record *m)
{
    struct last *l = user;
    if (m->type != l->type)
        return;
    memcpy(l->words, m->raw, m->words * 8u);
    l->raw_id = m->raw_id;
    l->flags = m->flags;
    l->count++;
}

TEST(values_given_as_arrays_arrive_in_spans_events_and_sets)
{
    struct last l = {.type = ORIEL_REC_SET};
    struct recording r = {.on_record = keep_last, .user = &l};
    struct oriel_value v[2];
    recording_begin(&r, NULL);
    give(v, 7, "seven", 5);
    struct oriel_scope scope = oriel_abi_begin(site(0, ORIEL_SITE_SPAN), v, 2);
    CHECK(scope.id != 0);
    oriel_abi_event(site(1, ORIEL_SITE_EVENT), 0, v, 2);
    oriel_abi_event(words[1], scope.id, v, 2);
    oriel_abi_set(site(2, ORIEL_SITE_SET), 0, v, 2); /* the current span */
    oriel_abi_end(&scope);
    oriel_abi_set(words[2], 0, v, 2); /* there is none now */
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_BEGIN], 1);
    CHECK_EQ(r.by_type[ORIEL_REC_END], 1);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 2);
    CHECK_EQ(l.count, 1);
    CHECK(l.words[2] == scope.id);
    CHECK_EQ(l.words[3], 7);
    CHECK_EQ(r.damaged, 0);
    recording_end(&r);
}

TEST(texts_that_do_not_fit_together_are_cut_and_say_so)
{
    static char text[3 * ORIEL_STRING_MAX_BYTES];
    struct last l = {.type = ORIEL_REC_EVENT};
    struct recording r = {.on_record = keep_last, .user = &l};
    struct oriel_value v[2];
    memset(text, 'x', sizeof text);
    recording_begin(&r, NULL);
    give(v, 1, text, sizeof text);
    oriel_abi_event(site(0, ORIEL_SITE_EVENT), 0, v, 2);
    recording_read(&r, true);
    REQUIRE(l.count == 1);
    uint64_t told = l.words[3];
    CHECK(told >> 32 == sizeof text && (uint32_t)told < sizeof text && (uint32_t)told > 1000);
    CHECK_EQ(r.damaged, 0);
    recording_end(&r);
}

TEST(opened_spans_know_their_parents_and_traces)
{
    struct last l = {.type = ORIEL_REC_OPEN};
    struct recording r = {.on_record = keep_last, .user = &l};
    struct oriel_value v[2];
    recording_begin(&r, NULL);
    give(v, 1, "", 0);
    oriel_word open = site(0, ORIEL_SITE_SPAN);
    struct oriel_span root = oriel_abi_open(open, ORIEL_ROOT, v, 2);
    struct oriel_span child = oriel_abi_open(open, &root, v, 2);
    CHECK(child.trace_lo == root.trace_lo && child.trace_hi == root.trace_hi);
    struct oriel_guard g = oriel_span_enter(&root);
    struct oriel_span inside = oriel_abi_open(open, NULL, v, 2);
    CHECK(inside.trace_lo == root.trace_lo);
    oriel_span_exit(&g);
    oriel_span_exit(&g); /* nothing to leave */
    struct oriel_span other = oriel_abi_open(open, NULL, v, 2);
    CHECK(other.trace_lo != root.trace_lo);
    recording_read(&r, true);
    CHECK_EQ(l.count, 4);
    CHECK_EQ(l.words[2], 0); /* the last has no parent */
    CHECK_EQ(r.by_type[ORIEL_REC_ENTER], 1);
    CHECK_EQ(r.by_type[ORIEL_REC_EXIT], 1);
    recording_end(&r);
}

TEST(spans_with_times_from_outside_keep_them)
{
    struct last l = {.type = ORIEL_REC_SPAN};
    struct recording r = {.on_record = keep_last, .user = &l};
    struct oriel_value v[2];
    recording_begin(&r, NULL);
    give(v, 1, "gpu", 3);
    oriel_abi_external(site(0, ORIEL_SITE_SPAN), 1000, 2000, ORIEL_ROOT, v, 2);
    recording_read(&r, true);
    REQUIRE(l.count == 1);
    CHECK_EQ(l.words[1], 1000);
    CHECK_EQ(l.words[2], 2000);
    CHECK(l.flags & ORIEL_RECF_ROOT && l.flags & ORIEL_RECF_HAS_TIME);
    recording_end(&r);
}

static const uint8_t trace_id[16] = {1, 2, 3}, span_id[8] = {9};

static void say_everything_about(const struct oriel_span *s, const struct oriel_span *earlier)
{
    oriel_span_status(s, ORIEL_STATUS_ERROR, "broken");
    oriel_span_status(s, ORIEL_STATUS_OK, NULL);
    oriel_span_name(s, "renamed");
    oriel_span_name(s, ""); /* says nothing */
    oriel_span_name(s, NULL);
    oriel_span_link(s, trace_id, span_id);
    oriel_span_follows(s, earlier);
}

TEST(status_links_and_followers_name_their_span)
{
    struct last l = {.type = ORIEL_REC_LINK};
    struct recording r = {.on_record = keep_last, .user = &l};
    uint8_t ids[24];
    recording_begin(&r, NULL);
    CHECK(!oriel_span_ids(NULL, ids, ids + 16)); /* no span is current */
    struct oriel_span s = ORIEL_OPEN("late", ORIEL_ROOT), earlier = ORIEL_OPEN("early", ORIEL_ROOT);
    uint64_t id = s.id;
    say_everything_about(&s, &earlier);
    say_everything_about(NULL, &earlier); /* no span is current: nothing to say */
    oriel_span_close(&s);
    oriel_span_close(&s);
    oriel_span_close(NULL);
    oriel_context_detach(NULL);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_STATUS], 2);
    CHECK_EQ(r.by_type[ORIEL_REC_NAME], 1);
    CHECK_EQ(r.by_type[ORIEL_REC_FOLLOW], 1);
    CHECK_EQ(r.by_type[ORIEL_REC_CLOSE], 1);
    REQUIRE(l.count == 1);
    CHECK(l.words[2] == id);
    CHECK_MEM(&l.words[3], (size_t)16, trace_id, (size_t)16);
    recording_end(&r);
}

TEST(a_span_is_recording_until_it_ends)
{
    struct recording r = {0};
    CHECK(!oriel_span_recording(NULL));
    recording_begin(&r, NULL);
    CHECK(!oriel_span_recording(NULL)); /* none is current */
    {
        ORIEL_SPAN("scope");
        CHECK(oriel_span_recording(ORIEL_CURRENT));
    }
    CHECK(!oriel_span_recording(ORIEL_CURRENT));
    struct oriel_span s = ORIEL_OPEN("job", ORIEL_ROOT);
    CHECK(oriel_span_recording(&s));
    oriel_span_close(&s);
    CHECK(!oriel_span_recording(&s));
    CHECK_EQ(oriel_filter("off"), 0);
    struct oriel_span off = ORIEL_OPEN("off", ORIEL_ROOT);
    CHECK(!oriel_span_recording(&off));
    CHECK_EQ(oriel_filter(NULL), 0);
    recording_read(&r, true);
    recording_end(&r);
}

struct exceptions {
    char said[4][3][32]; /* name of the site, type, message */
    uint64_t span[4];
    int64_t attempt;
    unsigned count;
    uint8_t level;
};
static void copy_text(char out[32], struct model_str s)
{
    size_t n = s.n < 31 ? s.n : 31;
    memcpy(out, s.p, n);
    out[n] = 0;
}
static void keep_exceptions(void *user, const struct model_record *m)
{
    struct exceptions *x = user;
    struct model_values it;
    struct model_value v;
    if (m->type != ORIEL_REC_EVENT || x->count == 4)
        return;
    copy_text(x->said[x->count][0], m->site->name);
    x->span[x->count] = m->flags & ORIEL_RECF_HAS_SPAN ? m->raw[2] : 0;
    x->level = m->site->level;
    model_values_begin(&it, m);
    while (model_values_next(&it, &v)) {
        if (model_str_equal(v.key, MODEL_STR("exception.type")))
            copy_text(x->said[x->count][1], v.v.str);
        if (model_str_equal(v.key, MODEL_STR("exception.message")))
            copy_text(x->said[x->count][2], v.v.str);
        if (model_str_equal(v.key, MODEL_STR("attempt")))
            x->attempt = v.v.i64;
    }
    x->count++;
}

TEST(an_exception_is_an_event_of_that_name_with_type_message_and_further_fields)
{
    struct exceptions x = {.count = 0};
    struct recording r = {.on_record = keep_exceptions, .user = &x};
    recording_begin(&r, NULL);
    struct oriel_span s = ORIEL_OPEN("job", ORIEL_ROOT), closed = ORIEL_OPEN("past", ORIEL_ROOT);
    uint64_t id = s.id;
    oriel_span_close(&closed);
    ORIEL_EXCEPTION("disk_full", "no space left", "attempt", 3);
    ORIEL_EXCEPTION_ON(&s, "timeout", "nobody answered");
    ORIEL_EXCEPTION_ON(ORIEL_CURRENT, "here", "in what is current", "exception.escaped", true);
    ORIEL_EXCEPTION_ON(&closed, "late", "nobody is there to have it");
    recording_read(&r, true);
    REQUIRE(x.count == 3);
    for (unsigned i = 0; i < 3; i++)
        CHECK_STR(x.said[i][0], "exception");
    CHECK_STR(x.said[0][1], "disk_full");
    CHECK_STR(x.said[0][2], "no space left");
    CHECK_STR(x.said[1][1], "timeout");
    CHECK_STR(x.said[2][2], "in what is current");
    CHECK_EQ(x.attempt, 3);
    CHECK_EQ(x.level, ORIEL_LEVEL_ERROR);
    CHECK(!x.span[0] && x.span[1] == id && !x.span[2]);
    recording_end(&r);
}

static __attribute__((noinline)) size_t where_am_i(char *room, size_t size)
{
    return oriel_backtrace(room, size).n;
}

TEST(a_backtrace_is_text_of_a_line_for_each_caller_and_fits_its_room)
{
    char room[4096], little[16];
    size_t n = where_am_i(room, sizeof room);
    REQUIRE(n > 0 && n < sizeof room);
    CHECK(memchr(room, '\n', n) != NULL);
    CHECK(room[n - 1] == '\n');
    CHECK(memmem(room, n, "0x", 2) != NULL);
    CHECK(where_am_i(little, sizeof little) <= sizeof little);
    CHECK_EQ(where_am_i(little, 0), 0);
}

struct links {
    uint64_t opened, ids[4];
    unsigned count;
};
static void keep_links(void *user, const struct model_record *m)
{
    struct links *l = user;
    if (m->type == ORIEL_REC_OPEN)
        l->opened = m->raw_id;
    if (m->type == ORIEL_REC_LINK && m->raw_id == l->opened && l->count < 4)
        l->ids[l->count++] = m->raw[5];
}

TEST(links_said_when_a_span_is_opened_follow_it_in_their_order)
{
    struct links l = {0};
    struct recording r = {.on_record = keep_links, .user = &l};
    struct oriel_context causes[3] = {{.flags = 1}, {.flags = 1}, {.flags = 1}};
    for (unsigned i = 0; i < 3; i++) {
        memcpy(causes[i].trace_id, trace_id, sizeof trace_id);
        causes[i].span_id[0] = (uint8_t)(9 - i);
    }
    recording_begin(&r, NULL);
    struct oriel_span s = ORIEL_OPEN_LINKED("batch", causes, 3, ORIEL_ROOT, "messages", 3);
    CHECK(oriel_span_recording(&s));
    oriel_span_close(&s);
    CHECK_EQ(oriel_filter("off"), 0);
    struct oriel_span off = ORIEL_OPEN_LINKED("batch", causes, 3, ORIEL_ROOT);
    CHECK_EQ(off.id, 0);
    CHECK_EQ(oriel_filter(NULL), 0);
    recording_read(&r, true);
    REQUIRE(l.count == 3);
    for (unsigned i = 0; i < 3; i++)
        CHECK(l.ids[i] == 9 - i);
    recording_end(&r);
}

TEST(a_thread_is_called_what_it_calls_itself)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    ORIEL_EVENT("first");
    oriel_thread_name("a name that is much longer than the block has room for");
    CHECK_STR(oriel_tls.thread->name, "a name that is much longer than");
    oriel_thread_name(NULL);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_THREAD], 2);
    REQUIRE(r.catalog.thread_count == 1);
    CHECK_EQ(r.catalog.threads[0]->name.n, 54);
    recording_end(&r);
}

/* ---- no room, no block, nobody there ---- */

static struct oriel_span never;

static void say_all(void)
{
    struct oriel_value v[2];
    give(v, 1, "x", 1);
    struct oriel_scope scope = oriel_abi_begin(2u << 16, v, 2);
    CHECK_EQ(scope.id, 0);
    oriel_abi_end(&scope);
    oriel_abi_event(2u << 16, 5, v, 2);
    oriel_abi_set(2u << 16, 5, v, 2);
    oriel_abi_external(2u << 16, 1, 2, NULL, v, 2);
    CHECK_EQ(oriel_abi_open(2u << 16, NULL, v, 2).id, 0);
    never = (struct oriel_span){5, 1, 2, 2, 0};
    struct oriel_guard g = oriel_span_enter(&never), c = oriel_context_attach(trace_id, span_id, 1);
    CHECK(g.flags == 0 && c.flags == 0);
    g.flags = c.flags = 1; /* as if they had been made before */
    oriel_span_exit(&g);
    oriel_context_detach(&c);
    say_everything_about(&never, &never);
    oriel_span_close(&never);
    oriel_thread_name("nobody");
    oriel_trigger(NULL);
}

TEST(everything_may_be_said_when_nobody_records)
{
    uint64_t lost[8] = {1};
    say_all();
    oriel_lost(lost);
    CHECK_EQ(lost[0], 0);
    CHECK(!oriel_enabled());
    CHECK(strlen(oriel_version()) > 0);
    CHECK_EQ(oriel_attach(NULL), ORIEL_EINVAL);
}

TEST(everything_that_finds_no_block_is_counted)
{
    struct region_options o = {.threads = 1};
    struct recording r = {0};
    recording_begin(&r, &o);
    wire_region_thread(&rec_runtime.header, rec_runtime.base, 0)->state =
        wire_claim(ORIEL_THREAD_CLAIMED, 1); /* somebody else's for good */
    say_all();
    CHECK_EQ(rec_runtime.shared->lost[ORIEL_LOST_NO_THREAD], 17);
    CHECK_EQ(rec_runtime.shared->trigger, 1);
    recording_end(&r);
}

TEST(a_record_larger_than_any_is_counted_as_such)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    ORIEL_EVENT("first");
    struct oriel_emit e = oriel_emit_start(ORIEL_RECORD_MAX_BYTES * 2);
    CHECK(e.words == NULL);
    ORIEL_EVENT("second"); /* the gate is open again */
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 2);
    CHECK_EQ(r.lost[ORIEL_LOST_TOO_LARGE], 1);
    recording_end(&r);
}

TEST(an_emit_inside_an_emit_inside_an_emit_is_counted)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    struct oriel_emit first = oriel_emit_start(16), second = oriel_emit_start(16);
    REQUIRE(first.words && second.words && first.thread != second.thread);
    CHECK_EQ(second.thread->primary, first.thread->serial);
    CHECK(oriel_emit_start(16).words == NULL);
    CHECK_EQ(first.thread->lost[ORIEL_LOST_NESTED], 1);
    rec_thread_local.setting_up = 1; /* as in a handler during the first record */
    CHECK(!rec_thread_setup());
    rec_thread_local.setting_up = 0;
    recording_end(&r);
}

TEST(the_end_of_a_span_that_finds_no_room_still_leaves_the_stack)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    {
        ORIEL_SPAN("outer");
        CHECK_EQ(oriel_tls.thread->stack_bytes, ORIEL_STACK_ENTRY);
        oriel_abi_end_lost(0);
        CHECK_EQ(oriel_tls.thread->stack_bytes, 0);
        oriel_abi_end_lost(0);
        CHECK_EQ(oriel_tls.thread->stack_bytes, 0);
    }
    recording_end(&r);
}

/* ---- sites ---- */

TEST(a_site_seen_late_records_and_keeps_what_tools_put_there)
{
    static oriel_word word = ORIEL_SITE_UNSEEN << ORIEL_WORD_ID_SHIFT | 3; /* 3 tools watch */
    static struct oriel_module module = {.abi_version = ORIEL_ABI_VERSION};
    static struct oriel_site_node node = {{ORIEL_ABI_VERSION, ORIEL_SITE_EVENT, ORIEL_LEVEL_INFO, 1,
                                           0, 0, "late", "emit.test", "x.cc", "f", NULL, NULL,
                                           &word},
                                          NULL,
                                          &module};
    struct recording r = {0};
    recording_begin(&r, NULL);
    oriel_module_register(&module);
    oriel_word now = oriel_site_seen(&node);
    CHECK(ORIEL_RECORDED(now) >= ORIEL_SITE_ID_FIRST);
    CHECK_EQ(now & 0xffff, 3);
    CHECK_EQ(oriel_site_seen(&node), now);
    CHECK_EQ(oriel_filter("emit.test=off"), 0);
    CHECK_EQ(word, 3);
    CHECK_EQ(oriel_filter(NULL), 0);
    CHECK_EQ(word, now); /* the same number as before */
    oriel_module_unregister(&module);
    recording_end(&r);
}

/* What inline code does, by several threads at once, while somebody switches. */
enum { FIRST_HITS = 200, HITTERS = 4 };
static oriel_word first_words[FIRST_HITS];
static struct oriel_site_node first_nodes[FIRST_HITS];
static uint32_t first_next, first_off; /* atomic */

static void *hit_first(void *arg)
{
    (void)arg;
    for (uint32_t n = 0; n < FIRST_HITS; n++) {
        __atomic_fetch_add(&first_next, 1, __ATOMIC_ACQ_REL);
        while (__atomic_load_n(&first_next, __ATOMIC_ACQUIRE) < (n + 1) * HITTERS)
            os_yield();
        for (int again = 0; again < 3; again++) {
            oriel_word word = __atomic_load_n(&first_words[n], __ATOMIC_RELAXED);
            if (ORIEL_RECORDED(word) == ORIEL_SITE_UNSEEN)
                word = oriel_site_seen(&first_nodes[n]);
            if (ORIEL_RECORDED(word) < ORIEL_SITE_ID_FIRST)
                __atomic_fetch_add(&first_off, 1, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

TEST(threads_that_meet_at_a_first_hit_never_find_the_site_off)
{
    static struct oriel_module module = {.abi_version = ORIEL_ABI_VERSION};
    pthread_t hitters[HITTERS];
    struct recording r = {0};
    recording_begin(&r, NULL);
    oriel_module_register(&module);
    for (uint32_t i = 0; i < FIRST_HITS; i++) {
        first_words[i] = ORIEL_SITE_UNSEEN << ORIEL_WORD_ID_SHIFT;
        first_nodes[i] = (struct oriel_site_node){{ORIEL_ABI_VERSION, ORIEL_SITE_EVENT,
                                                   ORIEL_LEVEL_INFO, i, 0, 0, "first", "emit.test",
                                                   "x.cc", "f", NULL, NULL, &first_words[i]},
                                                  NULL,
                                                  &module};
    }
    for (int i = 0; i < HITTERS; i++)
        REQUIRE(pthread_create(&hitters[i], NULL, hit_first, NULL) == 0);
    /* Directives that leave these sites on: they never read as off meanwhile. */
    while (__atomic_load_n(&first_next, __ATOMIC_ACQUIRE) < FIRST_HITS * HITTERS) {
        REQUIRE(oriel_filter("emit.test=info") == 0);
        os_yield();
        REQUIRE(oriel_filter("emit.test=trace") == 0);
        os_yield();
    }
    for (int i = 0; i < HITTERS; i++)
        pthread_join(hitters[i], NULL);
    CHECK_EQ(first_off, 0);
    CHECK_EQ(oriel_filter("emit.test=off"), 0);
    for (uint32_t i = 0; i < FIRST_HITS; i++)
        CHECK_EQ(first_words[i], 0); /* each is in the module's list, the last directives hold */
    CHECK_EQ(oriel_filter(NULL), 0);
    oriel_module_unregister(&module);
    recording_end(&r);
}

TEST(sites_beyond_the_log_or_the_numbers_stay_off)
{
    struct oriel_site odd = {.abi_version = 99, .word = &words[0]};
    struct oriel_module foreign = {.abi_version = 99};
    struct recording r = {0};
    recording_begin(&r, NULL);
    CHECK_EQ(oriel_site_new(&odd), ORIEL_EINVAL);
    CHECK_EQ(oriel_site_new(NULL), ORIEL_EINVAL);
    oriel_module_register(&foreign);
    CHECK_EQ(foreign.state, 0);
    rec_runtime.shared->meta_head = rec_runtime.header.meta_bytes;
    CHECK_EQ(ORIEL_RECORDED(site(1, ORIEL_SITE_EVENT)), 0); /* the log is full */
    rec_runtime.shared->meta_head = 0;
    rec_process_self()->next_site = ORIEL_SITE_ID_MAX + 1;
    struct oriel_site late = {.abi_version = ORIEL_ABI_VERSION,
                              .kind = ORIEL_SITE_EVENT,
                              .level = ORIEL_LEVEL_INFO,
                              .name = "late",
                              .word = &words[2]};
    CHECK_EQ(oriel_site_new(&late), ORIEL_ELIMIT);
    CHECK_EQ(ORIEL_RECORDED(words[2]), 0);
    recording_end(&r);
}

TEST_MAIN()
