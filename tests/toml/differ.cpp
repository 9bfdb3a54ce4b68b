// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Our reader beside tomlplusplus: documents put together from pieces, right
// ones and wrong ones, and cut or mixed up. Both refuse, or both give the same
// tree. There is no list of exceptions.
//
//   usage: differ DOCUMENTS FILE...
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <toml++/toml.h>

extern "C" {
#include "tagged.h"
}

namespace
{

// ---- their tree as the same JSON ----

toml_time date_of(const toml::date &d)
{
    toml_time t = {};
    t.year = static_cast<uint16_t>(d.year);
    t.month = d.month;
    t.day = d.day;
    return t;
}

// The digits of a fraction are ours to print: as few as say it.
void set_clock(toml_time &t, const toml::time &c)
{
    t.hour = c.hour;
    t.minute = c.minute;
    t.second = c.second;
    t.ns = c.nanosecond;
    t.digits = 9;
}

void put_node(json *j, const toml::node &n)
{
    if (auto table = n.as_table()) {
        json_object(j);
        for (auto &&[key, value] : *table) {
            json_key_n(j, key.str().data(), key.str().size());
            put_node(j, value);
        }
        json_object_end(j);
    } else if (auto array = n.as_array()) {
        json_array(j);
        for (auto &&item : *array)
            put_node(j, item);
        json_array_end(j);
    } else if (auto s = n.as_string()) {
        tagged_string(j, s->get().data(), s->get().size());
    } else if (auto i = n.as_integer()) {
        tagged_integer(j, i->get());
    } else if (auto f = n.as_floating_point()) {
        tagged_float(j, f->get());
    } else if (auto b = n.as_boolean()) {
        tagged_bool(j, b->get());
    } else if (auto d = n.as_date()) {
        toml_time t = date_of(d->get());
        tagged_time(j, TOML_DATE, &t);
    } else if (auto c = n.as_time()) {
        toml_time t = {};
        set_clock(t, c->get());
        tagged_time(j, TOML_TIME, &t);
    } else if (auto both = n.as_date_time()) {
        toml_time t = date_of(both->get().date);
        set_clock(t, both->get().time);
        if (both->get().offset)
            t.offset_min = both->get().offset->minutes;
        tagged_time(j, both->get().offset ? TOML_DATETIME : TOML_DATETIME_LOCAL, &t);
    }
}

void full_digits(toml_value *v)
{
    if (v->type >= TOML_DATETIME && v->type <= TOML_TIME)
        v->time.digits = 9;
    for (toml_value *item = v->type >= TOML_ARRAY ? v->first : nullptr; item; item = item->next)
        full_digits(item);
}

// A line's end inside a string may be kept or made "\n": readers are free.
void same_line_ends(std::string &json)
{
    for (size_t at; (at = json.find("\\r\\n")) != std::string::npos;)
        json.erase(at, 2);
}

struct answer {
    bool accepted;
    std::string text; // JSON, or why not
};

answer ask_ours(const std::string &text)
{
    arena memory;
    toml_doc *doc;
    oriel_err err = {};
    answer out = {false, ""};
    arena_init(&memory);
    out.accepted = toml_read(&memory, text.data(), text.size(), nullptr, &doc, &err) == 0;
    if (out.accepted) {
        buf b;
        json j;
        buf_init(&b);
        json_init(&j, &b);
        full_digits(doc->root);
        tagged_value(&j, doc->root);
        out.text.assign(b.data, b.size);
        same_line_ends(out.text);
        buf_done(&b);
    } else {
        out.text = err.text;
    }
    arena_done(&memory);
    return out;
}

answer ask_theirs(const std::string &text)
{
    try {
        toml::table root = toml::parse(text);
        buf b;
        json j;
        buf_init(&b);
        json_init(&j, &b);
        put_node(&j, root);
        answer out = {true, std::string(b.data, b.size)};
        same_line_ends(out.text);
        buf_done(&b);
        return out;
    } catch (const toml::parse_error &e) {
        return {false, std::string(e.description())};
    }
}

// ---- documents ----

uint64_t state = 88172645463325252u;

size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? static_cast<size_t>(state % n) : 0;
}

template <size_t N> std::string one_of(const char *const (&list)[N])
{
    return list[below(N)];
}

std::string key()
{
    static const char *const parts[] = {"a", "b", "c", "d-1", "'e f'", "\"g\\u00e9\"", "7", "''"};
    std::string out = one_of(parts);
    while (below(3) == 0)
        out += (below(8) ? "." : " . ") + one_of(parts);
    return out;
}

