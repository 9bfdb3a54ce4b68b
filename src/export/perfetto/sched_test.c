/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What waits tell of CPUs, read back event by event: every CPU's story must be
 * one piece, or Perfetto refuses it.
 */
#include "export/perfetto/perfetto.h"
#include "export/test_samples.h"

extern const struct exporter export_perfetto;

static const struct perfetto_options defaults = {true, true};

struct told {
    uint64_t t_ns, cpu, prev, next, state, woken, by;
    bool is_switch, is_waking;
};

/* The number `wanted` of a message; 0: it has none. */
static uint64_t number(struct pb_reader r, uint32_t wanted)
{
    struct pb_field f;
    uint64_t n = 0;
    while (pb_next(&r, &f))
        n = f.number == wanted ? f.value : n;
    return n;
}

static bool nested(struct pb_reader r, uint32_t wanted, struct pb_reader *out)
{
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (f.number != wanted)
            continue;
        *out = pb_read_nested(&f);
        return true;
    }
    return false;
}

static size_t read_all(const struct fixture *f, struct told *out, size_t max)
{
    struct pb_reader trace = pb_read(f->bytes.data, f->bytes.size), bundle, event, what;
    struct pb_field packet;
    size_t n = 0;
    while (pb_next(&trace, &packet)) {
        if (!nested(pb_read_nested(&packet), 1, &bundle) || !nested(bundle, 2, &event))
            continue;
        REQUIRE(n < max);
        struct told *t = &out[n++];
        *t = (struct told){.t_ns = number(event, 1), .cpu = number(bundle, 1)};
        t->by = number(event, 2);
        t->is_switch = nested(event, 4, &what);
        if (t->is_switch) {
            t->prev = number(what, 2);
            t->state = number(what, 4);
            t->next = number(what, 6);
        }
        t->is_waking = nested(event, 20, &what);
        t->woken = t->is_waking ? number(what, 2) : 0;
    }
    return n;
}

static uint64_t cpus(uint64_t off, uint64_t on)
{
    return (on + 1) << 16 | (off + 1) << 32;
}

static void add(struct fixture *f, const struct model_thread *t, uint8_t kind, uint64_t at,
                uint64_t ns, uint64_t extra)
{
    struct model_sample *s = samples_add(f, t, kind, 0, ns);
    s->t_ns = FIXTURE_START + at;
    s->extra = extra;
}

TEST(a_wait_is_a_switch_away_a_wake_up_and_a_switch_back)
{
    struct fixture f;
    struct told t[16];
    fixture_init(&f);
    uint64_t worker = (uint64_t)f.worker->tid, main = (uint64_t)f.main->tid;
    add(&f, f.main, ORIEL_SAMPLE_WAKE, 900, 800, worker);
    add(&f, f.worker, ORIEL_SAMPLE_OFF_CPU, 1000, 800, cpus(0, 1) | ORIEL_WAIT_WOKEN);
    add(&f, f.worker, ORIEL_SAMPLE_PREEMPTED, 1000, 100, cpus(0, 1) | ORIEL_WAIT_WOKEN);
    fixture_run(&f, &export_perfetto, &defaults);
    REQUIRE(read_all(&f, t, 16) == 4);
    /* It was there before: nobody had said so. */
    CHECK(t[0].is_switch && t[0].cpu == 0 && t[0].prev == 0 && t[0].next == worker);
    CHECK(t[1].is_switch && t[1].prev == worker && t[1].next == 0 && t[1].state == 1);
    CHECK_EQ(t[1].t_ns, FIXTURE_START + 100);
    CHECK(t[2].is_waking && t[2].woken == worker && t[2].by == main);
    CHECK_EQ(t[2].t_ns, FIXTURE_START + 900);
    CHECK(t[3].is_switch && t[3].cpu == 1 && t[3].next == worker);
    CHECK_EQ(t[3].t_ns, FIXTURE_START + 1000);
    fixture_done(&f);
}

TEST(what_was_counted_together_is_not_on_the_timeline)
{
    struct fixture f;
    struct told t[4];
    fixture_init(&f);
    add(&f, f.worker, ORIEL_SAMPLE_OFF_CPU, 1000, 800, cpus(0, 0) | ORIEL_WAIT_SHARED);
    add(&f, f.worker, ORIEL_SAMPLE_WAKE, 1000, 800, 1 | ORIEL_WAIT_SHARED);
    add(&f, f.worker, ORIEL_SAMPLE_OFF_CPU, 1000, 800, 0); /* CPUs unknown */
    fixture_run(&f, &export_perfetto, &defaults);
    CHECK_EQ(read_all(&f, t, 4), 0);
    fixture_done(&f);
}

TEST(the_story_of_a_cpu_is_one_piece_whatever_is_missing)
{
    enum { MOST = 4096 };
    static struct told t[MOST];
    uint64_t on[2] = {0, 0}, last = 0;
    struct fixture f;
    fixture_init(&f);
    srand(11);
    for (uint64_t at = 1000; at < 200000; at += 500) {
        const struct model_thread *thread = rand() % 2 ? f.worker : f.main;
        uint64_t pushed = (uint64_t)(rand() % 2), ns = (uint64_t)(rand() % 900);
        add(&f, thread, pushed ? ORIEL_SAMPLE_PREEMPTED : ORIEL_SAMPLE_OFF_CPU, at, ns,
            cpus((uint64_t)(rand() % 2), (uint64_t)(rand() % 2)));
    }
    fixture_run(&f, &export_perfetto, &defaults);
    size_t n = read_all(&f, t, MOST);
    CHECK(n > 400);
    for (size_t i = 0; i < n; i++) {
        REQUIRE(t[i].is_switch && t[i].cpu < 2);
        CHECK_EQ(t[i].prev, on[t[i].cpu]);
        CHECK(t[i].t_ns >= last);
        on[t[i].cpu] = t[i].next;
        last = t[i].t_ns;
    }
    fixture_done(&f);
}

TEST_MAIN()
