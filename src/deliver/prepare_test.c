/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is refused before anybody is called, and that no line of it holds a secret. */
#include "base/mem.h"
#include "deliver/deliver.h"
#include "deliver/test_destination.h"
#include "test.h"

static int open_with(const char *url, const char *name, const char *value, bool unverified,
                     struct oriel_err *err)
{
    struct http_header header = {name, value, strlen(name), strlen(value)};
    struct deliver_options o = destination_options(url, false);
    struct deliver *d = NULL;
    o.headers = &header;
    o.header_count = 1;
    o.tls.unverified = unverified;
    int rc = deliver_open(&d, &o, err);
    if (rc == 0)
        out_close(deliver_out(d));
    CHECK_EQ(mem_live_blocks(), 0);
    return rc;
}

TEST(a_secret_goes_nowhere_unencrypted)
{
    struct oriel_err err;
    static const char there[] = "http://collector.example:4318", here[] = "http://localhost:4318";
    CHECK_EQ(open_with(there, "Authorization", "Bearer canary", false, &err), ORIEL_EINVAL);
    CHECK(strstr(err.text, "https") && !strstr(err.text, "canary"));
    CHECK_EQ(open_with(there, "x-api-key", "canary", false, &err), ORIEL_EINVAL);
    CHECK_EQ(open_with(there, "x-scope", "tenant", false, &err), 0);
    CHECK_EQ(open_with(there, "x-api-key", "canary", true, &err), 0); /* by the user's word */
    CHECK_EQ(open_with(here, "Authorization", "Bearer canary", false, &err), 0);
    CHECK_EQ(open_with("http://me:canary@far.example", "a", "b", false, &err), ORIEL_EINVAL);
    CHECK(!strstr(err.text, "canary"));
    CHECK_EQ(open_with("unix:/tmp/x.sock", "Authorization", "Bearer canary", false, &err), 0);
}

TEST(headers_that_cannot_be_sent_are_refused_without_their_value)
{
    struct oriel_err err;
    CHECK_EQ(open_with("http://localhost", "a", "canary\r\nx: y", false, &err), ORIEL_EINVAL);
    CHECK(!strstr(err.text, "canary"));
    CHECK_EQ(open_with("http://localhost", "a b", "canary", false, &err), ORIEL_EINVAL);
    CHECK_EQ(open_with("http://localhost", "Content-Length", "1", false, &err), ORIEL_EINVAL);
    CHECK_EQ(open_with("http://localhost", "grpc-timeout", "1", false, &err), ORIEL_EINVAL);
    CHECK_EQ(open_with("localhost:4317", "a", "b", false, &err), ORIEL_EINVAL);
    CHECK_EQ(open_with("ftp://u:canary@localhost", "a", "b", false, &err), ORIEL_EINVAL);
    CHECK(!strstr(err.text, "canary"));
}

TEST_MAIN()
