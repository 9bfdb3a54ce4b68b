/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The C++ program of somebody else, see app.c.
 */
#define ORIEL_TARGET "consumer.cpp"
#include <oriel/oriel.h>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

template <class T> static T work(T n)
{
    ORIEL_SPAN("work", "n", n);
    T sum = 0;
    for (T i = 0; i < n; i++)
        sum += i;
    ORIEL_INFO("worked", "sum", sum);
    return sum;
}

int main()
{
    std::vector<std::thread> threads;
    std::vector<long> sums(4);
    for (auto &sum : sums)
        threads.emplace_back([&sum] { sum = work(10L); });
    for (auto &thread : threads)
        thread.join();
    for (long sum : sums)
        if (sum != 45)
            return 1;
    std::string version = oriel_version();
    std::printf("oriel %s, %s\n", version.c_str(), oriel_enabled() ? "on" : "off");
    return oriel_enabled() ? 2 : 0;
}
