/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From a C or C++ expression to a typed field value, picked by the compiler.
 * A type that cannot be recorded is a compile error at the argument.
 */
#ifndef ORIEL_VALUES_H
#define ORIEL_VALUES_H

#include "abi/mark.h"
#include "emit.h"

#ifndef __cplusplus
#include <stdbool.h>
#endif

/* Text that is not NUL-terminated, and opaque bytes. */
struct oriel_text_view {
    const char *p;
    size_t n;
};
struct oriel_blob_view {
    const void *p;
    size_t n;
};
ORIEL_INLINE struct oriel_text_view oriel_text(const char *p, size_t n)
{
    struct oriel_text_view t = {p, n};
    return t;
}
ORIEL_INLINE struct oriel_blob_view oriel_blob(const void *p, size_t n)
{
    struct oriel_blob_view b = {p, n};
    return b;
}
ORIEL_INLINE struct oriel_val_str oriel_val_text(struct oriel_text_view t)
{
    return oriel_val_bytes(t.p, t.n);
}
ORIEL_INLINE struct oriel_val_str oriel_val_blob(struct oriel_blob_view b)
{
    return oriel_val_bytes(b.p, b.n);
}

/* Wrap a name and its value where they are said:
 *   ORIEL_SPAN("login", "user", u, ORIEL_SECRET("token", t), ORIEL_ARG("path", p))
 * A secret value never leaves the call site. An argument is recorded only when
 * the recording asks for arguments. The name must be a string literal. */
#define ORIEL_SECRET(name, value) ORIEL_MARK_SECRET name, value
#define ORIEL_ARG(name, value) ORIEL_MARK_ARG name, value

/* True when the mark of this field's name forbids to read its value. Folded at
 * compile time for unmarked names. */
#define ORIEL_HIDDEN(key) ((key)[0] == '\1' || ((key)[0] == '\2' && !oriel_include_args))

/* Longest text of one field when a record has n of them, so that the whole
 * record always fits. */
#define ORIEL_FIELD_CAP(n) ((n) <= 1 ? ORIEL_STRING_MAX_BYTES : (8000u / (n)) & ~7u)

ORIEL_INLINE struct oriel_val_word oriel_take_word(bool hidden, struct oriel_val_word v,
                                                   uint32_t cap)
{
    (void)cap;
    if (hidden)
        v.word = 0;
    return v;
}
ORIEL_INLINE struct oriel_val_str oriel_take_str(bool hidden, struct oriel_val_str v, uint32_t cap)
{
    if (hidden) {
        v.size = v.full_size = 0;
        v.bytes = "";
    }
    if (v.size > cap - 8)
        v.size = cap - 8;
    return v;
}
ORIEL_INLINE struct oriel_value oriel_box_word(uint32_t type, struct oriel_val_word v)
{
    struct oriel_value b;
    b.type = type;
    b.size = 0;
    b.v.u64 = v.word;
    return b;
}
ORIEL_INLINE struct oriel_value oriel_box_str(uint32_t type, struct oriel_val_str v)
{
    struct oriel_value b;
    b.type = type;
    b.size = v.size;
    b.v.bytes = v.bytes;
    return b;
}

#ifndef __cplusplus

#define ORIEL_AUTO __extension__ __auto_type
#define ORIEL_TYPE_OF(v)                                                                           \
    _Generic((v),                                                                                  \
        bool: ORIEL_TYPE_BOOL,                                                                     \
        char: ORIEL_TYPE_I64,                                                                      \
        signed char: ORIEL_TYPE_I64,                                                               \
        short: ORIEL_TYPE_I64,                                                                     \
        int: ORIEL_TYPE_I64,                                                                       \
        long: ORIEL_TYPE_I64,                                                                      \
        long long: ORIEL_TYPE_I64,                                                                 \
        unsigned char: ORIEL_TYPE_U64,                                                             \
        unsigned short: ORIEL_TYPE_U64,                                                            \
        unsigned: ORIEL_TYPE_U64,                                                                  \
        unsigned long: ORIEL_TYPE_U64,                                                             \
        unsigned long long: ORIEL_TYPE_U64,                                                        \
        float: ORIEL_TYPE_F64,                                                                     \
        double: ORIEL_TYPE_F64,                                                                    \
        char *: ORIEL_TYPE_STR,                                                                    \
        const char *: ORIEL_TYPE_STR,                                                              \
        struct oriel_text_view: ORIEL_TYPE_STR,                                                    \
        struct oriel_blob_view: ORIEL_TYPE_BYTES,                                                  \
        void *: ORIEL_TYPE_PTR,                                                                    \
        const void *: ORIEL_TYPE_PTR)
#define ORIEL_VAL(v)                                                                               \
    _Generic((v),                                                                                  \
        bool: oriel_val_u64,                                                                       \
        char: oriel_val_i64,                                                                       \
        signed char: oriel_val_i64,                                                                \
        short: oriel_val_i64,                                                                      \
        int: oriel_val_i64,                                                                        \
        long: oriel_val_i64,                                                                       \
        long long: oriel_val_i64,                                                                  \
        unsigned char: oriel_val_u64,                                                              \
        unsigned short: oriel_val_u64,                                                             \
        unsigned: oriel_val_u64,                                                                   \
        unsigned long: oriel_val_u64,                                                              \
        unsigned long long: oriel_val_u64,                                                         \
        float: oriel_val_f64,                                                                      \
        double: oriel_val_f64,                                                                     \
        char *: oriel_val_cstr,                                                                    \
        const char *: oriel_val_cstr,                                                              \
        struct oriel_text_view: oriel_val_text,                                                    \
        struct oriel_blob_view: oriel_val_blob,                                                    \
        void *: oriel_val_ptr,                                                                     \
        const void *: oriel_val_ptr)(v)
