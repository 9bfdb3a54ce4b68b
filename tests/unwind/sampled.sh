#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Stacks of programs that know nothing of us and have no frame pointers.
#
#   usage: sampled.sh UNWIND_SAMPLED sqlite3|clang-14
set -euo pipefail
sampled=$1 program=$2
command -v "$program" >/dev/null || { echo "$program is not installed"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
case $program in
sqlite3)
  cat >work.sql <<'SQL'
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 120000)
insert into t select i, 'row ' || (i * 7919 % 100003), i / 3.0 from n;
create index t_b on t(b);
select count(*), sum(c) from t where b like '%77%';
select b, count(*) from t group by substr(b, 1, 6) order by 2 desc limit 3;
select count(*) from t x join t y on x.b = y.b where x.a % 5 = 0;
SQL
  "$sampled" 97 sqlite3 -batch -init /dev/null :memory: ".read work.sql"
  ;;
*)
  cat >work.cpp <<'CPP'
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>
template <int N> struct fold { static int f(int x) { return fold<N - 1>::f(x) + N; } };
template <> struct fold<0> { static int f(int x) { return x; } };
int main(int argc, char **argv)
{
    std::map<std::string, std::vector<std::function<int(int)>>> m;
    for (int i = 0; i < argc; i++)
        m[argv[i]].push_back(fold<300>::f);
    std::regex r("a(b*)c");
    std::unordered_map<int, std::string> u;
    std::sort(argv, argv + argc);
    std::cout << m.size() + u.size() << std::regex_match("abc", r) << std::endl;
}
CPP
  "$sampled" 97 "$program" -O2 -c work.cpp -o work.o
  ;;
esac
