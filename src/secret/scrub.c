/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One pass over a text. Sixteen bytes at a time it looks for bytes that are rare
 * and stand in every beginning of a secret; only there three tables, of the first,
 * second and third byte of what is looked for, are and-ed, and where something is
 * left the finders look. That is all a clean text costs. Any thread.
 */
#include "secret/scrub.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "secret/inside.h"

/* Each kind of beginning is a bit. */
enum bit {
    SK = 1 << 0,     /* sk- sk_ rk_ */
    AK = 1 << 1,     /* AKI ASI AIz */
    GH = 1 << 2,     /* ghp gho ghu ghs ghr git glp */
    XOX = 1 << 3,    /* xox */
    YA = 1 << 4,     /* ya2 */
    HF = 1 << 5,     /* hf_ npm dck */
    PEM = 1 << 6,    /* --- */
    JWT = 1 << 7,    /* eyJ */
    SCHEME = 1 << 8, /* bea bas, letters of any case */
    URL = 1 << 9,    /* :// */
    PAIR = 1 << 10,  /* = : whatever follows */
    ARGS = 1 << 11,  /* NUL, space */
    KNOWN = 1 << 12, /* of a secret that is known */
    FILES = 1 << 13, /* no beginning: what SCRUB_FILES says */
    SHAPES = SK | AK | GH | XOX | YA | HF | PEM | JWT | SCHEME | URL
};

/* Beginnings that are always looked for; the third byte says most. */
static const uint16_t shapes_0[256] = {
    ['s'] = SK,     ['r'] = SK,         ['A'] = AK,   ['g'] = GH,  ['x'] = XOX, ['y'] = YA,
    ['h'] = HF,     ['n'] = HF,         ['d'] = HF,   ['-'] = PEM, ['e'] = JWT, ['B'] = SCHEME,
    ['b'] = SCHEME, [':'] = URL | PAIR, ['='] = PAIR, [0] = ARGS,  [' '] = ARGS};
static const uint16_t shapes_1[256] = {
    ['k'] = SK, ['K'] = AK,  ['S'] = AK,          ['I'] = AK,     ['h'] = GH,     ['i'] = GH,
    ['l'] = GH, ['o'] = XOX, ['a'] = YA | SCHEME, ['A'] = SCHEME, ['e'] = SCHEME, ['E'] = SCHEME,
    ['f'] = HF, ['p'] = HF,  ['c'] = HF,          ['-'] = PEM,    ['y'] = JWT,    ['/'] = URL};
static const uint16_t shapes_2[256] = {
    ['-'] = SK | PEM, ['_'] = SK | HF, ['I'] = AK,          ['z'] = AK, ['p'] = GH,
    ['o'] = GH,       ['u'] = GH,      ['s'] = GH | SCHEME, ['r'] = GH, ['t'] = GH,
    ['x'] = XOX,      ['2'] = YA,      ['m'] = HF,          ['k'] = HF, ['J'] = JWT,
    ['a'] = SCHEME,   ['A'] = SCHEME,  ['S'] = SCHEME,      ['/'] = URL};
/* The first bytes of known secrets. Only ever set, before the secret can be found. */
static _Atomic unsigned char known_0[256], known_1[256], known_2[256];
/* The different ones among the first, as far as there is room; how many there are. */
enum { KNOWN_FIRSTS = 4 };
static _Atomic unsigned char known_firsts[KNOWN_FIRSTS];
static atomic_uint first_count;
static atomic_bool some_known; /* release pairs with the acquire in scrub_find */
static atomic_bool no_guessing;

void scrub_set_guessing(bool on)
{
    atomic_store_explicit(&no_guessing, !on, memory_order_relaxed);
}

bool scrub_guesses(void)
{
    return !atomic_load_explicit(&no_guessing, memory_order_relaxed);
}

void scrub_expect(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    if (!atomic_load_explicit(&known_0[u[0]], memory_order_relaxed)) {
        unsigned count = atomic_load_explicit(&first_count, memory_order_relaxed);
        if (count < KNOWN_FIRSTS)
            atomic_store_explicit(&known_firsts[count], u[0], memory_order_relaxed);
        atomic_store_explicit(&first_count, count + 1, memory_order_relaxed);
    }
    atomic_store_explicit(&known_0[u[0]], 1, memory_order_relaxed);
    atomic_store_explicit(&known_1[u[1]], 1, memory_order_relaxed);
    atomic_store_explicit(&known_2[u[2]], 1, memory_order_relaxed);
    atomic_store_explicit(&some_known, true, memory_order_release);
}

