/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a program holds as struct oriel_config: a model of its own, or a part of one
 * for the time of a call (properties of a component). Seen by the session only.
 */
#ifndef ORIEL_SESSION_PROGRAM_CONFIG_H
#define ORIEL_SESSION_PROGRAM_CONFIG_H

#include <oriel/config.h>

#include "config/model.h"

struct oriel_config {
    struct config_model *model; /* NULL: a part, which is only read */
    const struct yaml_value *root;
};

#endif
