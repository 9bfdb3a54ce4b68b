// SPDX-License-Identifier: MIT OR Apache-2.0
// Exceptions that pass functions which are watched. Exit 7 when all were caught.
#include <stdexcept>

namespace shop
{
struct cart {
    int total = 0;
    __attribute__((noinline)) int add(int id, const char *name)
    {
        if (id < 0)
            throw std::runtime_error(name);
        total += id;
        __asm__ volatile("" ::: "memory");
        return total;
    }
};

__attribute__((noinline)) int thrower(int depth)
{
    __asm__ volatile("" ::: "memory");
    if (depth == 0)
        throw std::logic_error("deep");
    int r = thrower(depth - 1);
    __asm__ volatile("" ::: "memory");
    return r + 1;
}

__attribute__((noinline)) int catcher(int times)
{
    int caught = 0;
    for (int i = 0; i < times; i++) {
        try {
            caught += thrower(2);
        } catch (const std::exception &) {
            caught++;
        }
    }
    return caught;
}
} // namespace shop

int main()
{
    shop::cart c;
    int sum = c.add(3, "apple") + shop::catcher(3);
    try {
        c.add(-1, "nothing");
    } catch (const std::exception &) {
        sum++;
    }
    return sum;
}