static bool known_find(const char *p, size_t n, size_t at, struct scrub_hit *out)
{
    const char *known;
    size_t known_n, longest = 0;
    for (unsigned i = 0; secret_known(i, &known, &known_n); i++)
        if (known_n <= n - at && known_n > longest && memcmp(p + at, known, known_n) == 0)
            longest = known_n;
    *out = (struct scrub_hit){at, longest};
    return longest > 0;
}

/* Place `at` begins like what `bits` say. */
static bool look(const char *p, size_t n, size_t at, unsigned bits, struct scrub_hit *out)
{
    if ((bits & KNOWN) && known_find(p, n, at, out))
        return true;
    if ((bits & SHAPES) && shape_find(p, n, at, out))
        return true;
    if ((bits & PAIR) && pair_find(p, n, at, (bits & FILES) != 0, out))
        return true;
    return (bits & ARGS) && args_find(p, n, at, out);
}

static unsigned wanted_bits(unsigned what)
{
    if (!scrub_guesses())
        what &= SCRUB_KNOWN;
    return (what & SCRUB_SHAPES ? SHAPES : 0u) | (what & SCRUB_PAIRS ? PAIR : 0u) |
           (what & SCRUB_ARGS ? ARGS : 0u) | (what & SCRUB_FILES ? FILES : 0u);
}

/* One place after the other: for short texts, command lines, and where known secrets
 * begin with too many different bytes. */
static bool find_slowly(const char *p, size_t n, size_t from, unsigned wanted, bool known,
                        struct scrub_hit *out)
{
    const unsigned char *u = (const unsigned char *)p;
    const unsigned alone = wanted & (PAIR | ARGS);
    /* Nothing shorter than SECRET_KNOWN_MIN is a secret: three bytes can be looked at. */
    for (size_t i = from; i + 2 < n; i++) {
        unsigned first = shapes_0[u[i]];
        unsigned bits =
            (first & shapes_1[u[i + 1]] & shapes_2[u[i + 2]] & wanted) | (first & alone);
        if (known && known_0[u[i]] && known_1[u[i + 1]] && known_2[u[i + 2]])
            bits |= KNOWN;
        if (bits && look(p, n, i, bits | (wanted & FILES), out))
            return true;
    }
    /* A pair whose value is one or two bytes long. */
    for (size_t i = n > 2 && from < n - 2 ? n - 2 : from; i + 1 < n && alone; i++)
        if ((shapes_0[u[i]] & alone) &&
            look(p, n, i, (shapes_0[u[i]] & alone) | (wanted & FILES), out))
            return true;
    return false;
}

/* ---- sixteen bytes at a time ---- */

/* Every beginning has a byte that is rare in clean texts, at most six bytes on. */
static const unsigned char rare[] = {'-', '_', 'I', '9', 'J', 'B', 'b', ':', '='};
/* How far before such a byte something may begin, farthest first, so that what begins
 * earlier comes first: github_ dckr_ ghp_ sk_, glpat- xoxb- sk- ---, ... */
static const struct {
    unsigned char count, back[4];
} distances[256] = {
    ['-'] = {4, {5, 4, 2, 0}}, ['_'] = {4, {6, 4, 3, 2}}, ['I'] = {2, {2, 1}}, ['9'] = {1, {3}},
    ['J'] = {1, {2}},          ['B'] = {1, {0}},          ['b'] = {1, {0}},    [':'] = {1, {0}}};

typedef unsigned char sixteen __attribute__((vector_size(16)));

struct scan {
    const char *p;
    size_t n, from;
    unsigned wanted;
    bool known;
    sixteen firsts[KNOWN_FIRSTS]; /* of known secrets */
};

static bool begins_at(const struct scan *s, size_t i, unsigned bits, struct scrub_hit *out)
{
    return bits && look(s->p, s->n, i, bits, out);
}

static bool at_rare(const struct scan *s, size_t i, struct scrub_hit *out)
{
    const unsigned char *u = (const unsigned char *)s->p;
    unsigned alone = shapes_0[u[i]] & s->wanted & PAIR;
    if (alone && i + 1 < s->n && begins_at(s, i, alone | (s->wanted & FILES), out))
        return true;
    if (s->known && i + 2 < s->n && known_0[u[i]] && known_1[u[i + 1]] && known_2[u[i + 2]] &&
        begins_at(s, i, KNOWN, out))
        return true;
    for (unsigned k = 0; k < distances[u[i]].count; k++) {
        size_t back = distances[u[i]].back[k], at = i - back;
        if (i < back || at < s->from || at + 2 >= s->n)
            continue;
        unsigned bits = shapes_0[u[at]] & shapes_1[u[at + 1]] & shapes_2[u[at + 2]] & s->wanted;
        if (begins_at(s, at, bits & SHAPES, out))
            return true;
    }
    return false;
}

