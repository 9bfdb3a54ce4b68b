/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lengths of x86-64 instructions from four tables of letters, one per opcode,
 * and the few kinds that matter. AArch64 is regular. Reads memory only.
 */
#include "symbol/insn.h"

#include <assert.h>
#include <elf.h>

/* What follows an opcode:
 *   .  nothing        m  a ModRM byte with what it asks for
 *   1  2  3           so many bytes
 *   z  4 bytes, 2 with the operand prefix
 *   v  as z, 8 with REX.W                 4  always 4
 *   a  an address of 8 bytes, 4 with the address prefix
 *   b  as m, and 1 byte                   w  as m, and as z
 *   f  as m, and 1 byte if its middle is 0 or 1     g  the same with z
 *   x  no such instruction in 64-bit mode */
static const char one_byte[257] = "mmmm1zxxmmmm1zxx"  /* 00 */
                                  "mmmm1zxxmmmm1zxx"  /* 10 */
                                  "mmmm1zxxmmmm1zxx"  /* 20 */
                                  "mmmm1zxxmmmm1zxx"  /* 30 */
                                  "xxxxxxxxxxxxxxxx"  /* 40: REX */
                                  "................"  /* 50 */
                                  "xxxmxxxxzw1b...."  /* 60 */
                                  "1111111111111111"  /* 70 */
                                  "bwxbmmmmmmmmmmmm"  /* 80 */
                                  "..........x....."  /* 90 */
                                  "aaaa....1z......"  /* a0 */
                                  "11111111vvvvvvvv"  /* b0 */
                                  "bb2.xxbw3.2..1x."  /* c0 */
                                  "mmmmxxx.mmmmmmmm"  /* d0 */
                                  "1111111144x1...."  /* e0 */
                                  "x.xx..fg......mm"; /* f0 */
static const char two_byte[257] = "mmmmx.....x.xm.b"  /* 00 */
                                  "mmmmmmmmmmmmmmmm"  /* 10 */
                                  "mmmmxxxxmmmmmmmm"  /* 20 */
                                  "......x.xxxxxxxx"  /* 30 */
                                  "mmmmmmmmmmmmmmmm"  /* 40 */
                                  "mmmmmmmmmmmmmmmm"  /* 50 */
                                  "mmmmmmmmmmmmmmmm"  /* 60 */
                                  "bbbbmmm.mmmmmmmm"  /* 70 */
                                  "4444444444444444"  /* 80 */
                                  "mmmmmmmmmmmmmmmm"  /* 90 */
                                  "...mbmmm...mbmmm"  /* a0 */
                                  "mmmmmmmmmmbmmmmm"  /* b0 */
                                  "mmbmbbbm........"  /* c0 */
                                  "mmmmmmmmmmmmmmmm"  /* d0 */
                                  "mmmmmmmmmmmmmmmm"  /* e0 */
                                  "mmmmmmmmmmmmmmmm"; /* f0 */

/* One x86 instruction while it is read. */
struct x86 {
    struct reader r;
    bool operand16, address32, rex_w, notrack;
    uint8_t opcode, modrm;
    unsigned map; /* 1: one byte, 2: 0f, 3: 0f 38, 4: 0f 3a */
    char shape;
};

static bool is_prefix(struct x86 *x, uint8_t byte)
{
    switch (byte) {
    case 0x66:
        x->operand16 = true;
        return true;
    case 0x67:
        x->address32 = true;
        return true;
    case 0x3e:
        x->notrack = true;
        return true;
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x64:
    case 0x65:
    case 0xf0:
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return false;
    }
}

/* The shape of an opcode of the maps that VEX and EVEX number alike. */
static char shape_of(unsigned map, uint8_t opcode)
{
    return map == 1 ? one_byte[opcode] : map == 2 ? two_byte[opcode] : map == 4 ? 'b' : 'm';
}

/* VEX (c4, c5) and EVEX (62): the map, then the opcode. */
static void read_vector(struct x86 *x, uint8_t first)
{
    unsigned map = 1;
    if (first != 0xc5)
        map = rd_u8(&x->r) & (first == 0x62 ? 7 : 31);
    rd_skip(&x->r, first == 0x62 ? 2 : 1);
    x->opcode = rd_u8(&x->r);
    x->map = map + 1; /* theirs begin with 0f */
    x->shape = map == 0 || map == 4 || map > 6 ? 'x' : shape_of(x->map, x->opcode);
}

static void read_opcode(struct x86 *x)
{
    uint8_t byte = rd_u8(&x->r);
    while (!x->r.bad && is_prefix(x, byte))
        byte = rd_u8(&x->r);
    if ((byte & 0xf0) == 0x40) {
        x->rex_w = byte & 8;
        byte = rd_u8(&x->r);
    }
    if (byte == 0xc4 || byte == 0xc5 || byte == 0x62) {
        read_vector(x, byte);
        return;
    }
    x->map = 1;
    if (byte == 0x0f) {
        byte = rd_u8(&x->r);
        x->map = byte == 0x38 ? 3 : byte == 0x3a ? 4 : 2;
        if (x->map > 2)
            byte = rd_u8(&x->r);
    }
    x->opcode = byte;
    x->shape = shape_of(x->map, byte);
}

