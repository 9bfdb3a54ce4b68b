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

#endif
