/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * pprof outlet, inside: profile.proto, gzipped.
 *
 *   pprof.c    options, rows summed up while items come, the file at the end
 *   message.c  rows, places and modules as one Profile message
 *
 * Memory grows with what is different, not with how many samples there are.
 * Runs on one thread.
 */
#ifndef ORIEL_EXPORT_PPROF_PPROF_H
#define ORIEL_EXPORT_PPROF_PPROF_H

#include <stdbool.h>
#include <stdint.h>

#include "export/exporter.h"
#include "model/profile.h"

struct pprof_options {
    int kind;   /* enum oriel_sample_kind; 0 all */
    bool spans; /* keep rows by span and label them with its ids */
    bool gzip;
};

/* Field numbers of profile.proto; what is not here is not written. */
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING = 6,
    PROFILE_TIME = 9,
    PROFILE_DURATION = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_COMMENT = 13,
    PROFILE_DEFAULT_TYPE = 14,

    VALUE_TYPE = 1,
    VALUE_UNIT = 2,
    SAMPLE_LOCATION = 1,
    SAMPLE_VALUE = 2,
    SAMPLE_LABEL = 3,
    LABEL_KEY = 1,
    LABEL_TEXT = 2,
    LABEL_NUMBER = 3,
    MAPPING_ID = 1,
    MAPPING_FILE = 5,
    MAPPING_BUILD_ID = 6,
    MAPPING_HAS_FUNCTIONS = 7,
    MAPPING_HAS_INLINES = 10,
    LOCATION_ID = 1,
    LOCATION_MAPPING = 2,
    LOCATION_ADDRESS = 3,
    LOCATION_LINE = 4,
    LINE_FUNCTION = 1,
    LINE_LINE = 2,
    LINE_COLUMN = 3,
    FUNCTION_ID = 1,
    FUNCTION_NAME = 2,
    FUNCTION_SYSTEM_NAME = 3,
    FUNCTION_FILE = 4,
    FUNCTION_START = 5
};

struct pprof {
    struct export_env env;
    struct pprof_options options;
    struct model_profile profile;
    uint64_t missed; /* samples that could not be taken in or written */
};

/* The whole message appended to `out`. 0 or ORIEL_ENOMEM. */
int pprof_put(const struct pprof *p, const struct export_summary *end, struct buf *out);

#endif
