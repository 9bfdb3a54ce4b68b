/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The JSON that the suite toml-test speaks: {"type": "integer", "value": "42"}
 * for each plain value, objects for tables, arrays for arrays. Members sorted
 * by key, so that two readers say the same text. For tests only.
 */
#ifndef ORIEL_TEST_TAGGED_H
#define ORIEL_TEST_TAGGED_H

#include "util/json.h"
#include "util/toml.h"

void tagged_string(struct json *j, const char *p, size_t n);
void tagged_integer(struct json *j, int64_t v);
void tagged_float(struct json *j, double v);
void tagged_bool(struct json *j, bool v);
void tagged_time(struct json *j, enum toml_type type, const struct toml_time *t);
void tagged_value(struct json *j, const struct toml_value *v);

/* A tree out of such JSON; NULL where it is none. */
struct toml_value *tagged_read(struct arena *arena, const struct json_value *from);

#endif
