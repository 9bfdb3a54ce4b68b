/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A capture that is open already, for source/file: what the reader of a foreign
 * file made of it.
 */
#ifndef ORIEL_SOURCE_FILE_OPTIONS_H
#define ORIEL_SOURCE_FILE_OPTIONS_H

#include "source/source.h"

struct file_options {
    int fd;           /* can be read at any offset; taken in every case */
    const char *path; /* for lines about it */
};

extern const struct source source_file;

#endif
