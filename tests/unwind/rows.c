/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Prints how every STEP-th function of an ELF file is left, for comparison with
 * readelf: one line "F begin end" for a function and one "va cfa reg=rule..."
 * for each of its rules, then what its row says of CFA, return address and fp.
 * On the way the same rows are asked of the search table and of the compiled
 * table: ends with 1 when they differ.
 *
 *   usage: unwind_rows FILE [STEP]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "unwind/eh_frame.h"
#include "unwind/modules.h"
#include "unwind/table.h"

static unsigned long rows, wrong;

static const char *reg_name(uint32_t arch, unsigned reg)
{
    static const char *const x86[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
                                      "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip"};
    static char arm[8];
    if (arch == UNWIND_X86_64)
        return reg < 17 ? x86[reg] : "?";
    snprintf(arm, sizeof arm, reg == UNWIND_ARM_SP ? "sp" : "x%u", reg);
    return arm;
}

static void print_rule(struct eh_rule r)
{
    switch ((enum eh_rule_kind)r.kind) {
    case EH_SAME:
        printf("s");
        break;
    case EH_UNDEFINED:
        printf("u");
        break;
    case EH_OFFSET:
        printf("c%+d", r.value);
        break;
    case EH_VAL_OFFSET:
        printf("v%+d", r.value);
        break;
    case EH_REGISTER:
        printf("r%u", r.reg);
        break;
    case EH_EXPR:
        printf("exp");
        break;
    case EH_VAL_EXPR:
        printf("vexp");
        break;
    }
}

/* What a plain row says, as readelf would write it; "-" for the others. */
static void print_row(uint32_t arch, unwind_row row)
{
    static const char *const kinds[] = {"none",  "root",  "sp",  "fp",
                                        "at-sp", "at-fp", "plt", "rules"};
    unsigned kind = unwind_row_kind(row);
    printf(" | %s", kinds[kind]);
    if (kind != UNWIND_FROM_SP && kind != UNWIND_FROM_FP)
        return;
    printf(" %s%+d",
           reg_name(arch, kind == UNWIND_FROM_SP ? unwind_sp_reg(arch) : unwind_fp_reg(arch)),
           unwind_row_cfa(row));
    if (unwind_row_flags(row) & UNWIND_RA_IN_LR)
        printf(" lr");
    else
        printf(" c%+d", 8 * unwind_row_ra(row));
    if (unwind_row_flags(row) & UNWIND_FP_FROM_FP)
        printf(" exp");
    else if (unwind_row_fp(row))
        printf(" c%+d", 8 * unwind_row_fp(row));
    else
        printf(" s");
}

static void check(const struct eh_frame *eh, const struct unwind_table *table, uint64_t va,
                  unwind_row row)
{
    unwind_row found = eh_frame_row(eh, va), compiled = unwind_table_find(table, va);
    if (found == row && compiled == row)
        return;
    fprintf(stderr, "%#llx: row %#llx, found %#llx, compiled %#llx\n", (unsigned long long)va,
            (unsigned long long)row, (unsigned long long)found, (unsigned long long)compiled);
    wrong++;
}

static void print_function(const struct eh_frame *eh, const struct unwind_table *table,
                           const struct eh_fde *fde)
{
    struct eh_machine m;
    printf("F %llx %llx\n", (unsigned long long)fde->begin, (unsigned long long)fde->end);
    if (!eh_machine_start(&m, eh, fde))
        return;
    while (eh_machine_next(&m)) {
        unwind_row row = eh_row(eh, fde, &m.rules);
        printf("%llx ", (unsigned long long)m.rules.from);
        if (m.rules.cfa.kind == EH_EXPR)
            printf("exp");
        else
            printf("%s%+d", reg_name(eh->arch, m.rules.cfa.reg), m.rules.cfa.value);
        for (unsigned i = 0; i < UNWIND_REGS; i++) {
            if (m.rules.regs[i].kind == EH_SAME)
                continue;
            printf(" %u=", i);
            print_rule(m.rules.regs[i]);
        }
        print_row(eh->arch, row);
        putchar('\n');
        check(eh, table, m.rules.from, row);
        check(eh, table, m.rules.to - 1, row);
        rows++;
    }
}

int main(int argc, char **argv)
{
    struct unwind_file *f;
    struct eh_fde fde;
    size_t offset = 0;
    unsigned long step = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    int rc = argc < 2 ? ORIEL_EINVAL : unwind_file_open(argv[1], &f);
    if (rc == ORIEL_OK)
        rc = unwind_file_compile(f);
    if (rc != ORIEL_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], err_text(rc));
        return 2;
    }
    const struct eh_frame *eh = unwind_file_eh(f);
    const struct unwind_table *table = unwind_file_table(f);
    for (unsigned long i = 0; eh_frame_next(eh, &offset, &fde); i++)
        if (i % step == 0 && fde.begin != fde.end)
            print_function(eh, table, &fde);
    fprintf(stderr, "%lu rows printed; table of %zu rows, %.1f bytes each\n", rows,
            unwind_table_rows(table),
            (double)unwind_table_bytes(table) / (double)unwind_table_rows(table));
    unwind_file_unref(f);
    return wrong ? 1 : 0;
}
