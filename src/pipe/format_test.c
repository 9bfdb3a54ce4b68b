/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The formatter against the C library where types agree, and against a table
 * where they do not.
 */
#include "pipe/format.h"

#include <stdarg.h>

#include "random.h"
#include "test.h"

static struct model_value i64(int64_t v)
{
    return (struct model_value){.type = ORIEL_TYPE_I64, .v.i64 = v};
}
static struct model_value u64(uint64_t v)
{
    return (struct model_value){.type = ORIEL_TYPE_U64, .v.u64 = v};
}
static struct model_value f64(double v)
{
    return (struct model_value){.type = ORIEL_TYPE_F64, .v.f64 = v};
}
static struct model_value boolean(bool v)
{
    return (struct model_value){.type = ORIEL_TYPE_BOOL, .v.b = v};
}
static struct model_value pointer(uint64_t v)
{
    return (struct model_value){.type = ORIEL_TYPE_PTR, .v.u64 = v};
}
static struct model_value str(const char *s)
{
    return (struct model_value){.type = ORIEL_TYPE_STR, .v.str = {s, (uint32_t)strlen(s)}};
}

static const char *format(const char *f, const struct model_value *values, uint32_t n)
{
    static struct buf b;
    buf_clear(&b);
    format_message(&b, (struct model_str){f, (uint32_t)strlen(f)}, values, n);
    return buf_cstr(&b);
}

#define FORMAT(f, ...)                                                                             \
    format(f, (const struct model_value[]){__VA_ARGS__},                                           \
           sizeof((const struct model_value[]){__VA_ARGS__}) / sizeof(struct model_value))

/* A format the compiler must not check. */
static const char *libc(const char *f, ...)
{
    static char out[4096];
    va_list args;
    va_start(args, f);
    vsnprintf(out, sizeof out, f, args);
    va_end(args);
    return out;
}

TEST(integers_look_as_the_c_library_shows_them)
{
    static const char *const formats[] = {"%d",     "%5d",   "%-5d|",   "%05d",   "%+d",     "% d",
                                          "%.3d",   "%8.3d", "%-8.3d|", "%08.3d", "%.0d",    "%i",
                                          "%u",     "%x",    "%X",      "%#x",    "%#X",     "%o",
                                          "%#o",    "%#.3o", "%#10x",   "%#010x", "%-#10x|", "%+5d",
                                          "%-+5d|", "%+05d", "%05x",    "%.0x",   "%12u"};
    static const int values[] = {0, 1, -1, 7, 42, -12345, 2147483647, -2147483647 - 1};
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++)
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++)
            CHECK_STR(FORMAT(formats[f], i64(values[v])), libc(formats[f], values[v]));
}

TEST(length_modifiers_say_how_wide_an_unsigned_view_is)
{
    CHECK_STR(FORMAT("%hhx %hx %x %lx", i64(-1), i64(-1), i64(-1), i64(-1)),
              "ff ffff ffffffff ffffffffffffffff");
    CHECK_STR(FORMAT("%llu %ju %zu %tx %qd", u64(UINT64_MAX), u64(1), u64(2), i64(-1), i64(-7)),
              "18446744073709551615 1 2 ffffffffffffffff -7");
    CHECK_STR(FORMAT("%ld %lld %hd %hhd", i64(INT64_MIN), i64(INT64_MAX), i64(-3), i64(-4)),
              "-9223372036854775808 9223372036854775807 -3 -4");
    CHECK_STR(FORMAT("%u", i64(-1)), "4294967295");
}

TEST(floats_look_as_the_c_library_shows_them)
{
    static const char *const formats[] = {
        "%f", "%.2f", "%10.3f", "%-10.3f|", "%+f", "% f",   "%010f", "%e",  "%.0e", "%E",
        "%g", "%G",   "%#g",    "%a",       "%A",  "%.10g", "%Lf",   "%lf", "%F"};
    static const double values[] = {0.0,    -0.0,  1.0,      -1.5,      3.14159265,
                                    1e-300, 1e300, 123456.0, 1.0 / 0.0, -1.0 / 0.0};
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++)
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            char plain[16];
            size_t n = 0;
            for (const char *p = formats[f]; *p; p++)
                if (*p != 'L')
                    plain[n++] = *p;
            plain[n] = 0;
            CHECK_STR(FORMAT(formats[f], f64(values[v])), libc(plain, values[v]));
        }
}

TEST(texts_characters_and_addresses)
{
    CHECK_STR(FORMAT("<%s>", str("hi")), "<hi>");
    CHECK_STR(FORMAT("<%6s|%-6s|%.1s>", str("hi"), str("hi"), str("hi")), "<    hi|hi    |h>");
    CHECK_STR(FORMAT("%c%c%3c", i64('a'), u64('b'), i64('c')), "ab  c");
    CHECK_STR(FORMAT("%lc%lc%lc", i64(0xe9), i64(0x20ac), i64(0x1f600)), "é€😀");
    CHECK_STR(FORMAT("%p", pointer(0xdeadbeef)), "0xdeadbeef");
    CHECK_STR(FORMAT("%p|%12p|%-12p|", pointer(0), pointer(0x10), pointer(0x10)),
              "(nil)|        0x10|0x10        |");
    CHECK_STR(FORMAT("%ls", str("wide")), "wide");
}

