/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * OTLP files as a source, for its table and its tests. One thread.
 */
#ifndef ORIEL_SOURCE_OTLP_FILE_H
#define ORIEL_SOURCE_OTLP_FILE_H

#include "source/otlp/otlp.h"

struct otlp_file {
    struct model_catalog *catalog;
    const char *text, *at, *end; /* of the file; where the next request begins */
    bool protobuf, one_document, open;
    enum otlp_signal signal; /* of a protobuf file */
    struct otlp_tell tell;
    struct otlp_decode decode;
    struct buf request; /* in protobuf */
    struct source_damage damage;
};

extern const struct source source_otlp;

int otlp_file_open(void *state, const struct source_bytes *file, struct model_catalog *catalog,
                   struct oriel_err *err);
int otlp_file_poll(void *state, struct model_batch *batch, size_t max_records,
                   struct oriel_err *err);
void otlp_file_close(void *state);

#endif