static void read_modrm(struct x86 *x)
{
    x->modrm = rd_u8(&x->r);
    unsigned mod = x->modrm >> 6, rm = x->modrm & 7;
    if (mod == 3)
        return;
    if (rm == 4) {
        uint8_t sib = rd_u8(&x->r);
        if (mod == 0 && (sib & 7) == 5)
            rd_skip(&x->r, 4);
    } else if (mod == 0 && rm == 5) {
        rd_skip(&x->r, 4);
    }
    rd_skip(&x->r, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

static void read_rest(struct x86 *x)
{
    uint64_t z = x->operand16 && !x->rex_w ? 2 : 4;
    if (strchr("mbwfg", x->shape))
        read_modrm(x);
    bool tested = (x->modrm >> 3 & 7) < 2;
    switch (x->shape) {
    case '1':
    case '2':
    case '3':
    case '4':
        rd_skip(&x->r, (uint64_t)(x->shape - '0'));
        break;
    case 'z':
    case 'w':
        rd_skip(&x->r, z);
        break;
    case 'v':
        rd_skip(&x->r, x->rex_w ? 8 : z);
        break;
    case 'a':
        rd_skip(&x->r, x->address32 ? 4 : 8);
        break;
    case 'b':
        rd_skip(&x->r, 1);
        break;
    case 'f':
        rd_skip(&x->r, tested ? 1 : 0);
        break;
    case 'g':
        rd_skip(&x->r, tested ? z : 0);
        break;
    default:
        break;
    }
}

static enum insn_kind kind_of(const struct x86 *x, struct bytes code)
{
    static const uint8_t nop5[5] = {0x0f, 0x1f, 0x44, 0, 0};
    if (x->map == 2) {
        if (x->opcode == 0x1f)
            return code.n >= 5 && memcmp(code.p, nop5, 5) == 0 ? INSN_NOP5 : INSN_NOP;
        return (x->opcode & 0xf0) == 0x80 ? INSN_BRANCH : INSN_OTHER;
    }
    if (x->map != 1)
        return INSN_OTHER;
    if ((x->opcode & 0xf8) == 0x50)
        return INSN_PUSH;
    if ((x->opcode & 0xf0) == 0x70 || (x->opcode & 0xfc) == 0xe0)
        return INSN_BRANCH;
    switch (x->opcode) {
    case 0x90:
        return INSN_NOP;
    case 0xc2:
    case 0xc3:
        return INSN_RETURN;
    case 0xe8:
        return INSN_CALL;
    case 0xe9:
    case 0xeb:
        return INSN_JUMP;
    case 0xff:
        return (x->modrm >> 3 & 7) == 4 ? INSN_JUMP_FAR : INSN_OTHER;
    default:
        return INSN_OTHER;
    }
}

static bool decode_x86(struct bytes code, uint64_t address, struct insn *out)
{
    struct x86 x = {.r = rd_at(bytes_part(code, 0, 15), 0)};
    read_opcode(&x);
    if (x.r.bad || x.shape == 'x')
        return false;
    read_rest(&x);
    if (x.r.bad)
        return false;
    *out = (struct insn){.bytes = (uint8_t)(x.r.p - code.p), .kind = kind_of(&x, code)};
    if (out->kind != INSN_JUMP && out->kind != INSN_BRANCH && out->kind != INSN_CALL)
        return true;
    unsigned n = x.shape == '1' ? 1 : 4;
    int64_t by = 0;
    memcpy(&by, x.r.p - n, n);
    by = n == 1 ? (int8_t)by : (int32_t)by;
    out->target = address + out->bytes + (uint64_t)by;
    return true;
}

/* A signed field of `bits` bits from bit `at`, in instructions. */
static uint64_t offset_of(uint32_t word, unsigned at, unsigned bits)
{
    int64_t field = (int64_t)((uint64_t)word << (64 - bits - at)) >> (64 - bits);
    return (uint64_t)(field * 4);
}

static bool decode_arm(struct bytes code, uint64_t address, struct insn *out)
{
    uint32_t w;
    if (code.n < sizeof w)
        return false;
    memcpy(&w, code.p, sizeof w);
    *out = (struct insn){.bytes = 4};
    if ((w & 0xfffffc1f) == 0xd65f0000)
        out->kind = INSN_RETURN;
    else if ((w & 0xfffffc1f) == 0xd61f0000)
        out->kind = INSN_JUMP_FAR;
    else if (w == 0xd503201f)
        out->kind = INSN_NOP;
    else if ((w & 0xfc000000) == 0x14000000 || (w & 0xfc000000) == 0x94000000)
        out->kind = w >> 31 ? INSN_CALL : INSN_JUMP;
    else if ((w & 0xff000010) == 0x54000000)
        out->kind = INSN_BRANCH;
    if (out->kind == INSN_CALL || out->kind == INSN_JUMP)
        out->target = address + offset_of(w, 0, 26);
    else if (out->kind == INSN_BRANCH)
        out->target = address + offset_of(w, 5, 19);
    return true;
}

bool insn_decode(uint16_t machine, struct bytes code, uint64_t address, struct insn *out)
{
    if (!code.p || code.n == 0)
        return false;
    return machine == EM_X86_64    ? decode_x86(code, address, out)
           : machine == EM_AARCH64 ? decode_arm(code, address, out)
                                   : false;
}

bool insn_is_cheap(enum insn_kind kind)
{
    assert(kind <= INSN_RETURN);
    return kind != INSN_OTHER && kind != INSN_JUMP_FAR && kind != INSN_RETURN;
}
