/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Argument lists: (name, key, value, key, value, ...) turned into static
 * field tables, typed temporaries, a size and stores. Standard C11 and
 * C++17 preprocessing only. Made by tools/gen_args.py; do not edit.
 */
#ifndef ORIEL_ARGS_H
#define ORIEL_ARGS_H

/* clang-format off */
#define ORIEL_FIRST(...) ORIEL_FIRST_(__VA_ARGS__, 0)
#define ORIEL_FIRST_(a, ...) a
#define ORIEL_CAT(a, b) ORIEL_CAT_(a, b)
#define ORIEL_CAT_(a, b) a##b
#define ORIEL_PICK(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, _18, _19, _20, _21, _22, _23, _24, _25, _26, _27, _28, _29, _30, _31, _32, _33, x, ...) x
/* Number of pairs after the first argument, or ODD. */
#define ORIEL_PAIRS(...) ORIEL_PICK(__VA_ARGS__, 16, ODD, 15, ODD, 14, ODD, 13, ODD, 12, ODD, 11, ODD, 10, ODD, 9, ODD, 8, ODD, 7, ODD, 6, ODD, 5, ODD, 4, ODD, 3, ODD, 2, ODD, 1, ODD, 0, 0)
#define ORIEL_PICK_ARG(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, x, ...) x
/* Number of arguments after the first, up to 16. */
#define ORIEL_COUNT(...) ORIEL_PICK_ARG(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0)
/* (format, a, b) -> (format, "", a, "", b) */
#define ORIEL_UNNAMED(n, ...) ORIEL_CAT(ORIEL_UNNAMED_, n)(__VA_ARGS__)
#define ORIEL_UNNAMED_0(name) name
#define ORIEL_UNNAMED_1(name, v0) name, "", v0
#define ORIEL_UNNAMED_2(name, v0, v1) name, "", v0, "", v1
#define ORIEL_UNNAMED_3(name, v0, v1, v2) name, "", v0, "", v1, "", v2
#define ORIEL_UNNAMED_4(name, v0, v1, v2, v3) name, "", v0, "", v1, "", v2, "", v3
#define ORIEL_UNNAMED_5(name, v0, v1, v2, v3, v4) name, "", v0, "", v1, "", v2, "", v3, "", v4
#define ORIEL_UNNAMED_6(name, v0, v1, v2, v3, v4, v5) name, "", v0, "", v1, "", v2, "", v3, "", v4, "", v5
#define ORIEL_UNNAMED_7(name, v0, v1, v2, v3, v4, v5, v6) name, "", v0, "", v1, "", v2, "", v3, "", v4, "", v5, "", v6
#define ORIEL_UNNAMED_8(name, v0, v1, v2, v3, v4, v5, v6, v7) name, "", v0, "", v1, "", v2, "", v3, "", v4, "", v5, "", v6, "", v7
#define ORIEL_UNNAMED_9(name, v0, v1, v2, v3, v4, v5, v6, v7, v8) name, "", v0, "", v1, "", v2, "", v3, "", v4, "", v5, "", v6, "", v7, "", v8
#define ORIEL_UNNAMED_10(name, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9) name, "", v0, "", v1, "", v2, "", v3, "", v4, "", v5, "", v6, "", v7, "", v8, "", v9
#define ORIEL_UNNAMED_11(name, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10) name, "", v0, "", v1, "", v2, "", v3, "", v4, "", v5, "", v6, "", v7, "", v8, "", v9, "", v10
#define ORIEL_UNNAMED_12(name, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11) name, "", v0, "", v1, "", v2, "", v3, "", v4, "", v5, "", v6, "", v7, "", v8, "", v9, "", v10, "", v11
#define ORIEL_UNNAMED_13(name, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12) name, "", v0, "", v1, "", v2, "", v3, "", v4, "", v5, "", v6, "", v7, "", v8, "", v9, "", v10, "", v11, "", v12
#define ORIEL_UNNAMED_14(name, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13) name, "", v0, "", v1, "", v2, "", v3, "", v4, "", v5, "", v6, "", v7, "", v8, "", v9, "", v10, "", v11, "", v12, "", v13
#define ORIEL_UNNAMED_15(name, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14) name, "", v0, "", v1, "", v2, "", v3, "", v4, "", v5, "", v6, "", v7, "", v8, "", v9, "", v10, "", v11, "", v12, "", v13, "", v14
#define ORIEL_UNNAMED_16(name, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15) name, "", v0, "", v1, "", v2, "", v3, "", v4, "", v5, "", v6, "", v7, "", v8, "", v9, "", v10, "", v11, "", v12, "", v13, "", v14, "", v15

