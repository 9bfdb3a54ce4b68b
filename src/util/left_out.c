/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list of what is left out, as CMake made it.
 */
#include "util/left_out.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const struct left_out left_out_rows[] = {
#define LEFT_OUT(list, name, component) {#list, #name, #component},
#include "util/left_out.def"
#undef LEFT_OUT
    {NULL, NULL, NULL},
};

const char *left_out_find(const char *list, const char *name, size_t n, char *why)
{
    for (const struct left_out *r = left_out_rows; r->list; r++)
        if (strcmp(r->list, list) == 0 && strlen(r->name) == n && memcmp(r->name, name, n) == 0) {
            if (why)
                snprintf(why, LEFT_OUT_WHY_BYTES, "this build was made without %s" LEFT_OUT_ADVICE,
                         r->component);
            return r->component;
        }
    return NULL;
}

const char *left_out_first(const char *list)
{
    for (const struct left_out *r = left_out_rows; r->list; r++)
        if (strcmp(r->list, list) == 0)
            return r->component;
    return NULL;
}

static bool is_first_of_its(const struct left_out *row)
{
    for (const struct left_out *r = left_out_rows; r < row; r++)
        if (strcmp(r->component, row->component) == 0)
            return false;
    return true;
}

const char *left_out_component(size_t i)
{
    for (const struct left_out *r = left_out_rows; r->list; r++)
        if (is_first_of_its(r) && i-- == 0)
            return r->component;
    return NULL;
}
