/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The same log statement through spdlog: synchronous to a file.
 */
#include "bench.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

static std::shared_ptr<spdlog::logger> logger;

static void log_three(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        logger->info("{} items in {} batches, {:.2f} s", static_cast<int>(i), 7, 0.25);
        BENCH_BARRIER();
    }
}
static void log_off(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        logger->debug("{} items in {} batches, {:.2f} s", static_cast<int>(i), 7, 0.25);
        BENCH_BARRIER();
    }
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], nullptr, 10) : 100000;
    logger = spdlog::basic_logger_mt("bench", "/dev/null");
    static bench_op ops[2];
    ops[0].name = "spdlog_log", ops[0].fn = log_three, ops[0].n = n;
    ops[1].name = "spdlog_off", ops[1].fn = log_off, ops[1].n = n * 10;
    bench_all(ops, 2, "");
    return 0;
}
