/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* See certs.h. */
#include "certs.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

static const char script[] =
    "set -e; cd '%s'; ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n"
    "openssl req -x509 $ec -keyout ca.key -out ca.pem -subj /CN=test-ca -days 2"
    " -addext basicConstraints=critical,CA:TRUE\n"
    "openssl req -x509 $ec -keyout foreign.key -out foreign.pem -subj /CN=localhost -days 2"
    " -addext subjectAltName=DNS:localhost,IP:127.0.0.1\n"
    "issue() { openssl req $ec -keyout $1.key -out $1.csr -subj /CN=$1; echo \"$3\" >$1.ext\n"
    " openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $1.pem"
    " -days $2 -extfile $1.ext; }\n"
    "issue good 2 subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n"
    "issue other 2 subjectAltName=DNS:other.example\n"
    "issue expired -1 subjectAltName=DNS:localhost,IP:127.0.0.1\n"
    "issue client 2 extendedKeyUsage=clientAuth\n"
    "openssl ec -in client.key -aes128 -passout pass:x -out locked.key\n";

void certs_make(void)
{
    char command[4096];
    if (system("command -v openssl >/dev/null") != 0)
        test_skip("the openssl command is not installed");
    int n = snprintf(command, sizeof command, "( ");
    n += snprintf(command + n, sizeof command - (size_t)n, script, test_tmpdir());
    snprintf(command + n, sizeof command - (size_t)n, ") >'%s/openssl.log' 2>&1", test_tmpdir());
    REQUIRE(system(command) == 0);
}

const char *cert_path(const char *file, char *out, size_t n)
{
    snprintf(out, n, "%s/%s", test_tmpdir(), file);
    return out;
}