#define ORIEL_FIELDS(n, ...) ORIEL_CAT(ORIEL_FIELDS_, n)(n, __VA_ARGS__)
#define ORIEL_FIELDS_ODD(n, ...) ORIEL_ERROR_a_field_needs_a_name_and_a_value
#define ORIEL_FIELDS_0(n, name)
#define ORIEL_FIELDS_1(n, name, k0, v0) ORIEL_FIELDS_ONE(n, k0, v0)
#define ORIEL_FIELDS_2(n, name, k0, v0, k1, v1) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1)
#define ORIEL_FIELDS_3(n, name, k0, v0, k1, v1, k2, v2) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2)
#define ORIEL_FIELDS_4(n, name, k0, v0, k1, v1, k2, v2, k3, v3) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3)
#define ORIEL_FIELDS_5(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4)
#define ORIEL_FIELDS_6(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4) ORIEL_FIELDS_ONE(n, k5, v5)
#define ORIEL_FIELDS_7(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4) ORIEL_FIELDS_ONE(n, k5, v5) ORIEL_FIELDS_ONE(n, k6, v6)
#define ORIEL_FIELDS_8(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4) ORIEL_FIELDS_ONE(n, k5, v5) ORIEL_FIELDS_ONE(n, k6, v6) ORIEL_FIELDS_ONE(n, k7, v7)
#define ORIEL_FIELDS_9(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4) ORIEL_FIELDS_ONE(n, k5, v5) ORIEL_FIELDS_ONE(n, k6, v6) ORIEL_FIELDS_ONE(n, k7, v7) ORIEL_FIELDS_ONE(n, k8, v8)
#define ORIEL_FIELDS_10(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4) ORIEL_FIELDS_ONE(n, k5, v5) ORIEL_FIELDS_ONE(n, k6, v6) ORIEL_FIELDS_ONE(n, k7, v7) ORIEL_FIELDS_ONE(n, k8, v8) ORIEL_FIELDS_ONE(n, k9, v9)
#define ORIEL_FIELDS_11(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4) ORIEL_FIELDS_ONE(n, k5, v5) ORIEL_FIELDS_ONE(n, k6, v6) ORIEL_FIELDS_ONE(n, k7, v7) ORIEL_FIELDS_ONE(n, k8, v8) ORIEL_FIELDS_ONE(n, k9, v9) ORIEL_FIELDS_ONE(n, k10, v10)
#define ORIEL_FIELDS_12(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4) ORIEL_FIELDS_ONE(n, k5, v5) ORIEL_FIELDS_ONE(n, k6, v6) ORIEL_FIELDS_ONE(n, k7, v7) ORIEL_FIELDS_ONE(n, k8, v8) ORIEL_FIELDS_ONE(n, k9, v9) ORIEL_FIELDS_ONE(n, k10, v10) ORIEL_FIELDS_ONE(n, k11, v11)
#define ORIEL_FIELDS_13(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4) ORIEL_FIELDS_ONE(n, k5, v5) ORIEL_FIELDS_ONE(n, k6, v6) ORIEL_FIELDS_ONE(n, k7, v7) ORIEL_FIELDS_ONE(n, k8, v8) ORIEL_FIELDS_ONE(n, k9, v9) ORIEL_FIELDS_ONE(n, k10, v10) ORIEL_FIELDS_ONE(n, k11, v11) ORIEL_FIELDS_ONE(n, k12, v12)
#define ORIEL_FIELDS_14(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4) ORIEL_FIELDS_ONE(n, k5, v5) ORIEL_FIELDS_ONE(n, k6, v6) ORIEL_FIELDS_ONE(n, k7, v7) ORIEL_FIELDS_ONE(n, k8, v8) ORIEL_FIELDS_ONE(n, k9, v9) ORIEL_FIELDS_ONE(n, k10, v10) ORIEL_FIELDS_ONE(n, k11, v11) ORIEL_FIELDS_ONE(n, k12, v12) ORIEL_FIELDS_ONE(n, k13, v13)
#define ORIEL_FIELDS_15(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13, k14, v14) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4) ORIEL_FIELDS_ONE(n, k5, v5) ORIEL_FIELDS_ONE(n, k6, v6) ORIEL_FIELDS_ONE(n, k7, v7) ORIEL_FIELDS_ONE(n, k8, v8) ORIEL_FIELDS_ONE(n, k9, v9) ORIEL_FIELDS_ONE(n, k10, v10) ORIEL_FIELDS_ONE(n, k11, v11) ORIEL_FIELDS_ONE(n, k12, v12) ORIEL_FIELDS_ONE(n, k13, v13) ORIEL_FIELDS_ONE(n, k14, v14)
#define ORIEL_FIELDS_16(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13, k14, v14, k15, v15) ORIEL_FIELDS_ONE(n, k0, v0) ORIEL_FIELDS_ONE(n, k1, v1) ORIEL_FIELDS_ONE(n, k2, v2) ORIEL_FIELDS_ONE(n, k3, v3) ORIEL_FIELDS_ONE(n, k4, v4) ORIEL_FIELDS_ONE(n, k5, v5) ORIEL_FIELDS_ONE(n, k6, v6) ORIEL_FIELDS_ONE(n, k7, v7) ORIEL_FIELDS_ONE(n, k8, v8) ORIEL_FIELDS_ONE(n, k9, v9) ORIEL_FIELDS_ONE(n, k10, v10) ORIEL_FIELDS_ONE(n, k11, v11) ORIEL_FIELDS_ONE(n, k12, v12) ORIEL_FIELDS_ONE(n, k13, v13) ORIEL_FIELDS_ONE(n, k14, v14) ORIEL_FIELDS_ONE(n, k15, v15)
#define ORIEL_FIELDS_ONE(n, k, v) {k, ORIEL_TYPE_OF(v), 0},