TEST(width_and_precision_may_be_values)
{
    CHECK_STR(FORMAT("%*d|", i64(5), i64(42)), "   42|");
    CHECK_STR(FORMAT("%*d|", i64(-5), i64(42)), "42   |");
    CHECK_STR(FORMAT("%.*f", i64(1), f64(2.26)), "2.3");
    CHECK_STR(FORMAT("%.*f", i64(-1), f64(2.5)), "2.500000");
    CHECK_STR(FORMAT("%*.*s|", i64(4), i64(2), str("abc")), "  ab|");
    CHECK_STR(FORMAT("%2$s-%1$s", str("a"), str("b")), "b-a");
    CHECK_STR(FORMAT("%2$*1$d|", i64(4), i64(7)), "   7|");
    CHECK_STR(FORMAT("%*d", str("not a number"), i64(1)), "1");
}

TEST(the_recorded_type_wins_over_the_conversion)
{
    CHECK_STR(FORMAT("%d", str("text")), "text");
    CHECK_STR(FORMAT("%s", i64(-7)), "-7");
    CHECK_STR(FORMAT("%5s|", u64(7)), "    7|");
    CHECK_STR(FORMAT("%s", f64(0.5)), "0.5");
    CHECK_STR(FORMAT("%d", f64(0.5)), "0.5");
    CHECK_STR(FORMAT("%f", i64(3)), "3");
    CHECK_STR(FORMAT("%s %d", boolean(true), boolean(true)), "true 1");
    CHECK_STR(FORMAT("%s", pointer(255)), "0xff");
    CHECK_STR(FORMAT("%x", str("text")), "text");
    CHECK_STR(FORMAT("%d", u64(3000000000u)), "3000000000");
    CHECK_STR(FORMAT("%p", i64(-1)), "0xffffffffffffffff");
    CHECK_STR(FORMAT("%c", str("word")), "word");
}

TEST(what_is_not_a_conversion_stands_as_it_is)
{
    CHECK_STR(format("100%% sure", NULL, 0), "100% sure");
    CHECK_STR(format("%d and %s", NULL, 0), "%d and %s");
    CHECK_STR(FORMAT("%d %d", i64(1)), "1 %d");
    CHECK_STR(FORMAT("%y %m %d", i64(1)), "%y %m 1");
    CHECK_STR(format("ends in %", NULL, 0), "ends in %");
    CHECK_STR(format("ends in %-08.", NULL, 0), "ends in %-08.");
    CHECK_STR(format("ends in %ll", NULL, 0), "ends in %ll");
    CHECK_STR(FORMAT("%9$d", i64(1)), "%9$d");
    CHECK_STR(FORMAT("a%nb%d", pointer(1), i64(2)), "ab2");
    CHECK_STR(format("", NULL, 0), "");
}

TEST(a_redacted_value_shows_its_text_whatever_is_asked)
{
    struct model_value v = str("[redacted]");
    v.flags = MODEL_VALUE_REDACTED;
    CHECK_STR(FORMAT("%d", v), "[redacted]");
    CHECK_STR(FORMAT("%.3s", v), "[redacted]");
    CHECK_STR(FORMAT("%x", v), "[redacted]");
}

TEST(hostile_formats_stay_within_bounds)
{
    CHECK_EQ(strlen(FORMAT("%99999999999999999999d", i64(1))), FORMAT_WIDTH_MAX);
    CHECK_EQ(strlen(FORMAT("%.99999999999999999999d", i64(1))), FORMAT_WIDTH_MAX);
    CHECK_EQ(strlen(FORMAT("%*d", i64(INT64_MIN), i64(1))), FORMAT_WIDTH_MAX);
    CHECK(strlen(FORMAT("%.99999f", f64(-1e308))) < 1200);
    CHECK(strlen(FORMAT("%99999.99999f", f64(-1e308))) < 2000);
    static char many[65000];
    struct model_value v = str("0123456789012345678901234567890123456789");
    for (size_t i = 0; i + 4 < sizeof many; i += 4)
        memcpy(many + i, "%1$s", 4);
    CHECK_EQ(strlen(format(many, &v, 1)), FORMAT_MESSAGE_MAX);
}

TEST(random_formats_never_break_it)
{
    static const char alphabet[] = "%%%%%dsxfcpn*.$0123456789-+ #'hlLjztq\xff";
    uint64_t seed = 1;
    for (int round = 0; round < 200000; round++) {
        char f[24];
        size_t n = 0;
        for (; n < sizeof f - 1; n++)
            f[n] = alphabet[random_below(&seed, sizeof alphabet - 1)];
        f[n] = 0;
        const char *out = FORMAT(f, i64((int64_t)seed), str("abc"), f64((double)seed), pointer(0),
                                 boolean(true), u64(seed));
        CHECK(strlen(out) <= FORMAT_MESSAGE_MAX);
    }
}

TEST_MAIN()
