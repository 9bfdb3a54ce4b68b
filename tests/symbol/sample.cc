// SPDX-License-Identifier: MIT OR Apache-2.0
// What the oracle is asked about: templates, lambdas, virtual calls, exceptions, local classes.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace shapes {
struct shape {
    virtual ~shape() = default;
    virtual double area() const = 0;
};
template <typename T> struct box : shape {
    T w, h;
    box(T a, T b)
    {
        w = a;
        h = b;
    }
    double area() const override
    {
        return double(w) * double(h);
    }
};
struct disc : shape {
    double r;
    explicit disc(double x)
    {
        r = x;
    }
    double area() const override
    {
        return 3.14159 * r * r;
    }
};
} // namespace shapes

namespace {
template <typename F> double sum_of(const std::vector<std::unique_ptr<shapes::shape>> &all, F f)
{
    double sum = 0;
    for (const auto &s : all)
        sum += f(*s);
    return sum;
}
int checked(int x)
{
    if (x % 37 == 0)
        throw std::runtime_error("bad " + std::to_string(x));
    return x;
}
} // namespace

int main(int argc, char **)
{
    std::vector<std::unique_ptr<shapes::shape>> all;
    std::map<std::string, int> counts;
    for (int i = 0; i < 200 * argc; i++) {
        if (i % 3)
            all.push_back(std::make_unique<shapes::box<int>>(i, i + 1));
        else
            all.push_back(std::make_unique<shapes::disc>(i));
        try {
            counts["k" + std::to_string(checked(i) % 10)]++;
        } catch (const std::exception &e) {
            counts[e.what()]++;
        }
    }
    struct local {
        static int weigh(int x) { return [x](int y) { return x * y + 1; }(x + 2); }
    };
    std::function<double(const shapes::shape &)> area = [&](const shapes::shape &s) {
        return s.area() + local::weigh(int(all.size()));
    };
    std::sort(all.begin(), all.end(),
              [](const auto &a, const auto &b) { return a->area() < b->area(); });
    std::ostringstream out;
    for (const auto &[key, n] : counts)
        out << key << '=' << n << ' ';
    std::cout << out.str() << sum_of(all, area) << '\n';
}