#define ORIEL_TEMPS(n, ...) ORIEL_CAT(ORIEL_TEMPS_, n)(n, __VA_ARGS__)
#define ORIEL_TEMPS_ODD(n, ...) ORIEL_ERROR_a_field_needs_a_name_and_a_value
#define ORIEL_TEMPS_0(n, name)
#define ORIEL_TEMPS_1(n, name, k0, v0) ORIEL_TEMPS_ONE_0(n, k0, v0)
#define ORIEL_TEMPS_2(n, name, k0, v0, k1, v1) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1)
#define ORIEL_TEMPS_3(n, name, k0, v0, k1, v1, k2, v2) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2)
#define ORIEL_TEMPS_4(n, name, k0, v0, k1, v1, k2, v2, k3, v3) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3)
#define ORIEL_TEMPS_5(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4)
#define ORIEL_TEMPS_6(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4) ORIEL_TEMPS_ONE_5(n, k5, v5)
#define ORIEL_TEMPS_7(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4) ORIEL_TEMPS_ONE_5(n, k5, v5) ORIEL_TEMPS_ONE_6(n, k6, v6)
#define ORIEL_TEMPS_8(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4) ORIEL_TEMPS_ONE_5(n, k5, v5) ORIEL_TEMPS_ONE_6(n, k6, v6) ORIEL_TEMPS_ONE_7(n, k7, v7)
#define ORIEL_TEMPS_9(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4) ORIEL_TEMPS_ONE_5(n, k5, v5) ORIEL_TEMPS_ONE_6(n, k6, v6) ORIEL_TEMPS_ONE_7(n, k7, v7) ORIEL_TEMPS_ONE_8(n, k8, v8)
#define ORIEL_TEMPS_10(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4) ORIEL_TEMPS_ONE_5(n, k5, v5) ORIEL_TEMPS_ONE_6(n, k6, v6) ORIEL_TEMPS_ONE_7(n, k7, v7) ORIEL_TEMPS_ONE_8(n, k8, v8) ORIEL_TEMPS_ONE_9(n, k9, v9)
#define ORIEL_TEMPS_11(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4) ORIEL_TEMPS_ONE_5(n, k5, v5) ORIEL_TEMPS_ONE_6(n, k6, v6) ORIEL_TEMPS_ONE_7(n, k7, v7) ORIEL_TEMPS_ONE_8(n, k8, v8) ORIEL_TEMPS_ONE_9(n, k9, v9) ORIEL_TEMPS_ONE_10(n, k10, v10)
#define ORIEL_TEMPS_12(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4) ORIEL_TEMPS_ONE_5(n, k5, v5) ORIEL_TEMPS_ONE_6(n, k6, v6) ORIEL_TEMPS_ONE_7(n, k7, v7) ORIEL_TEMPS_ONE_8(n, k8, v8) ORIEL_TEMPS_ONE_9(n, k9, v9) ORIEL_TEMPS_ONE_10(n, k10, v10) ORIEL_TEMPS_ONE_11(n, k11, v11)
#define ORIEL_TEMPS_13(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4) ORIEL_TEMPS_ONE_5(n, k5, v5) ORIEL_TEMPS_ONE_6(n, k6, v6) ORIEL_TEMPS_ONE_7(n, k7, v7) ORIEL_TEMPS_ONE_8(n, k8, v8) ORIEL_TEMPS_ONE_9(n, k9, v9) ORIEL_TEMPS_ONE_10(n, k10, v10) ORIEL_TEMPS_ONE_11(n, k11, v11) ORIEL_TEMPS_ONE_12(n, k12, v12)
#define ORIEL_TEMPS_14(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4) ORIEL_TEMPS_ONE_5(n, k5, v5) ORIEL_TEMPS_ONE_6(n, k6, v6) ORIEL_TEMPS_ONE_7(n, k7, v7) ORIEL_TEMPS_ONE_8(n, k8, v8) ORIEL_TEMPS_ONE_9(n, k9, v9) ORIEL_TEMPS_ONE_10(n, k10, v10) ORIEL_TEMPS_ONE_11(n, k11, v11) ORIEL_TEMPS_ONE_12(n, k12, v12) ORIEL_TEMPS_ONE_13(n, k13, v13)
#define ORIEL_TEMPS_15(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13, k14, v14) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4) ORIEL_TEMPS_ONE_5(n, k5, v5) ORIEL_TEMPS_ONE_6(n, k6, v6) ORIEL_TEMPS_ONE_7(n, k7, v7) ORIEL_TEMPS_ONE_8(n, k8, v8) ORIEL_TEMPS_ONE_9(n, k9, v9) ORIEL_TEMPS_ONE_10(n, k10, v10) ORIEL_TEMPS_ONE_11(n, k11, v11) ORIEL_TEMPS_ONE_12(n, k12, v12) ORIEL_TEMPS_ONE_13(n, k13, v13) ORIEL_TEMPS_ONE_14(n, k14, v14)
#define ORIEL_TEMPS_16(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13, k14, v14, k15, v15) ORIEL_TEMPS_ONE_0(n, k0, v0) ORIEL_TEMPS_ONE_1(n, k1, v1) ORIEL_TEMPS_ONE_2(n, k2, v2) ORIEL_TEMPS_ONE_3(n, k3, v3) ORIEL_TEMPS_ONE_4(n, k4, v4) ORIEL_TEMPS_ONE_5(n, k5, v5) ORIEL_TEMPS_ONE_6(n, k6, v6) ORIEL_TEMPS_ONE_7(n, k7, v7) ORIEL_TEMPS_ONE_8(n, k8, v8) ORIEL_TEMPS_ONE_9(n, k9, v9) ORIEL_TEMPS_ONE_10(n, k10, v10) ORIEL_TEMPS_ONE_11(n, k11, v11) ORIEL_TEMPS_ONE_12(n, k12, v12) ORIEL_TEMPS_ONE_13(n, k13, v13) ORIEL_TEMPS_ONE_14(n, k14, v14) ORIEL_TEMPS_ONE_15(n, k15, v15)
#define ORIEL_TEMPS_ONE_0(n, k, v) ORIEL_AUTO oriel_v0 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_1(n, k, v) ORIEL_AUTO oriel_v1 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_2(n, k, v) ORIEL_AUTO oriel_v2 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_3(n, k, v) ORIEL_AUTO oriel_v3 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_4(n, k, v) ORIEL_AUTO oriel_v4 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_5(n, k, v) ORIEL_AUTO oriel_v5 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_6(n, k, v) ORIEL_AUTO oriel_v6 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_7(n, k, v) ORIEL_AUTO oriel_v7 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_8(n, k, v) ORIEL_AUTO oriel_v8 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_9(n, k, v) ORIEL_AUTO oriel_v9 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_10(n, k, v) ORIEL_AUTO oriel_v10 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_11(n, k, v) ORIEL_AUTO oriel_v11 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_12(n, k, v) ORIEL_AUTO oriel_v12 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_13(n, k, v) ORIEL_AUTO oriel_v13 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_14(n, k, v) ORIEL_AUTO oriel_v14 = oriel_take(k, ORIEL_VAL(v), n);
#define ORIEL_TEMPS_ONE_15(n, k, v) ORIEL_AUTO oriel_v15 = oriel_take(k, ORIEL_VAL(v), n);

