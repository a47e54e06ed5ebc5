/* reader.c - bounded reading of bytes from a peer.
 *
 * Invariants: p <= end; once bad, p == end, so that every further read fails by the same check that
 * guards the bounds. */
#include "reader.h"

#include <endian.h>
#include <string.h>

void stint__reader_init(struct stint__reader *r, const void *data, size_t len)
{
    static const uint8_t nothing[1];
    r->p = data != NULL ? data : nothing;
    r->end = r->p + (data != NULL ? len : 0);
    r->bad = false;
}

/* The next n bytes, or NULL and bad. */
static const uint8_t *take(struct stint__reader *r, uint64_t n)
{
    if (r->bad || n > stint__reader_left(r)) {
        r->bad = true;
        r->p = r->end;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}

uint8_t stint__read_u8(struct stint__reader *r)
{
    const uint8_t *p = take(r, 1);
    return p != NULL ? *p : 0;
}

/* The next n bytes, or zeros and bad. */
static void take_into(struct stint__reader *r, void *out, size_t n)
{
    const uint8_t *p = take(r, n);
    memset(out, 0, n);
    if (p != NULL)
        memcpy(out, p, n);
}

uint32_t stint__read_be32(struct stint__reader *r)
{
    uint32_t v;
    take_into(r, &v, sizeof v);
    return be32toh(v);
}

uint64_t stint__read_be64(struct stint__reader *r)
{
    uint64_t v;
    take_into(r, &v, sizeof v);
    return be64toh(v);
}

uint32_t stint__read_le32(struct stint__reader *r)
{
    uint32_t v;
    take_into(r, &v, sizeof v);
    return le32toh(v);
}

uint64_t stint__read_le64(struct stint__reader *r)
{
    uint64_t v;
    take_into(r, &v, sizeof v);
    return le64toh(v);
}

uint64_t stint__read_long_varint(struct stint__reader *r)
{
    uint64_t v = 0;
    const uint8_t *p = r->p;
    for (unsigned shift = 0; shift < 64 && p < r->end; shift += 7) {
        uint64_t byte = *p++;
        if (shift == 63 && byte > 1) /* the tenth byte has room for one bit */
            break;
        v |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            r->p = p;
            return v;
        }
    }
    r->bad = true;
    r->p = r->end;
    return 0;
}

struct stint__slice stint__read_bytes(struct stint__reader *r, uint64_t len)
{
    const uint8_t *p = take(r, len);
    return p != NULL ? (struct stint__slice){p, (size_t)len} : (struct stint__slice){r->end, 0};
}

/* The length of the well-formed sequence at p (Unicode 15, table 3-7), 0 if there is none. */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
    uint8_t lead = p[0];
    if (lead >= 0x01 && lead <= 0x7F)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    size_t n = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (n > left)
        return 0;
    /* The second byte's range rules out overlong forms, surrogates and what is past U+10FFFF. */
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xC0u) != 0x80u)
            return 0;
    }
    return n;
}

/* True if all eight bytes are ASCII and none is NUL. */
static bool eight_plain(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    const uint64_t ones = UINT64_C(0x0101010101010101);
    return ((w | (w - ones)) & (ones << 7)) == 0;
}

bool stint__utf8_valid(struct stint__slice s)
{
    size_t i = 0;
    while (i < s.len) {
        size_t n =
            s.len - i >= 8 && eight_plain(s.data + i) ? 8 : utf8_sequence(s.data + i, s.len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}
