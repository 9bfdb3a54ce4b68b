/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Names of ours are known, doubles stay doubles in JSON. */
#include "export/values.h"

#include <float.h>
#include <math.h>

#include "test.h"

static void check_double(double v, const char *expected)
{
    struct buf b;
    buf_init(&b);
    export_put_double(&b, v);
    CHECK_STR(buf_cstr(&b), expected);
    buf_done(&b);
}

TEST(a_double_is_never_taken_for_an_integer)
{
    check_double(0.0, "0.0");
    check_double(-0.0, "-0.0");
    check_double(1.0, "1.0");
    check_double(-17.25, "-17.25");
    check_double(1e300, "1e+300");
    check_double((double)NAN, "\"NaN\"");
    check_double(-(double)INFINITY, "\"-Infinity\"");
}

TEST(names_of_ours_are_taken_and_others_are_not)
{
    CHECK(export_key_is_taken(MODEL_STR("span_id")));
    CHECK(export_key_is_taken(MODEL_STR("oriel.anything")));
    CHECK(export_key_is_taken(MODEL_STR("otel.status_code")));
    CHECK(!export_key_is_taken(MODEL_STR("")));
    CHECK(!export_key_is_taken(MODEL_STR("span_id2")));
    CHECK(!export_key_is_taken(MODEL_STR("oriel")));
    CHECK(!export_key_is_taken(MODEL_STR("otel.scope.name")));
}

TEST_MAIN()