/* Bytes of the block that are rare, or begin a known secret: all bits of theirs. */
static sixteen rare_bytes(const struct scan *s, sixteen block)
{
    sixteen found = (sixteen)(block == rare[0]);
    for (size_t k = 1; k < sizeof rare; k++)
        found |= (sixteen)(block == rare[k]);
    for (size_t k = 0; s->known && k < KNOWN_FIRSTS; k++)
        found |= (sixteen)(block == s->firsts[k]);
    return found;
}

/* The places from `at` on that `half` marks, eight of them. */
static bool at_each(const struct scan *s, size_t at, uint64_t half, size_t least,
                    struct scrub_hit *out)
{
    while (half) {
        unsigned byte = (unsigned)__builtin_ctzll(half) / 8;
        half &= ~((uint64_t)0xff << (byte * 8)); /* little-endian, as records are */
        if (at + byte >= least && at_rare(s, at + byte, out))
            return true;
    }
    return false;
}

static bool find_quickly(const struct scan *s, struct scrub_hit *out)
{
    for (size_t done = s->from; done < s->n;) {
        /* The last block reaches back to what was looked at. */
        size_t at = done + 16 <= s->n ? done : s->n - 16;
        sixteen block, found;
        uint64_t halves[2];
        memcpy(&block, s->p + at, 16);
        found = rare_bytes(s, block);
        memcpy(halves, &found, 16);
        if ((halves[0] | halves[1]) &&
            (at_each(s, at, halves[0], done, out) || at_each(s, at + 8, halves[1], done, out)))
            return true;
        done = at + 16;
    }
    return false;
}

bool scrub_find(const char *p, size_t n, size_t from, unsigned what, struct scrub_hit *out)
{
    assert(p || n == 0);
    bool known = (what & SCRUB_KNOWN) && atomic_load_explicit(&some_known, memory_order_acquire);
    struct scan s = {.p = p, .n = n, .from = from, .wanted = wanted_bits(what), .known = known};
    unsigned count = known ? atomic_load_explicit(&first_count, memory_order_relaxed) : 0;
    if (n < 16 || from >= n || (s.wanted & ARGS) || count > KNOWN_FIRSTS)
        return find_slowly(p, n, from, s.wanted, known, out);
    for (unsigned k = 0; known && k < KNOWN_FIRSTS; k++) {
        unsigned char first =
            atomic_load_explicit(&known_firsts[k < count ? k : 0], memory_order_relaxed);
        s.firsts[k] = (sixteen){0} + first;
    }
    return find_quickly(&s, out);
}

/* ---- taking them out ---- */

static const char mark[] = SCRUB_TEXT;
static const char short_mark[] = "***";

/* At most as long as what it stands for; how long. */
static size_t put_mark(char *to, size_t instead_of)
{
    size_t n = instead_of >= sizeof mark - 1 ? sizeof mark - 1 : sizeof short_mark - 1;
    if (n > instead_of)
        n = instead_of;
    memcpy(to, n == sizeof mark - 1 ? mark : short_mark, n);
    return n;
}

size_t scrub_in_place(char *p, size_t n, unsigned what)
{
    struct scrub_hit hit;
    size_t from = 0;
    while (scrub_find(p, n, from, what, &hit)) {
        assert(hit.n > 0 && hit.at >= from && hit.at + hit.n <= n);
        /* What was before it stays where later looks back at names need it. */
        size_t m = put_mark(p + hit.at, hit.n);
        memmove(p + hit.at + m, p + hit.at + hit.n, n - hit.at - hit.n);
        n -= hit.n - m;
        from = hit.at + m;
    }
    return n;
}

void scrub_mask_whole(char *p, size_t n)
{
    size_t m = n ? put_mark(p, n) : 0;
    memset(p + m, '*', n - m);
}

bool scrub_mask(char *p, size_t n, unsigned what)
{
    struct scrub_hit hit;
    bool any = false;
    for (size_t from = 0; scrub_find(p, n, from, what, &hit); from = hit.at + hit.n) {
        scrub_mask_whole(p + hit.at, hit.n);
        any = true;
    }
    return any;
}

void scrub_line(char *text)
{
    text[scrub_in_place(text, strlen(text), SCRUB_TEXTS)] = 0;
}
