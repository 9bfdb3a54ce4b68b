/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The command that the suite toml-test runs for each of its cases:
 *   peer decode   TOML on standard input, tagged JSON on standard output
 *   peer encode   the other way round
 * Exit 1, with what is wrong on standard error, for what is not TOML.
 */
#include <stdio.h>
#include <unistd.h>

#include "tagged.h"

static void read_all(struct buf *b)
{
    char part[65536];
    for (ssize_t n; (n = read(0, part, sizeof part)) > 0;)
        buf_put(b, part, (size_t)n);
}

static int decode(struct arena *arena, struct buf *in, struct buf *out, struct oriel_err *err)
{
    struct toml_doc *doc;
    struct json j;
    int rc = toml_read(arena, buf_cstr(in), in->size, NULL, &doc, err);
    if (rc != 0)
        return rc;
    json_init(&j, out);
    tagged_value(&j, doc->root);
    return 0;
}

static int encode(struct arena *arena, struct buf *in, struct buf *out, struct oriel_err *err)
{
    struct json_value *from;
    int rc = json_read(arena, buf_cstr(in), in->size, NULL, &from, err);
    if (rc != 0)
        return rc;
    struct toml_value *root = tagged_read(arena, from);
    if (!root || root->type != TOML_TABLE)
        return err_set(err, ORIEL_EFORMAT, "this is not the JSON of a table");
    toml_write(out, root);
    return 0;
}

int main(int argc, char **argv)
{
    struct oriel_err err = {0};
    struct arena arena;
    struct buf in, out;
    arena_init(&arena);
    buf_init(&in);
    buf_init(&out);
    read_all(&in);
    bool writes = argc == 2 && strcmp(argv[1], "encode") == 0;
    int rc = writes ? encode(&arena, &in, &out, &err) : decode(&arena, &in, &out, &err);
    if (rc == 0 && out.failed)
        rc = err_set(&err, ORIEL_ENOMEM, "out of memory, or nested too deeply for JSON");
    if (rc != 0)
        fprintf(stderr, "%s\n", err.text);
    else
        fwrite(out.data, 1, out.size, stdout);
    buf_done(&in);
    buf_done(&out);
    arena_done(&arena);
    return rc == 0 ? 0 : 1;
}