/* clang-format off */
#define oriel_take(k, val, n)                                                                      \
    _Generic((val), struct oriel_val_word: oriel_take_word, struct oriel_val_str: oriel_take_str)( \
        ORIEL_HIDDEN(k), val, ORIEL_FIELD_CAP(n))
#define ORIEL_SIZE(t)                                                                              \
    _Generic((t), struct oriel_val_word: oriel_size_word, struct oriel_val_str: oriel_size_str)(t)
#define ORIEL_PUT(at, t)                                                                           \
    _Generic((t), struct oriel_val_word: oriel_put_word, struct oriel_val_str: oriel_put_str)(at, t)
#define oriel_box(type, t)                                                                         \
    _Generic((t), struct oriel_val_word: oriel_box_word, struct oriel_val_str: oriel_box_str)(     \
        type, t)
/* clang-format on */

#else /* C++ */

#include <type_traits>

namespace oriel
{
namespace detail
{
template <class T> constexpr uint32_t type_of()
{
    using D = std::decay_t<T>;
    if constexpr (std::is_same_v<D, bool>)
        return ORIEL_TYPE_BOOL;
    else if constexpr (std::is_enum_v<D>)
        return ORIEL_TYPE_I64;
    else if constexpr (std::is_integral_v<D>)
        return std::is_signed_v<D> ? ORIEL_TYPE_I64 : ORIEL_TYPE_U64;
    else if constexpr (std::is_floating_point_v<D>)
        return ORIEL_TYPE_F64;
    else if constexpr (std::is_same_v<D, char *> || std::is_same_v<D, const char *>)
        return ORIEL_TYPE_STR;
    else if constexpr (std::is_same_v<D, struct oriel_blob_view>)
        return ORIEL_TYPE_BYTES;
    else if constexpr (std::is_pointer_v<D>)
        return ORIEL_TYPE_PTR;
    else
        return ORIEL_TYPE_STR; /* oriel_text, std::string, std::string_view */
}
template <class T> ORIEL_INLINE auto val(const T &v)
{
    using D = std::decay_t<T>;
    if constexpr (std::is_enum_v<D>)
        return oriel_val_i64(static_cast<int64_t>(v));
    else if constexpr (std::is_integral_v<D> && std::is_signed_v<D>)
        return oriel_val_i64(v);
    else if constexpr (std::is_integral_v<D>)
        return oriel_val_u64(v);
    else if constexpr (std::is_floating_point_v<D>)
        return oriel_val_f64(static_cast<double>(v));
    else if constexpr (std::is_same_v<D, char *> || std::is_same_v<D, const char *>)
        return oriel_val_cstr(v);
    else if constexpr (std::is_same_v<D, struct oriel_text_view>)
        return oriel_val_text(v);
    else if constexpr (std::is_same_v<D, struct oriel_blob_view>)
        return oriel_val_blob(v);
    else if constexpr (std::is_pointer_v<D>)
        return oriel_val_ptr(v);
    else
        return oriel_val_bytes(v.data(), v.size());
}
ORIEL_INLINE oriel_val_word take(bool hidden, oriel_val_word v, uint32_t cap)
{
    return oriel_take_word(hidden, v, cap);
}
ORIEL_INLINE oriel_val_str take(bool hidden, oriel_val_str v, uint32_t cap)
{
    return oriel_take_str(hidden, v, cap);
}
ORIEL_INLINE size_t size(oriel_val_word v)
{
    return oriel_size_word(v);
}
ORIEL_INLINE size_t size(oriel_val_str v)
{
    return oriel_size_str(v);
}
ORIEL_INLINE uint64_t *put(uint64_t *at, oriel_val_word v)
{
    return oriel_put_word(at, v);
}
ORIEL_INLINE uint64_t *put(uint64_t *at, oriel_val_str v)
{
    return oriel_put_str(at, v);
}
ORIEL_INLINE oriel_value box(uint32_t type, oriel_val_word v)
{
    return oriel_box_word(type, v);
}
ORIEL_INLINE oriel_value box(uint32_t type, oriel_val_str v)
{
    return oriel_box_str(type, v);
}
} // namespace detail
} // namespace oriel

#define ORIEL_AUTO auto
#define ORIEL_TYPE_OF(v) (oriel::detail::type_of<decltype(v)>())
#define ORIEL_VAL(v) oriel::detail::val(v)
#define oriel_take(k, value, n) oriel::detail::take(ORIEL_HIDDEN(k), value, ORIEL_FIELD_CAP(n))
#define ORIEL_SIZE(t) oriel::detail::size(t)
#define ORIEL_PUT(at, t) oriel::detail::put(at, t)
#define oriel_box(type, t) oriel::detail::box(type, t)

#endif

#endif
