/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sites of probed.c where C++ makes it hard: in a template, in inline
 * functions, in lambdas, in a class, in a namespace without a name.
 */
#include <cstdlib>
#include <ctime>

#include <oriel/oriel.h>

namespace
{
inline int hidden(int x)
{
    ORIEL_SPAN("GET /users/{id|name} 100%");
    return x;
}
} // namespace

struct server {
    virtual ~server()
    {
        ORIEL_INFO("server ends");
    }
    virtual int name_of(int x)
    {
        ORIEL_FN();
        return x;
    }
};

template <class T> __attribute__((noinline)) T step(T x)
{
    ORIEL_SPAN("handle_request", "n", x);
    ORIEL_SPAN("http.request");
    return x + 1;
}

template <class T> inline T twice(T x)
{
    ORIEL_SPAN("twice", "n", x);
    auto again = [](auto y) {
        ORIEL_SPAN("lambda");
        ORIEL_EVENT("said", "y", y);
        return y;
    };
    return again(x) + static_cast<T>(again(1.5));
}

int probed(int rounds);
int probed(int rounds)
{
    int x = 0;
    server s;
    timespec pause = {0, 5000000};
    for (int i = 0; i < rounds; i++) {
        x = step(s.name_of(hidden(x)));
        if (twice(1) != 2 || twice(1L) != 2)
            return -1;
        nanosleep(&pause, nullptr);
    }
    return x;
}

#ifndef PROBED_LIBRARY
int main(int argc, char **argv)
{
    int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
    return probed(rounds) == rounds ? 0 : 1;
}
#endif
