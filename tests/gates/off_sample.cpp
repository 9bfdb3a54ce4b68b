/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The C++ side of off_sample.c: annotations in templates, inline functions,
 * lambdas, constructors and next to exceptions.
 */
#define ORIEL_TARGET "sample.cpp"
#include <oriel/oriel.h>
#include <cstddef>
#include <cstdint>

int sample_work(const char *what);
int sample_catch(int n);
int sample_templates();
int sample_lambda(int n);
int sample_member(int n);

template <class T> T sample_twice(T value)
{
    ORIEL_SPAN("twice", "value", value);
    ORIEL_PLOT("twice", value);
    return value + value;
}

inline int sample_inline(int n)
{
    ORIEL_FN();
    ORIEL_INFO("inline", "n", n, "even", (n & 1) == 0);
    return sample_work("inline") + n;
}

class Sampler
{
  public:
    explicit Sampler(int n) : count(n)
    {
        ORIEL_EVENT("sampler.new", "count", count);
    }
    int run(const char *name)
    {
        ORIEL_SPAN("sampler.run", "name", name, "self", this);
        for (int i = 0; i < count; i++) {
            ORIEL_SPAN_AT(ORIEL_LEVEL_DEBUG, "round", "i", i);
            if (sample_work(name) > 3)
                return i;
        }
        ORIEL_WARN("not found", "count", count, ORIEL_SECRET("name", name));
        return -1;
    }

  private:
    int count;
};

int sample_member(int n)
{
    Sampler s(n);
    ORIEL_SPAN("member");
    return s.run("x") + sample_inline(n);
}

int sample_templates()
{
    ORIEL_SPAN("templates");
    return sample_twice(3) + (int)sample_twice(1.5) + (int)sample_twice(7u);
}

int sample_lambda(int n)
{
    auto add = [&](int m) {
        ORIEL_SPAN("lambda", "m", m);
        return sample_work("lambda") + n + m;
    };
    ORIEL_LOGF(ORIEL_LEVEL_INFO, "%d and %s", n, "text");
    return add(1) + add(2);
}

int sample_catch(int n)
{
    ORIEL_SPAN("catch", "n", n);
    try {
        ORIEL_SPAN("try");
        if (sample_work("try") > n)
            throw n;
    } catch (int caught) {
        ORIEL_ERROR("caught", "value", caught);
        return caught;
    }
    ORIEL_SPAN_SET("status", 0);
    return 0;
}
