/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program with an exporter of its own and one in memory, by the installed headers
 * and libraries alone. Prints what they got, line by line.
 */
#include <stdio.h>

#define ORIEL_TARGET "exporting"
#include <oriel/exporter.h>
#include <oriel/oriel.h>

static int take(void *user, const struct oriel_view_span *const *spans, size_t count,
                unsigned timeout_ms)
{
    (void)timeout_ms;
    for (size_t i = 0; i < count; i++) {
        const struct oriel_view_attribute *n =
            oriel_view_find(spans[i]->attributes, spans[i]->attribute_count, "n");
        fprintf(user, "mine %s n=%lld of %s\n", spans[i]->name, n ? (long long)n->v.i64 : -1,
                spans[i]->scope->name);
    }
    return 0;
}

static int end(void *user, unsigned timeout_ms)
{
    (void)timeout_ms;
    fputs("mine ends\n", user);
    return 0;
}

int main(void)
{
    const struct oriel_exporter mine = {
        .size = sizeof mine, .name = "mine", .user = stdout, .export_spans = take, .shutdown = end};
    const char *const settings[] = {"backend=program", NULL};
    const struct oriel_options options = {.size = sizeof options, .settings = settings};
    const struct oriel_view_span *spans[8];
    const struct oriel_view_log *logs[8];
    struct oriel_memory *memory = oriel_memory_new(8);
    if (oriel_exporter_add(&mine) != 0 || oriel_memory_add(memory) != 0 ||
        oriel_start(&options) != 0)
        return 1;
    {
        ORIEL_SPAN("exported", "n", 7);
        ORIEL_INFO("told");
    }
    int rc = oriel_flush(600000);
    const size_t n = oriel_memory_spans(memory, spans, 8), m = oriel_memory_logs(memory, logs, 8);
    printf("flush %d: memory has %zu %s, %zu %s, dropped %llu\n", rc, n, n ? spans[0]->name : "", m,
           m ? logs[0]->body : "", (unsigned long long)oriel_memory_dropped(memory));
    oriel_memory_reset(memory);
    printf("memory has %zu\n", oriel_memory_spans(memory, spans, 8));
    printf("free at work: %d\n", oriel_memory_free(memory));
    printf("stop %d\n", oriel_stop(600000));
    printf("free: %d\n", oriel_memory_free(memory));
    printf("remove: %d\n", oriel_exporter_remove("mine"));
    return 0;
}