const char *const plain[] = {"1",
                             "-17",
                             "+1_0",
                             "0",
                             "-0",
                             "0x1F",
                             "0o17",
                             "0b101",
                             "9223372036854775807",
                             "-9223372036854775808",
                             "9223372036854775808",
                             "01",
                             "1__0",
                             "_1",
                             "1_",
                             "0xg",
                             "0x",
                             "1.5",
                             "-0.0",
                             "3.0e2",
                             "1e10",
                             "6.02_2e+23",
                             "1.",
                             ".5",
                             "1.e2",
                             "1e",
                             "1e5.0",
                             "1e308",
                             "-1e309",
                             "1e-400",
                             "inf",
                             "-inf",
                             "+nan",
                             "Inf",
                             "true",
                             "false",
                             "True",
                             "yes",
                             "1979-05-27",
                             "1979-05-27T07:32:00Z",
                             "1979-05-27 07:32:00.5",
                             "1979-05-27t07:32:00.123456789-07:30",
                             "07:32:00",
                             "23:59:59.25",
                             "24:00:00",
                             "2023-02-29",
                             "2024-02-29",
                             "1979-13-01",
                             "1979-5-27",
                             "''",
                             "'x\\y'",
                             "\"\"",
                             "\"a\\tb\\\"c\\\\\"",
                             "\"\\u00e9\\U0001F600\"",
                             "\"\\ud800\"",
                             "\"\\q\"",
                             "\"\xc3\xa9\"",
                             "\"a",
                             "'a",
                             "\"\"\"\none \\\n\n  two\"\"\"",
                             "'''\nraw \\ ''x'' '''",
                             "\"\"\"\"a\"\"\"\"",
                             "'''''a'''''",
                             "\"\"\"a\r\nb\"\"\"",
                             "\"\"\"\"\"\"",
                             ""};

std::string value(unsigned depth)
{
    size_t pick = depth < 4 ? below(10) : 0;
    std::string out;
    if (pick < 7)
        return one_of(plain);
    if (pick < 9) {
        for (size_t n = below(4); n; n--)
            out += (below(4) ? " " : "\n# c\n") + value(depth + 1) +
                   (n > 1 || below(4) == 0 ? "," : "");
        return "[" + out + "]";
    }
    for (size_t n = below(4); n; n--)
        out += " " + key() + " = " + value(depth + 1) + (n > 1 ? "," : "");
    return "{" + out + " }";
}

std::string document()
{
    static const char *const ends[] = {"\n",   "\n",   "\n", "\r\n", " # \xe2\x82\xac\n",
                                       "\n\n", " \t\n"};
    std::string out;
    for (size_t n = 1 + below(8); n; n--) {
        size_t pick = below(10);
        if (pick < 6)
            out += key() + (below(4) ? " = " : "=") + value(0);
        else if (pick < 8)
            out += "[" + key() + "]";
        else
            out += "[[" + key() + "]]";
        out += one_of(ends);
    }
    return out;
}

// Some bytes cut out, doubled, or exchanged for ones that mean something.
std::string mutated(std::string text)
{
    static const char bytes[] = "\"'[]{}=.,#\\\n -+_0179abe:TZx\t";
    for (size_t n = below(4); n && !text.empty(); n--) {
        size_t at = below(text.size()), size = 1 + below(4);
        switch (below(3)) {
        case 0:
            text.erase(at, size);
            break;
        case 1:
            text.insert(at, text.substr(below(text.size()), size));
            break;
        default:
            text[at] = bytes[below(sizeof bytes - 1)];
        }
    }
    return text;
}

struct tally {
    size_t documents, accepted, different;
};

void compare(const std::string &text, tally &t)
{
    answer ours = ask_ours(text), theirs = ask_theirs(text);
    t.documents++;
    t.accepted += ours.accepted;
    if (ours.accepted == theirs.accepted && (!ours.accepted || ours.text == theirs.text))
        return;
    if (t.different++ < 10)
        std::printf("---- document\n%s\n---- ours, %s: %s\n---- theirs, %s: %s\n", text.c_str(),
                    ours.accepted ? "accepted" : "refused", ours.text.c_str(),
                    theirs.accepted ? "accepted" : "refused", theirs.text.c_str());
}

std::string file_text(const char *path)
{
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

} // namespace

int main(int argc, char **argv)
{
    tally t = {};
    size_t documents = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000;
    for (int i = 2; i < argc; i++) {
        std::string text = file_text(argv[i]);
        compare(text, t);
        for (size_t n = documents / 20; n; n--)
            compare(mutated(text), t);
    }
    for (size_t n = documents; n; n--) {
        std::string text = document();
        compare(text, t);
        compare(mutated(text), t);
    }
    std::printf("%zu documents, %zu of them TOML: %zu answered differently\n", t.documents,
                t.accepted, t.different);
    return t.different || t.accepted < t.documents / 20 ? 1 : 0;
}
