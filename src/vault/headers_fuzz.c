/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: what a vault gives, as headers and as a document with a key in it.
 * What is taken can be sent: names are tokens, values have no control characters.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/http.h"
#include "vault/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void headers(const char *p, size_t n)
{
    struct vault_headers h;
    if (vault_parse_headers(p, n, "fuzz", &h, NULL) != 0)
        return;
    if (h.count == 0 || h.count > VAULT_HEADERS_MAX)
        abort();
    for (size_t i = 0; i < h.count; i++) {
        const struct vault_header *x = &h.items[i];
        if (!http_token_valid(x->name, strlen(x->name)) || !x->value[0] ||
            !http_value_valid(x->value, strlen(x->value)))
            abort();
    }
    vault_headers_done(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct secret document, value;
    if (secret_copy(&document, (const char *)data, size) != 0)
        return 0;
    headers(document.p, document.n);
    if (vault_pick(&document, "K", "fuzz", &value, NULL) == 0) {
        headers(value.p, value.n);
        secret_close(&value);
    }
    secret_close(&document);
    return 0;
}