#define ORIEL_SIZES(n, ...) ORIEL_CAT(ORIEL_SIZES_, n)(n, __VA_ARGS__)
#define ORIEL_SIZES_ODD(n, ...) ORIEL_ERROR_a_field_needs_a_name_and_a_value
#define ORIEL_SIZES_0(n, name)
#define ORIEL_SIZES_1(n, name, k0, v0) ORIEL_SIZES_ONE_0(n, k0, v0)
#define ORIEL_SIZES_2(n, name, k0, v0, k1, v1) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1)
#define ORIEL_SIZES_3(n, name, k0, v0, k1, v1, k2, v2) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2)
#define ORIEL_SIZES_4(n, name, k0, v0, k1, v1, k2, v2, k3, v3) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3)
#define ORIEL_SIZES_5(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4)
#define ORIEL_SIZES_6(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4) ORIEL_SIZES_ONE_5(n, k5, v5)
#define ORIEL_SIZES_7(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4) ORIEL_SIZES_ONE_5(n, k5, v5) ORIEL_SIZES_ONE_6(n, k6, v6)
#define ORIEL_SIZES_8(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4) ORIEL_SIZES_ONE_5(n, k5, v5) ORIEL_SIZES_ONE_6(n, k6, v6) ORIEL_SIZES_ONE_7(n, k7, v7)
#define ORIEL_SIZES_9(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4) ORIEL_SIZES_ONE_5(n, k5, v5) ORIEL_SIZES_ONE_6(n, k6, v6) ORIEL_SIZES_ONE_7(n, k7, v7) ORIEL_SIZES_ONE_8(n, k8, v8)
#define ORIEL_SIZES_10(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4) ORIEL_SIZES_ONE_5(n, k5, v5) ORIEL_SIZES_ONE_6(n, k6, v6) ORIEL_SIZES_ONE_7(n, k7, v7) ORIEL_SIZES_ONE_8(n, k8, v8) ORIEL_SIZES_ONE_9(n, k9, v9)
#define ORIEL_SIZES_11(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4) ORIEL_SIZES_ONE_5(n, k5, v5) ORIEL_SIZES_ONE_6(n, k6, v6) ORIEL_SIZES_ONE_7(n, k7, v7) ORIEL_SIZES_ONE_8(n, k8, v8) ORIEL_SIZES_ONE_9(n, k9, v9) ORIEL_SIZES_ONE_10(n, k10, v10)
#define ORIEL_SIZES_12(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4) ORIEL_SIZES_ONE_5(n, k5, v5) ORIEL_SIZES_ONE_6(n, k6, v6) ORIEL_SIZES_ONE_7(n, k7, v7) ORIEL_SIZES_ONE_8(n, k8, v8) ORIEL_SIZES_ONE_9(n, k9, v9) ORIEL_SIZES_ONE_10(n, k10, v10) ORIEL_SIZES_ONE_11(n, k11, v11)
#define ORIEL_SIZES_13(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4) ORIEL_SIZES_ONE_5(n, k5, v5) ORIEL_SIZES_ONE_6(n, k6, v6) ORIEL_SIZES_ONE_7(n, k7, v7) ORIEL_SIZES_ONE_8(n, k8, v8) ORIEL_SIZES_ONE_9(n, k9, v9) ORIEL_SIZES_ONE_10(n, k10, v10) ORIEL_SIZES_ONE_11(n, k11, v11) ORIEL_SIZES_ONE_12(n, k12, v12)
#define ORIEL_SIZES_14(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4) ORIEL_SIZES_ONE_5(n, k5, v5) ORIEL_SIZES_ONE_6(n, k6, v6) ORIEL_SIZES_ONE_7(n, k7, v7) ORIEL_SIZES_ONE_8(n, k8, v8) ORIEL_SIZES_ONE_9(n, k9, v9) ORIEL_SIZES_ONE_10(n, k10, v10) ORIEL_SIZES_ONE_11(n, k11, v11) ORIEL_SIZES_ONE_12(n, k12, v12) ORIEL_SIZES_ONE_13(n, k13, v13)
#define ORIEL_SIZES_15(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13, k14, v14) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4) ORIEL_SIZES_ONE_5(n, k5, v5) ORIEL_SIZES_ONE_6(n, k6, v6) ORIEL_SIZES_ONE_7(n, k7, v7) ORIEL_SIZES_ONE_8(n, k8, v8) ORIEL_SIZES_ONE_9(n, k9, v9) ORIEL_SIZES_ONE_10(n, k10, v10) ORIEL_SIZES_ONE_11(n, k11, v11) ORIEL_SIZES_ONE_12(n, k12, v12) ORIEL_SIZES_ONE_13(n, k13, v13) ORIEL_SIZES_ONE_14(n, k14, v14)
#define ORIEL_SIZES_16(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13, k14, v14, k15, v15) ORIEL_SIZES_ONE_0(n, k0, v0) ORIEL_SIZES_ONE_1(n, k1, v1) ORIEL_SIZES_ONE_2(n, k2, v2) ORIEL_SIZES_ONE_3(n, k3, v3) ORIEL_SIZES_ONE_4(n, k4, v4) ORIEL_SIZES_ONE_5(n, k5, v5) ORIEL_SIZES_ONE_6(n, k6, v6) ORIEL_SIZES_ONE_7(n, k7, v7) ORIEL_SIZES_ONE_8(n, k8, v8) ORIEL_SIZES_ONE_9(n, k9, v9) ORIEL_SIZES_ONE_10(n, k10, v10) ORIEL_SIZES_ONE_11(n, k11, v11) ORIEL_SIZES_ONE_12(n, k12, v12) ORIEL_SIZES_ONE_13(n, k13, v13) ORIEL_SIZES_ONE_14(n, k14, v14) ORIEL_SIZES_ONE_15(n, k15, v15)
#define ORIEL_SIZES_ONE_0(n, k, v) +ORIEL_SIZE(oriel_v0)
#define ORIEL_SIZES_ONE_1(n, k, v) +ORIEL_SIZE(oriel_v1)
#define ORIEL_SIZES_ONE_2(n, k, v) +ORIEL_SIZE(oriel_v2)
#define ORIEL_SIZES_ONE_3(n, k, v) +ORIEL_SIZE(oriel_v3)
#define ORIEL_SIZES_ONE_4(n, k, v) +ORIEL_SIZE(oriel_v4)
#define ORIEL_SIZES_ONE_5(n, k, v) +ORIEL_SIZE(oriel_v5)
#define ORIEL_SIZES_ONE_6(n, k, v) +ORIEL_SIZE(oriel_v6)
#define ORIEL_SIZES_ONE_7(n, k, v) +ORIEL_SIZE(oriel_v7)
#define ORIEL_SIZES_ONE_8(n, k, v) +ORIEL_SIZE(oriel_v8)
#define ORIEL_SIZES_ONE_9(n, k, v) +ORIEL_SIZE(oriel_v9)
#define ORIEL_SIZES_ONE_10(n, k, v) +ORIEL_SIZE(oriel_v10)
#define ORIEL_SIZES_ONE_11(n, k, v) +ORIEL_SIZE(oriel_v11)
#define ORIEL_SIZES_ONE_12(n, k, v) +ORIEL_SIZE(oriel_v12)
#define ORIEL_SIZES_ONE_13(n, k, v) +ORIEL_SIZE(oriel_v13)
#define ORIEL_SIZES_ONE_14(n, k, v) +ORIEL_SIZE(oriel_v14)
#define ORIEL_SIZES_ONE_15(n, k, v) +ORIEL_SIZE(oriel_v15)

