/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * codesearch index --db FILE [--workers N] [--detail LINES] DIR
 * codesearch query --db FILE [--limit N] WORD...
 */
#include "codesearch.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(const char *problem)
{
    if (problem)
        fprintf(stderr, "codesearch: %s\n", problem);
    fprintf(problem ? stderr : stdout,
            "usage: codesearch index --db FILE [--workers N] [--detail LINES] DIR\n"
            "       codesearch query --db FILE [--limit N] WORD...\n");
    return problem ? 2 : 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"db", required_argument, NULL, 'd'},     {"workers", required_argument, NULL, 'w'},
        {"detail", required_argument, NULL, 't'}, {"limit", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    const char *db = NULL;
    int workers = 4, limit = 20, detail = 0, c;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'd')
            db = optarg;
        else if (c == 'w')
            workers = atoi(optarg);
        else if (c == 't')
            detail = atoi(optarg);
        else if (c == 'n')
            limit = atoi(optarg);
        else
            return usage(c == 'h' ? NULL : "unknown option");
    }
    const char *verb = optind < argc ? argv[optind++] : "";
    if (strcmp(verb, "index") != 0 && strcmp(verb, "query") != 0)
        return usage("say what to do: index or query");
    if (!db)
        return usage("--db FILE is missing");
    if (optind >= argc)
        return usage(*verb == 'i' ? "which directory?" : "which words?");
    if (workers < 1 || workers > 256)
        return usage("--workers takes 1 to 256");
    if (detail < 0)
        return usage("--detail takes a number of lines");
    int rc = *verb == 'i' ? index_directory(db, argv[optind], (unsigned)workers, (unsigned)detail)
                          : query(db, argv + optind, argc - optind, limit);
    return rc == 0 ? 0 : 1;
}
