/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * SQLite at work, for tools that watch every call: 60,000 rows with an index, and scans of
 * them. Compiled together with sqlite3.c by bench/whole.py.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sqlite3.h"

enum { ROWS = 60000, SCANS = 20 };

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "sql_calls: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

static void fill(sqlite3 *db)
{
    sqlite3_stmt *insert;
    char text[32];
    run(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c INT); CREATE INDEX i ON t(c); BEGIN");
    if (sqlite3_prepare_v2(db, "INSERT INTO t(b, c) VALUES(?, ?)", -1, &insert, NULL) != SQLITE_OK)
        exit(1);
    for (int n = 0; n < ROWS; n++) {
        snprintf(text, sizeof text, "row %d", n * 7919 % ROWS);
        sqlite3_bind_text(insert, 1, text, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int(insert, 2, n * 31 % 1000);
        sqlite3_step(insert);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    run(db, "COMMIT");
}

int main(void)
{
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        return 1;
    fill(db);
    for (int n = 0; n < SCANS; n++)
        run(db, "SELECT count(*), sum(length(b)) FROM t WHERE b LIKE '%77%'");
    run(db, "SELECT c, count(*), max(b) FROM t GROUP BY c ORDER BY 2 DESC, 1");
    run(db, "UPDATE t SET b = b || 'x' WHERE c % 3 = 0; DELETE FROM t WHERE c % 7 = 0");
    return sqlite3_close(db) != SQLITE_OK;
}