#define ORIEL_PUTS(n, ...) ORIEL_CAT(ORIEL_PUTS_, n)(n, __VA_ARGS__)
#define ORIEL_PUTS_ODD(n, ...) ORIEL_ERROR_a_field_needs_a_name_and_a_value
#define ORIEL_PUTS_0(n, name)
#define ORIEL_PUTS_1(n, name, k0, v0) ORIEL_PUTS_ONE_0(n, k0, v0)
#define ORIEL_PUTS_2(n, name, k0, v0, k1, v1) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1)
#define ORIEL_PUTS_3(n, name, k0, v0, k1, v1, k2, v2) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2)
#define ORIEL_PUTS_4(n, name, k0, v0, k1, v1, k2, v2, k3, v3) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3)
#define ORIEL_PUTS_5(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4)
#define ORIEL_PUTS_6(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4) ORIEL_PUTS_ONE_5(n, k5, v5)
#define ORIEL_PUTS_7(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4) ORIEL_PUTS_ONE_5(n, k5, v5) ORIEL_PUTS_ONE_6(n, k6, v6)
#define ORIEL_PUTS_8(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4) ORIEL_PUTS_ONE_5(n, k5, v5) ORIEL_PUTS_ONE_6(n, k6, v6) ORIEL_PUTS_ONE_7(n, k7, v7)
#define ORIEL_PUTS_9(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4) ORIEL_PUTS_ONE_5(n, k5, v5) ORIEL_PUTS_ONE_6(n, k6, v6) ORIEL_PUTS_ONE_7(n, k7, v7) ORIEL_PUTS_ONE_8(n, k8, v8)
#define ORIEL_PUTS_10(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4) ORIEL_PUTS_ONE_5(n, k5, v5) ORIEL_PUTS_ONE_6(n, k6, v6) ORIEL_PUTS_ONE_7(n, k7, v7) ORIEL_PUTS_ONE_8(n, k8, v8) ORIEL_PUTS_ONE_9(n, k9, v9)
#define ORIEL_PUTS_11(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4) ORIEL_PUTS_ONE_5(n, k5, v5) ORIEL_PUTS_ONE_6(n, k6, v6) ORIEL_PUTS_ONE_7(n, k7, v7) ORIEL_PUTS_ONE_8(n, k8, v8) ORIEL_PUTS_ONE_9(n, k9, v9) ORIEL_PUTS_ONE_10(n, k10, v10)
#define ORIEL_PUTS_12(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4) ORIEL_PUTS_ONE_5(n, k5, v5) ORIEL_PUTS_ONE_6(n, k6, v6) ORIEL_PUTS_ONE_7(n, k7, v7) ORIEL_PUTS_ONE_8(n, k8, v8) ORIEL_PUTS_ONE_9(n, k9, v9) ORIEL_PUTS_ONE_10(n, k10, v10) ORIEL_PUTS_ONE_11(n, k11, v11)
#define ORIEL_PUTS_13(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4) ORIEL_PUTS_ONE_5(n, k5, v5) ORIEL_PUTS_ONE_6(n, k6, v6) ORIEL_PUTS_ONE_7(n, k7, v7) ORIEL_PUTS_ONE_8(n, k8, v8) ORIEL_PUTS_ONE_9(n, k9, v9) ORIEL_PUTS_ONE_10(n, k10, v10) ORIEL_PUTS_ONE_11(n, k11, v11) ORIEL_PUTS_ONE_12(n, k12, v12)
#define ORIEL_PUTS_14(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4) ORIEL_PUTS_ONE_5(n, k5, v5) ORIEL_PUTS_ONE_6(n, k6, v6) ORIEL_PUTS_ONE_7(n, k7, v7) ORIEL_PUTS_ONE_8(n, k8, v8) ORIEL_PUTS_ONE_9(n, k9, v9) ORIEL_PUTS_ONE_10(n, k10, v10) ORIEL_PUTS_ONE_11(n, k11, v11) ORIEL_PUTS_ONE_12(n, k12, v12) ORIEL_PUTS_ONE_13(n, k13, v13)
#define ORIEL_PUTS_15(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13, k14, v14) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4) ORIEL_PUTS_ONE_5(n, k5, v5) ORIEL_PUTS_ONE_6(n, k6, v6) ORIEL_PUTS_ONE_7(n, k7, v7) ORIEL_PUTS_ONE_8(n, k8, v8) ORIEL_PUTS_ONE_9(n, k9, v9) ORIEL_PUTS_ONE_10(n, k10, v10) ORIEL_PUTS_ONE_11(n, k11, v11) ORIEL_PUTS_ONE_12(n, k12, v12) ORIEL_PUTS_ONE_13(n, k13, v13) ORIEL_PUTS_ONE_14(n, k14, v14)
#define ORIEL_PUTS_16(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13, k14, v14, k15, v15) ORIEL_PUTS_ONE_0(n, k0, v0) ORIEL_PUTS_ONE_1(n, k1, v1) ORIEL_PUTS_ONE_2(n, k2, v2) ORIEL_PUTS_ONE_3(n, k3, v3) ORIEL_PUTS_ONE_4(n, k4, v4) ORIEL_PUTS_ONE_5(n, k5, v5) ORIEL_PUTS_ONE_6(n, k6, v6) ORIEL_PUTS_ONE_7(n, k7, v7) ORIEL_PUTS_ONE_8(n, k8, v8) ORIEL_PUTS_ONE_9(n, k9, v9) ORIEL_PUTS_ONE_10(n, k10, v10) ORIEL_PUTS_ONE_11(n, k11, v11) ORIEL_PUTS_ONE_12(n, k12, v12) ORIEL_PUTS_ONE_13(n, k13, v13) ORIEL_PUTS_ONE_14(n, k14, v14) ORIEL_PUTS_ONE_15(n, k15, v15)
#define ORIEL_PUTS_ONE_0(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v0);
#define ORIEL_PUTS_ONE_1(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v1);
#define ORIEL_PUTS_ONE_2(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v2);
#define ORIEL_PUTS_ONE_3(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v3);
#define ORIEL_PUTS_ONE_4(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v4);
#define ORIEL_PUTS_ONE_5(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v5);
#define ORIEL_PUTS_ONE_6(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v6);
#define ORIEL_PUTS_ONE_7(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v7);
#define ORIEL_PUTS_ONE_8(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v8);
#define ORIEL_PUTS_ONE_9(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v9);
#define ORIEL_PUTS_ONE_10(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v10);
#define ORIEL_PUTS_ONE_11(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v11);
#define ORIEL_PUTS_ONE_12(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v12);
#define ORIEL_PUTS_ONE_13(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v13);
#define ORIEL_PUTS_ONE_14(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v14);
#define ORIEL_PUTS_ONE_15(n, k, v) oriel_at = ORIEL_PUT(oriel_at, oriel_v15);

