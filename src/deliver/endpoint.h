/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where requests go, from the text of an endpoint: host and path apart, user and
 * password made a header, and a name for it that can be told. Pure; any thread.
 */
#ifndef ORIEL_DELIVER_ENDPOINT_H
#define ORIEL_DELIVER_ENDPOINT_H

#include <stdbool.h>

#include "base/err.h"
#include "util/http.h"

enum { ENDPOINT_PATH_MAX = 1024 };

struct endpoint {
    struct http_url url;           /* unix: its path is that of the socket */
    char base[ENDPOINT_PATH_MAX];  /* of requests: begins with /, no query */
    char query[ENDPOINT_PATH_MAX]; /* "" or from the ? on */
    char authority[300];
    char shown[400];     /* "http://host:4318": no path, no secret */
    char *authorization; /* "Basic ...", NULL: none. Secret */
};
/* ORIEL_EINVAL with a line that holds no secret; ORIEL_ENOMEM. `authorization` is the caller's
 * to wipe and free. */
int endpoint_read(struct endpoint *out, const char *text, struct oriel_err *err);
/* The target of requests; `append` NULL: the path as it is. ORIEL_EINVAL: too long. */
int endpoint_target(const struct endpoint *e, const char *append, char out[ENDPOINT_PATH_MAX],
                    struct oriel_err *err);
/* One connection can serve both. */
bool endpoint_same_host(const struct endpoint *a, const struct endpoint *b);
/* Whether nobody but this machine hears what is said there without TLS. */
bool endpoint_is_here(const struct endpoint *e);

#endif
