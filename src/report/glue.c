/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Functions of the standard libraries of C++ and Rust, told by the first word
 * of their scope. "<A as B>::f" is A's, unless A is a type that every program has
 * (an integer, a slice, a parameter): then it is B's. No state, any thread.
 */
#include "report/glue.h"

#include <string.h>

#include "report/text.h"

static bool begins(struct model_str s, const char *with)
{
    size_t n = strlen(with);
    return s.n >= n && memcmp(s.p, with, n) == 0;
}

static struct model_str from(struct model_str s, uint32_t at)
{
    return (struct model_str){s.p + at, s.n - at};
}

/* Where the type that a function returns ends, of C++ templates; 0: none stands there. */
static uint32_t after_return_type(struct model_str name)
{
    uint32_t at = 0;
    for (uint32_t i = 0, deep = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == '<' || c == '(' || c == '{')
            deep++;
        else if ((c == '>' || c == ')' || c == '}') && deep > 0)
            deep--;
        if (begins(from(name, i), "operator"))
            break; /* "operator<" opens nothing, "operator bool" goes on */
        at = c == ' ' && deep == 0 ? i + 1 : at;
    }
    return at;
}

/* What stands in front of a type in Rust: references, pointers, slices. */
static struct model_str without_marks(struct model_str s)
{
    static const char *const marks[] = {"<", "&", "[", "(", "mut ", "*const ", "*mut ", "dyn "};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (begins(s, marks[i]))
            return without_marks(from(s, (uint32_t)strlen(marks[i])));
    return s;
}

/* The first word, if a scope: "std" of "std::vec". n 0: a type without one. */
static struct model_str scope_of(struct model_str s)
{
    uint32_t n = 0;
    while (n < s.n && s.p[n] != ':' && s.p[n] != '<' && s.p[n] != ' ' && s.p[n] != '>' &&
           s.p[n] != ']')
        n++;
    bool scope = n + 1 < s.n && s.p[n] == ':' && s.p[n + 1] == ':';
    return (struct model_str){s.p, scope ? n : 0};
}

/* "B>::f" of "<A as B>::f"; empty: it is no such name. */
static struct model_str trait_of(struct model_str s)
{
    for (uint32_t i = 1, deep = 0; i + 4 < s.n; i++) {
        deep += s.p[i] == '<' || s.p[i] == '(';
        if ((s.p[i] == '>' || s.p[i] == ')') && s.p[i - 1] != '-' && deep-- == 0)
            break;
        if (deep == 0 && memcmp(s.p + i, " as ", 4) == 0)
            return from(s, i + 4);
    }
    return (struct model_str){s.p, 0};
}

static bool is_library(struct model_str scope)
{
    static const char *const of_all[] = {"std", "__gnu_cxx", "alloc", "core", "hashbrown"};
    for (size_t i = 0; i < sizeof of_all / sizeof *of_all; i++)
        if (scope.n == strlen(of_all[i]) && memcmp(scope.p, of_all[i], scope.n) == 0)
            return true;
    return false;
}

bool file_is_glue(struct model_str file)
{
    static const char *const folders[] = {"/include/c++/", "/rustc/"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (file.n && memmem(file.p, file.n, folders[i], strlen(folders[i])))
            return true;
    return false;
}

bool name_is_glue(struct model_str name)
{
    name = report_without_parameters(name);
    if (begins(name, "operator new") || begins(name, "__gthread_") || begins(name, "__rust_") ||
        begins(name, "__rdl_"))
        return true;
    name = from(name, after_return_type(name));
    bool bracket = begins(name, "<");
    struct model_str scope = scope_of(bracket ? without_marks(name) : name);
    if (scope.n == 0 && bracket) {
        struct model_str trait = trait_of(from(name, 1));
        return trait.n == 0 || is_library(scope_of(trait)); /* "<u64>::f", "<[T]>::f" */
    }
    return is_library(scope);
}
