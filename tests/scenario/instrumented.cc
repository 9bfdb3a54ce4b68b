// SPDX-License-Identifier: MIT OR Apache-2.0
// Compiled with -finstrument-functions: recursion, exceptions, longjmp, threads, a
// child, and spans of its own around and inside. Exit 0 when all came out right.
//
//   all     each of these once
//   many N  N calls of hot(), then the CPU time of one in ns
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <oriel/oriel.h>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace work
{

static thread_local std::jmp_buf back;

int factorial(int n)
{
    return n <= 1 ? 1 : n * factorial(n - 1);
}

int thrower(int depth)
{
    if (depth == 0)
        throw std::runtime_error("deep");
    return thrower(depth > 100 ? 0 : depth - 1) + 1;
}

int catcher()
{
    try {
        return thrower(2);
    } catch (const std::exception &) {
        return 1;
    }
}

void jumped_over(int depth)
{
    if (depth == 0)
        std::longjmp(back, 1);
    if (depth < 100)
        jumped_over(depth - 1);
}

int after_jump(int n)
{
    ORIEL_SPAN("own.inner");
    return n + 1;
}

int outer(int n)
{
    volatile int seen = n;
    if (setjmp(back) == 0)
        jumped_over(2);
    return after_jump(seen);
}

int hot(int n)
{
    return n ^ 1;
}

} // namespace work

static int all()
{
    int right = work::factorial(5) == 120 && work::catcher() == 1;
    {
        ORIEL_SPAN("own.outer");
        right = right && work::outer(3) == 4;
    }
    std::thread other([] { (void)work::factorial(3); });
    other.join();
    pid_t child = fork();
    if (child == 0)
        _exit(work::factorial(2) == 2 ? 0 : 1);
    int status = 1;
    waitpid(child, &status, 0);
    return right && status == 0 ? 0 : 1;
}

static int many(long n)
{
    timespec begin, end;
    long sum = 0;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (long i = 0; i < n; i++)
        sum += work::hot(static_cast<int>(i));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    double ns = static_cast<double>(end.tv_sec - begin.tv_sec) * 1e9 +
                static_cast<double>(end.tv_nsec - begin.tv_nsec);
    std::printf("%.1f\n", ns / static_cast<double>(n));
    return sum >= 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    return argc > 2 && std::strcmp(argv[1], "many") == 0 ? many(std::atol(argv[2])) : all();
}
