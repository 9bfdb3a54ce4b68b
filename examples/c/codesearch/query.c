/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Answering: the best files for all words given.
 */
#define ORIEL_TARGET "codesearch.query"
#include "codesearch.h"

#include <ctype.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include <oriel/oriel.h>

/* Words as an FTS5 expression: each quoted, all required. */
static int expression(char *out, size_t n, char **words, int count)
{
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        if (used + 2 * strlen(words[i]) + 4 > n)
            return -1;
        if (i)
            out[used++] = ' ';
        out[used++] = '"';
        for (const char *p = words[i]; *p; p++) {
            if (*p == '"')
                out[used++] = '"';
            out[used++] = (char)tolower((unsigned char)*p);
        }
        out[used++] = '"';
    }
    out[used] = 0;
    return 0;
}

int query(const char *db_path, char **words, int count, int limit)
{
    static const char sql[] = "SELECT file.path FROM code JOIN file ON file.id = code.rowid"
                              " WHERE code MATCH ?1 ORDER BY rank LIMIT ?2";
    char match[4096];
    ORIEL_SPAN("query", "words", count, ORIEL_ARG("first", words[0]));
    if (expression(match, sizeof match, words, count) != 0) {
        fprintf(stderr, "codesearch: the query is too long: 4,000 characters at most\n");
        return -1;
    }
    sqlite3 *db = db_open(db_path, false);
    sqlite3_stmt *s = NULL;
    if (!db)
        return -1;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) {
        fprintf(stderr, "codesearch: %s: %s\n", db_path, sqlite3_errmsg(db));
        sqlite3_close(db);
        return -1;
    }
    sqlite3_bind_text(s, 1, match, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, limit);
    int found = 0, rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        printf("%s\n", (const char *)sqlite3_column_text(s, 0));
        found++;
    }
    if (rc != SQLITE_DONE)
        fprintf(stderr, "codesearch: %s: %s\n", db_path, sqlite3_errmsg(db));
    ORIEL_SPAN_SET("found", found);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return rc == SQLITE_DONE ? 0 : -1;
}
