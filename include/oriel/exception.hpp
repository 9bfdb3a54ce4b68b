/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * C++ exceptions as events (ORIEL_EXCEPTION): the type by its name in the source, the message as
 * the exception tells it.
 *
 *   catch (const std::exception &e) {
 *       ORIEL_EXCEPTION_OF(e);
 *       ORIEL_EXCEPTION_WITH(e, "attempt", n);         and further fields
 *   }
 */
#ifndef ORIEL_EXCEPTION_HPP
#define ORIEL_EXCEPTION_HPP

#include "event.h"

#ifndef ORIEL_OFF

#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <typeinfo>

namespace oriel
{
namespace detail
{
/* A type's name as it is written; the linker's where there is no memory for that. */
class type_name
{
  public:
    explicit type_name(const std::type_info &type)
        : known(type.name()), readable(abi::__cxa_demangle(known, nullptr, nullptr, nullptr))
    {
    }
    type_name(const type_name &) = delete;
    type_name &operator=(const type_name &) = delete;
    ~type_name()
    {
        std::free(readable);
    }
    const char *text() const
    {
        return readable ? readable : known;
    }

  private:
    const char *known;
    char *readable;
};
} // namespace detail
} // namespace oriel

#define ORIEL_EXCEPTION_OF(e) ORIEL_EXCEPTION_NAMED_(e, (e).what())
#define ORIEL_EXCEPTION_WITH(e, ...) ORIEL_EXCEPTION_NAMED_(e, (e).what(), __VA_ARGS__)
/* Nothing is asked for, and nothing allocated, while it is not recorded. */
#define ORIEL_EXCEPTION_NAMED_(e, ...)                                                             \
    do {                                                                                           \
        if (ORIEL_ENABLED(ORIEL_LEVEL_ERROR, ORIEL_TARGET)) {                                      \
            const oriel::detail::type_name oriel_type(typeid(e));                                  \
            ORIEL_EXCEPTION(oriel_type.text(), __VA_ARGS__);                                       \
        }                                                                                          \
    } while (0)

#else

#define ORIEL_EXCEPTION_OF(e) ORIEL_IGNORE((e).what())
#define ORIEL_EXCEPTION_WITH(e, ...) ORIEL_IGNORE((e).what(), __VA_ARGS__)

#endif
#endif
