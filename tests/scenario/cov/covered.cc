/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The same of C++: templates, constructors, lambdas, exceptions, and a header's
 * functions.
 */
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace shapes
{

template <typename T> T twice(T value)
{
    if (value > T(100))
        return T(0);
    return value + value;
}

class box
{
  public:
    explicit box(int side) : side_(side)
    {
        if (side < 0)
            throw std::invalid_argument("side");
    }
    int area() const
    {
        return side_ * side_;
    }
    int volume() const
    {
        return side_ * area();
    }

  private:
    int side_;
};

int measure(int side)
{
    try {
        box b(side);
        return b.area();
    } catch (const std::exception &e) {
        return -1;
    }
}

} // namespace shapes

int main(int argc, char **argv)
{
    std::vector<int> sides = {1, 2, -3};
    auto add = [](int a, int b) { return a + b; };
    int sum = 0;
    (void)argv;
    for (int side : sides)
        sum = add(sum, shapes::measure(side));
    if (argc > 1)
        sum += shapes::box(2).volume();
    std::string text = std::to_string(shapes::twice(sum)) + " " + std::to_string(shapes::twice(1.5));
    std::printf("%s\n", text.c_str());
    return 0;
}
