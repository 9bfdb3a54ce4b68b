/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Says a span and a log record to the receiver of argv[1] (with an argv[2] without a name of
 * its own), flushes, tells what came of
 * it and which service it is, and waits for a line, so that the test can look at what has arrived
 * until then.
 */
#include <stdio.h>

#include <oriel/oriel.h>

int main(int argc, char **argv)
{
    char endpoint[256];
    if (argc < 2 ||
        snprintf(endpoint, sizeof endpoint, "otlp_endpoint=%s", argv[1]) >= (int)sizeof endpoint)
        return 2;
    /* Nothing goes out by itself: the delays are an hour. */
    const char *const settings[] = {"backend=otlp",
                                    endpoint,
                                    "otlp_protocol=http/json",
                                    "batch.spans_delay_ms=3600000",
                                    "batch.logs_delay_ms=3600000",
                                    NULL};
    const struct oriel_options options = {
        .size = sizeof options, .service_name = argc > 2 ? NULL : "flushing", .settings = settings};
    int rc = oriel_start(&options);
    if (rc == 0) {
        {
            ORIEL_SPAN("flushed span");
            ORIEL_INFO("flushed log");
        }
        rc = oriel_flush(60000);
    }
    char service[64] = "";
    (void)oriel_resource_get("service.name", service, sizeof service);
    printf("%d\n%s\n", rc, service);
    fflush(stdout);
    (void)getchar();
    oriel_stop(5000);
    return 0;
}