#define ORIEL_VALUES(n, ...) ORIEL_CAT(ORIEL_VALUES_, n)(n, __VA_ARGS__)
#define ORIEL_VALUES_ODD(n, ...) ORIEL_ERROR_a_field_needs_a_name_and_a_value
#define ORIEL_VALUES_0(n, name)
#define ORIEL_VALUES_1(n, name, k0, v0) ORIEL_VALUES_ONE(n, k0, v0)
#define ORIEL_VALUES_2(n, name, k0, v0, k1, v1) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1)
#define ORIEL_VALUES_3(n, name, k0, v0, k1, v1, k2, v2) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2)
#define ORIEL_VALUES_4(n, name, k0, v0, k1, v1, k2, v2, k3, v3) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3)
#define ORIEL_VALUES_5(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4)
#define ORIEL_VALUES_6(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4) ORIEL_VALUES_ONE(n, k5, v5)
#define ORIEL_VALUES_7(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4) ORIEL_VALUES_ONE(n, k5, v5) ORIEL_VALUES_ONE(n, k6, v6)
#define ORIEL_VALUES_8(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4) ORIEL_VALUES_ONE(n, k5, v5) ORIEL_VALUES_ONE(n, k6, v6) ORIEL_VALUES_ONE(n, k7, v7)
#define ORIEL_VALUES_9(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4) ORIEL_VALUES_ONE(n, k5, v5) ORIEL_VALUES_ONE(n, k6, v6) ORIEL_VALUES_ONE(n, k7, v7) ORIEL_VALUES_ONE(n, k8, v8)
#define ORIEL_VALUES_10(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4) ORIEL_VALUES_ONE(n, k5, v5) ORIEL_VALUES_ONE(n, k6, v6) ORIEL_VALUES_ONE(n, k7, v7) ORIEL_VALUES_ONE(n, k8, v8) ORIEL_VALUES_ONE(n, k9, v9)
#define ORIEL_VALUES_11(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4) ORIEL_VALUES_ONE(n, k5, v5) ORIEL_VALUES_ONE(n, k6, v6) ORIEL_VALUES_ONE(n, k7, v7) ORIEL_VALUES_ONE(n, k8, v8) ORIEL_VALUES_ONE(n, k9, v9) ORIEL_VALUES_ONE(n, k10, v10)
#define ORIEL_VALUES_12(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4) ORIEL_VALUES_ONE(n, k5, v5) ORIEL_VALUES_ONE(n, k6, v6) ORIEL_VALUES_ONE(n, k7, v7) ORIEL_VALUES_ONE(n, k8, v8) ORIEL_VALUES_ONE(n, k9, v9) ORIEL_VALUES_ONE(n, k10, v10) ORIEL_VALUES_ONE(n, k11, v11)
#define ORIEL_VALUES_13(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4) ORIEL_VALUES_ONE(n, k5, v5) ORIEL_VALUES_ONE(n, k6, v6) ORIEL_VALUES_ONE(n, k7, v7) ORIEL_VALUES_ONE(n, k8, v8) ORIEL_VALUES_ONE(n, k9, v9) ORIEL_VALUES_ONE(n, k10, v10) ORIEL_VALUES_ONE(n, k11, v11) ORIEL_VALUES_ONE(n, k12, v12)
#define ORIEL_VALUES_14(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4) ORIEL_VALUES_ONE(n, k5, v5) ORIEL_VALUES_ONE(n, k6, v6) ORIEL_VALUES_ONE(n, k7, v7) ORIEL_VALUES_ONE(n, k8, v8) ORIEL_VALUES_ONE(n, k9, v9) ORIEL_VALUES_ONE(n, k10, v10) ORIEL_VALUES_ONE(n, k11, v11) ORIEL_VALUES_ONE(n, k12, v12) ORIEL_VALUES_ONE(n, k13, v13)
#define ORIEL_VALUES_15(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13, k14, v14) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4) ORIEL_VALUES_ONE(n, k5, v5) ORIEL_VALUES_ONE(n, k6, v6) ORIEL_VALUES_ONE(n, k7, v7) ORIEL_VALUES_ONE(n, k8, v8) ORIEL_VALUES_ONE(n, k9, v9) ORIEL_VALUES_ONE(n, k10, v10) ORIEL_VALUES_ONE(n, k11, v11) ORIEL_VALUES_ONE(n, k12, v12) ORIEL_VALUES_ONE(n, k13, v13) ORIEL_VALUES_ONE(n, k14, v14)
#define ORIEL_VALUES_16(n, name, k0, v0, k1, v1, k2, v2, k3, v3, k4, v4, k5, v5, k6, v6, k7, v7, k8, v8, k9, v9, k10, v10, k11, v11, k12, v12, k13, v13, k14, v14, k15, v15) ORIEL_VALUES_ONE(n, k0, v0) ORIEL_VALUES_ONE(n, k1, v1) ORIEL_VALUES_ONE(n, k2, v2) ORIEL_VALUES_ONE(n, k3, v3) ORIEL_VALUES_ONE(n, k4, v4) ORIEL_VALUES_ONE(n, k5, v5) ORIEL_VALUES_ONE(n, k6, v6) ORIEL_VALUES_ONE(n, k7, v7) ORIEL_VALUES_ONE(n, k8, v8) ORIEL_VALUES_ONE(n, k9, v9) ORIEL_VALUES_ONE(n, k10, v10) ORIEL_VALUES_ONE(n, k11, v11) ORIEL_VALUES_ONE(n, k12, v12) ORIEL_VALUES_ONE(n, k13, v13) ORIEL_VALUES_ONE(n, k14, v14) ORIEL_VALUES_ONE(n, k15, v15)
#define ORIEL_VALUES_ONE(n, k, v) oriel_box(ORIEL_TYPE_OF(v), oriel_take(k, ORIEL_VAL(v), n)),
/* clang-format on */

#endif
