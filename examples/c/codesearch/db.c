/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The index: one SQLite FTS5 table of path and tokens.
 */
#define ORIEL_TARGET "codesearch.db"
#include "codesearch.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include <oriel/oriel.h>

struct inserter {
    sqlite3 *db;
    sqlite3_stmt *insert;
};

static int run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK)
        return 0;
    fprintf(stderr, "codesearch: database: %s\n", message ? message : sqlite3_errmsg(db));
    ORIEL_ERROR("sql failed", "sql", sql, "message", message);
    sqlite3_free(message);
    return -1;
}

struct sqlite3 *db_open(const char *path, bool create)
{
    ORIEL_SPAN("db.open", "path", path);
    sqlite3 *db = NULL;
    int flags = create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
        fprintf(stderr, "codesearch: %s: %s\n", path, sqlite3_errmsg(db));
        sqlite3_close(db);
        return NULL;
    }
    if (create && (run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;") != 0 ||
                   run(db, "DROP TABLE IF EXISTS code;"
                           "CREATE VIRTUAL TABLE code USING fts5(path UNINDEXED, tokens,"
                           " content='', tokenize='ascii');"
                           "CREATE TABLE IF NOT EXISTS file(id INTEGER PRIMARY KEY, path TEXT);"
                           "DELETE FROM file;") != 0)) {
        sqlite3_close(db);
        return NULL;
    }
    return db;
}

int db_begin(struct sqlite3 *db)
{
    return run(db, "BEGIN");
}

int db_commit(struct sqlite3 *db)
{
    ORIEL_SPAN("db.commit");
    return run(db, "COMMIT");
}

struct inserter *inserter_new(struct sqlite3 *db)
{
    struct inserter *in = calloc(1, sizeof *in);
    if (!in)
        return NULL;
    in->db = db;
    if (sqlite3_prepare_v2(db, "INSERT INTO code(rowid, path, tokens) VALUES(?1, ?2, ?3)", -1,
                           &in->insert, NULL) != SQLITE_OK) {
        fprintf(stderr, "codesearch: database: %s\n", sqlite3_errmsg(db));
        free(in);
        return NULL;
    }
    return in;
}

static int insert_path(sqlite3 *db, const struct document *doc)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, "INSERT INTO file(id, path) VALUES(?1, ?2)", -1, &s, NULL) !=
        SQLITE_OK)
        return -1;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)doc->task);
    sqlite3_bind_text(s, 2, doc->path, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? 0 : -1;
}

int inserter_add(struct inserter *in, const struct document *doc)
{
    ORIEL_SPAN("db.insert", "path", doc->path, "tokens", doc->token_count);
    sqlite3_bind_int64(in->insert, 1, (sqlite3_int64)doc->task);
    sqlite3_bind_text(in->insert, 2, doc->path, -1, SQLITE_STATIC);
    sqlite3_bind_text(in->insert, 3, doc->tokens, (int)doc->token_bytes, SQLITE_STATIC);
    int rc = sqlite3_step(in->insert);
    sqlite3_reset(in->insert);
    if (rc != SQLITE_DONE || insert_path(in->db, doc) != 0) {
        oriel_span_status(NULL, ORIEL_STATUS_ERROR, sqlite3_errmsg(in->db));
        fprintf(stderr, "codesearch: database: %s\n", sqlite3_errmsg(in->db));
        return -1;
    }
    return 0;
}

void inserter_free(struct inserter *in)
{
    if (in) {
        sqlite3_finalize(in->insert);
        free(in);
    }
}
