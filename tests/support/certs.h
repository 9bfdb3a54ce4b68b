/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Certificates of a test: made by the openssl command in the test's folder. Each
 * NAME is NAME.pem and NAME.key.
 */
#ifndef ORIEL_TEST_CERTS_H
#define ORIEL_TEST_CERTS_H

#include <stddef.h>

/* ca, good (localhost, 127.0.0.1, ::1), other (other.example), expired, client and
 * foreign (self-signed). Ends the test as skipped without the openssl command. */
void certs_make(void);
/* The path of a file among them. */
const char *cert_path(const char *file, char *out, size_t n);

#endif
