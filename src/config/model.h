/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * OpenTelemetry's declarative configuration as a model: read, looked into, changed. What
 * telemetry takes of it is config_load's to say (struct config_input). One thread
 * per model.
 */
#ifndef ORIEL_CONFIG_MODEL_H
#define ORIEL_CONFIG_MODEL_H

#include "base/err.h"
#include "base/mem.h"
#include "util/yaml.h"

struct config_model;
/* References are replaced out of `environment`. 0; ORIEL_EFORMAT, ORIEL_ELIMIT, ORIEL_EUNSUPPORTED
 * as yaml_read, or for a file_format that is not known; ORIEL_ENOMEM; with a line. */
int config_model_parse(struct config_model **out, const char *name, const char *text, size_t n,
                       const char *const *environment, struct oriel_err *err);
void config_model_free(struct config_model *m); /* takes NULL */
const struct yaml_value *config_model_root(const struct config_model *m);
/* "tracer_provider.processors.0.batch": names of tables, numbers in lists; "" is the root itself.
 * NULL: there is none. */
const struct yaml_value *config_model_at(const struct yaml_value *root, const char *path);
/* Neither a table nor a list. */
bool config_model_scalar(const struct yaml_value *v);
/* What stands at a path becomes this YAML, also one that was not there: in a table, or behind the
 * last of a list. References are not replaced here. 0; ORIEL_EINVAL (no such place), and as
 * config_model_parse, with a line. */
int config_model_set(struct config_model *m, const char *path, const char *text,
                     struct oriel_err *err);
/* NULL: no memory. */
struct yaml_value *config_model_copy(struct arena *arena, const struct yaml_value *from);

#endif
