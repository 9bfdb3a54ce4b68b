/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the compliance table asks of an API and few programs say, from C++: exceptions, links from
 * the beginning. annotating.py looks for it in what OTLP makes of the capture.
 */
#define ORIEL_TARGET "annotating"
#include <oriel/oriel.h>

#include <oriel/array.h>
#include <oriel/backtrace.h>
#include <oriel/exception.hpp>
#include <oriel/propagation.h>

#include <cstring>
#include <stdexcept>
#include <string>

namespace shop
{
struct sold_out : std::runtime_error {
    using std::runtime_error::runtime_error;
};
} // namespace shop

static void exceptions()
{
    ORIEL_SPAN("catching");
    try {
        throw shop::sold_out("no more tea");
    } catch (const std::exception &e) {
        ORIEL_EXCEPTION_OF(e);
        ORIEL_EXCEPTION_WITH(e, "attempt", 2, "cart", "c7");
    }
    char room[2048];
    ORIEL_EXCEPTION("bug", "seen from here", "exception.stacktrace",
                    oriel_backtrace(room, sizeof room));
}

static void links()
{
    struct oriel_context causes[3];
    std::memset(causes, 0, sizeof causes);
    for (int i = 0; i < 3; i++) {
        causes[i].trace_id[15] = 1;
        causes[i].span_id[7] = static_cast<uint8_t>(3 - i);
    }
    struct oriel_span s = ORIEL_OPEN_LINKED("linked", causes, 3, ORIEL_ROOT, "messages", 3);
    ORIEL_EXCEPTION_ON(&s, "late", "after the links");
    oriel_span_close(&s);
}

static void arrays()
{
    const int64_t ids[] = {1, -2};
    const double shares[] = {0.5, 2};
    const bool bits[] = {true, false};
    const char *const names[] = {"a", "b"};
    char i[64], f[64], b[64], s[64];
    ORIEL_SPAN("arrays", ORIEL_ARRAY_I64("i", i, ids, 2), ORIEL_ARRAY_F64("f", f, shares, 2));
    ORIEL_SPAN_SET(ORIEL_ARRAY_BOOL("b", b, bits, 2), ORIEL_ARRAY_STR("s", s, names, 2));
}

static void renamed()
{
    const std::string route = "GET /users/{id}";
    ORIEL_SPAN("to be renamed", "n", 1);
    oriel_span_name(ORIEL_CURRENT, "first try");
    oriel_span_name(ORIEL_CURRENT, route.c_str());
    struct oriel_span s = ORIEL_OPEN("opened to be renamed", ORIEL_CURRENT);
    struct oriel_guard g = oriel_span_enter(&s);
    oriel_span_name(&s, "consume orders");
    oriel_span_exit(&g);
    oriel_span_close(&s);
}

int main()
{
    if (ORIEL_INSTRUMENTATION("annotating", "1.4.2", "https://opentelemetry.io/schemas/1.30.0",
                              "shard", 7, "team", "storage") != 0)
        return 2;
    if (ORIEL_INSTRUMENTATION("annotating", "2", nullptr) == 0)
        return 3; /* it has been said already */
    arrays();
    exceptions();
    links();
    renamed();
    return oriel_enabled() ? 0 : 1;
}
