/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Parse and Create of the declarative configuration, by a program: the file of argv[1]
 * as a model, which is changed; a component of the program that it names; providers
 * and propagators that come of it, and what is said through them.
 */
#include <stdio.h>
#include <string.h>

#include <oriel/config.h>
#include <oriel/oriel.h>

static int take_spans(void *user, const struct oriel_view_span *const *spans, size_t count,
                      unsigned timeout_ms)
{
    (void)timeout_ms;
    for (size_t i = 0; i < count; i++)
        printf("%s: span %s of %s\n", (char *)user, spans[i]->name, spans[i]->scope->name);
    return 0;
}

static int take_logs(void *user, const struct oriel_view_log *const *logs, size_t count,
                     unsigned timeout_ms)
{
    (void)timeout_ms;
    for (size_t i = 0; i < count; i++)
        if (!(logs[i]->flags & ORIEL_VIEW_SEEN))
            printf("%s: log %s \"%s\" of %s\n", (char *)user, logs[i]->severity_text, logs[i]->body,
                   logs[i]->scope->name);
    return 0;
}

static int end(void *user, unsigned timeout_ms)
{
    (void)timeout_ms;
    printf("%s ends\n", (char *)user);
    return 0;
}

static int create(void *user, unsigned kind, const struct oriel_config *properties,
                  struct oriel_exporter *out)
{
    static char names[2][64];
    char *name = names[kind == ORIEL_COMPONENT_LOG_EXPORTER];
    (void)user;
    snprintf(name, sizeof names[0], "%s", oriel_config_get(properties, "label"));
    printf("create %s: %s, first of %s\n", kind == ORIEL_COMPONENT_LOG_EXPORTER ? "logs" : "spans",
           name, oriel_config_get(properties, "list.0"));
    if (oriel_config_set((struct oriel_config *)properties, "label", "x") == 0)
        return -1;
    out->user = name;
    out->export_spans = take_spans;
    out->export_logs = take_logs;
    out->shutdown = end;
    return 0;
}

static int set_header(void *carrier, const char *name, const char *value, size_t bytes)
{
    (void)carrier;
    (void)value;
    printf("header %s of %zu bytes\n", name, bytes);
    return 0;
}

static void say(const struct oriel_sdk *sdk)
{
    struct oriel_tracer *tracer = oriel_tracer_get(sdk->tracer_provider, "shop.cart");
    struct oriel_logger *logger = oriel_logger_get(sdk->logger_provider, "shop.log");
    const struct oriel_setter setter = {.set = set_header};
    char name[16] = "made at run ti";
    strcat(name, "m");
    struct oriel_span outer = oriel_tracer_open(tracer, name, NULL);
    struct oriel_guard guard = oriel_span_enter(&outer);
    struct oriel_span inner = oriel_tracer_open(tracer, "inner", NULL);
    oriel_logger_emit(logger, ORIEL_LEVEL_WARN, "sold out");
    (void)oriel_inject(&sdk->propagators, NULL, &setter, NULL);
    oriel_span_close(&inner);
    oriel_span_exit(&guard);
    oriel_span_close(&outer);
    printf("flush %d\n", oriel_tracer_provider_flush(sdk->tracer_provider, 600000));
    printf("shutdown of spans %d\n", oriel_tracer_provider_shutdown(sdk->tracer_provider, 600000));
    printf("again %d\n", oriel_tracer_provider_shutdown(sdk->tracer_provider, 600000));
    struct oriel_span late = oriel_tracer_open(tracer, "late", NULL);
    printf("late span: %s\n", late.id ? "recorded" : "not recorded");
    oriel_logger_emit(logger, ORIEL_LEVEL_INFO, "logs go on");
    printf("flush %d\n", oriel_logger_provider_flush(sdk->logger_provider, 600000));
    printf("shutdown of logs %d\n", oriel_logger_provider_shutdown(sdk->logger_provider, 600000));
    printf("on: %d\n", oriel_enabled());
}

int main(int argc, char **argv)
{
    const struct oriel_component mine = {.size = sizeof mine,
                                         .kinds = ORIEL_COMPONENT_SPAN_EXPORTER |
                                                  ORIEL_COMPONENT_LOG_EXPORTER,
                                         .name = "mine",
                                         .create = create};
    struct oriel_config *config;
    struct oriel_sdk sdk = {.size = sizeof sdk};
    char why[256] = "";
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 2)
        return 2;
    printf("register %d\n", oriel_component_register(&mine));
    printf("again %d\n", oriel_component_register(&mine));
    int rc = oriel_config_parse_text(&config, "wrong", "file_format: 7", 14, why, sizeof why);
    printf("wrong: %d %s\n", rc, why);
    if ((rc = oriel_config_parse(&config, argv[1], why, sizeof why)) != 0) {
        printf("parse: %d %s\n", rc, why);
        return 1;
    }
    printf("model: %s, label %s\n", oriel_config_name(config, "", 0),
           oriel_config_get(config, "tracer_provider.processors.0.batch.exporter.mine.label"));
    (void)oriel_config_set(config, "tracer_provider.processors.0.batch.exporter.mine.label",
                           "ours");
    rc = oriel_config_create(config, &sdk);
    printf("create %d, twice %d\n", rc, rc == 0 ? oriel_config_create(config, &sdk) : 0);
    oriel_config_free(config);
    if (rc == 0)
        say(&sdk);
    return rc != 0;
}
