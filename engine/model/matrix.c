/*
 * matrix.c: weights repacked for the kernels, and the activations' buffers; see kernel.h.
 *
 * A row group (16 outputs) of a quantised matrix is, with nb = k / 32 blocks,
 *
 *     codes   nb x 512 bytes: byte (j * 16 + n) * 4 + i is the code of row n, column
 *             4 j + i of the block (j = 0..7). MATRIX_Q4: nb x 256 bytes, column j < 4 in
 *             the low nibble, j + 4 in the high one.
 *     scales  nb x groups per block x 16, half or fp32
 *     minima  the same again, with has_min only
 *
 * padded to 64 bytes. MATRIX_F32 is k x 16 floats. Rows from n to n_pad are zero.
 * Thread: any; nothing is shared.
 */
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/mem.h"
#include "model/kernel.h"

enum { HUGE_PAGE = 2 << 20, ALIGN = 64 };

enum cai_status matrix_arena_init(struct matrix_arena *a, size_t bytes, char *err,
                                  size_t errlen)
{
    char *raw, *base;
    size_t head;

    memset(a, 0, sizeof *a);
    if (bytes > SIZE_MAX / 2)
        return err_nomem(err, errlen, "the weights");
    bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (bytes == 0)
        bytes = HUGE_PAGE;
    raw = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED)
        return err_nomem(err, errlen, "the weights");
    head = (HUGE_PAGE - (uintptr_t)raw % HUGE_PAGE) % HUGE_PAGE;
    base = raw + head;
    if (head)
        munmap(raw, head);
    munmap(base + bytes, HUGE_PAGE - head);
    madvise(base, bytes, MADV_HUGEPAGE); /* advice: slower without, not wrong */
    a->base = base;
    a->bytes = bytes;
    return CAI_OK;
}

void matrix_arena_free(struct matrix_arena *a)
{
    if (a->base)
        munmap(a->base, a->bytes);
    memset(a, 0, sizeof *a);
}

size_t matrix_n_groups(const struct matrix *w)
{
    return w->n_pad / KERNEL_LANES;
}

static size_t scale_bytes(const struct matrix *w)
{
    return w->scale_f16 ? 2 : 4;
}

static size_t scales_per_block(const struct matrix *w)
{
    return w->layout == MATRIX_Q8X16 ? 2 : 1;
}

static size_t code_bytes(const struct matrix *w)
{
    return w->layout == MATRIX_Q4 ? 256 : 512;
}

/* Fills everything but data. 0 when the shape does not fit the type or size_t. */
static int describe(struct matrix *w, const struct quant_type *t, size_t n, size_t k)
{
    size_t per_block;

    memset(w, 0, sizeof *w);
    if (n == 0 || k == 0 || k % t->block_len || n > SIZE_MAX - KERNEL_LANES)
        return 0;
    w->n = n;
    w->k = k;
    w->n_pad = (n + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    w->offset = t->offset;
    w->has_min = t->has_min;
    w->scale_f16 = t->scale_f16;
    if (t->bits == 0) {
        w->layout = MATRIX_F32;
        if (!mem_mul(&w->group_bytes, k, KERNEL_LANES * sizeof(float)))
            return 0;
    } else {
        w->layout = t->bits == 4 ? MATRIX_Q4 : t->group == 16 ? MATRIX_Q8X16 : MATRIX_Q8;
        per_block = code_bytes(w) + (size_t)(1 + w->has_min) * scales_per_block(w) *
                                        KERNEL_LANES * scale_bytes(w);
        if (!mem_mul(&w->group_bytes, k / KERNEL_BLOCK, per_block) ||
            w->group_bytes > SIZE_MAX - ALIGN)
            return 0;
        w->group_bytes = (w->group_bytes + ALIGN - 1) / ALIGN * ALIGN;
    }
    return mem_mul(&w->bytes, matrix_n_groups(w), w->group_bytes);
}

size_t matrix_bytes(const struct quant_type *t, size_t n, size_t k)
{
    struct matrix w;
    return describe(&w, t, n, k) ? w.bytes : 0;
}

/* Where the parts of row `row`, block b begin. */
struct place {
    uint8_t *codes, *scales, *mins;
};

static struct place place_of(const struct matrix *w, size_t row, size_t b)
{
    size_t nb = w->k / KERNEL_BLOCK, lane = row % KERNEL_LANES;
    size_t stride = scales_per_block(w) * KERNEL_LANES * scale_bytes(w);
    uint8_t *group = (uint8_t *)w->data + row / KERNEL_LANES * w->group_bytes;
    struct place at;

    at.codes = group + b * code_bytes(w) + lane * 4;
    at.scales = group + nb * code_bytes(w) + b * stride + lane * scale_bytes(w);
    at.mins = at.scales + nb * stride;
    return at;
}

static void put_scale(const struct matrix *w, uint8_t *dst, float f)
{
    uint16_t half;

    if (w->scale_f16) {
        half = quant_f32_to_f16(f);
        memcpy(dst, &half, sizeof half);
    } else {
        memcpy(dst, &f, sizeof f);
    }
}

static float get_scale(const struct matrix *w, const uint8_t *src)
{
    uint16_t half;
    float f;

    if (w->scale_f16) {
        memcpy(&half, src, sizeof half);
        return quant_f16_to_f32(half);
    }
    memcpy(&f, src, sizeof f);
    return f;
}

/* 32 codes of one row and block, with their scales. */
static void pack_block(const struct matrix *w, size_t row, size_t b, const uint8_t *q,
                       const float *scale, const float *min)
{
    struct place at = place_of(w, row, b);
    size_t lane_step = KERNEL_LANES * scale_bytes(w);

    if (w->layout == MATRIX_Q4) {
        for (size_t j = 0; j < 4; j++) {
            uint32_t low, high; /* four codes each, below 16: no carry between them */
            memcpy(&low, q + 4 * j, sizeof low);
            memcpy(&high, q + 4 * (j + 4), sizeof high);
            low |= high << 4;
            memcpy(at.codes + j * 64, &low, sizeof low);
        }
    } else {
        for (size_t j = 0; j < 8; j++)
            memcpy(at.codes + j * 64, q + 4 * j, 4);
    }
    for (size_t g = 0; g < scales_per_block(w); g++) {
        put_scale(w, at.scales + g * lane_step, scale[g]);
        if (w->has_min)
            put_scale(w, at.mins + g * lane_step, min[g]);
    }
}

static void pack_row(const struct matrix *w, const struct quant_type *t, size_t row,
                     const uint8_t *src)
{
    struct quant_codes c;

    for (size_t i = 0; i < w->k; i += t->block_len, src += t->block_bytes) {
        t->unpack(&c, src);
        for (size_t j = 0; j < t->block_len; j += KERNEL_BLOCK)
            pack_block(w, row, (i + j) / KERNEL_BLOCK, c.q + j, c.scale + j / t->group,
                       c.min + j / t->group);
    }
}

static void pack_row_f32(const struct matrix *w, const struct quant_type *t, size_t row,
                         const uint8_t *src)
{
    float buf[KERNEL_BLOCK];
    float *dst =
        (float *)w->data + row / KERNEL_LANES * w->k * KERNEL_LANES + row % KERNEL_LANES;

    for (size_t i = 0; i < w->k; i += KERNEL_BLOCK) {
        size_t len = w->k - i < KERNEL_BLOCK ? w->k - i : KERNEL_BLOCK;
        t->to_f32(buf, src + i * t->block_bytes, len);
        for (size_t j = 0; j < len; j++)
            dst[(i + j) * KERNEL_LANES] = buf[j];
    }
}

enum cai_status matrix_pack(struct matrix *dst, struct matrix_arena *arena,
                            const struct quant_type *t, const void *rows, size_t n,
                            size_t k, char *err, size_t errlen)
{
    struct matrix w;
    size_t row_bytes;
    const uint8_t *src = rows;

    memset(dst, 0, sizeof *dst);
    if (!describe(&w, t, n, k))
        return err_set(CAI_UNSUPPORTED, err, errlen,
                       "a %s matrix of %zu x %zu; rows must be a multiple of %u wide",
                       t->name, n, k, (unsigned)t->block_len);
    if (w.bytes > arena->bytes - arena->used)
        return err_set(CAI_LIMIT, err, errlen,
                       "the weights need more than the %zu bytes set aside for them",
                       arena->bytes);
    w.data = arena->base + arena->used;
    arena->used += w.bytes;
    row_bytes = quant_row_bytes(t, k);
    for (size_t row = 0; row < n; row++, src += row_bytes) {
        if (w.layout == MATRIX_F32)
            pack_row_f32(&w, t, row, src);
        else
            pack_row(&w, t, row, src);
    }
    *dst = w;
    return CAI_OK;
}

void matrix_row(float *dst, const struct matrix *w, size_t row)
{
    if (w->layout == MATRIX_F32) {
        const float *src = (const float *)w->data +
                           row / KERNEL_LANES * w->k * KERNEL_LANES + row % KERNEL_LANES;
        for (size_t i = 0; i < w->k; i++)
            dst[i] = src[i * KERNEL_LANES];
        return;
    }
    for (size_t i = 0; i < w->k; i++) {
        size_t col = i % KERNEL_BLOCK, j = col / 4, g = col / 16;
        struct place at = place_of(w, row, i / KERNEL_BLOCK);
        size_t step =
            scales_per_block(w) == 2 ? g * KERNEL_LANES * scale_bytes(w) : (size_t)0;
        int code;

        if (w->layout == MATRIX_Q4)
            code = at.codes[j % 4 * 64 + col % 4] >> (j < 4 ? 0 : 4) & 15;
        else
            code = at.codes[j * 64 + col % 4];
        dst[i] = get_scale(w, at.scales + step) * (float)(code - w->offset) +
                 (w->has_min ? get_scale(w, at.mins + step) : 0.0f);
    }
}

enum cai_status acts_init(struct acts *a, size_t m_max, size_t k_max, char *err,
                          size_t errlen)
{
    size_t n, k = (k_max + KERNEL_BLOCK - 1) / KERNEL_BLOCK * KERNEL_BLOCK;

    memset(a, 0, sizeof *a);
    if (k_max == 0 || m_max == 0 || k < k_max || !mem_mul(&n, m_max, k) ||
        n > SIZE_MAX / 8)
        return err_nomem(err, errlen, "the activations");
    a->m_max = m_max;
    a->k_max = k_max;
    a->x = mem_aligned(ALIGN, n * sizeof *a->x);
    a->q = mem_aligned(ALIGN, n);
    a->scale = mem_aligned(ALIGN, n / KERNEL_BLOCK * sizeof *a->scale);
    a->sum16 = mem_aligned(ALIGN, n / 16 * sizeof *a->sum16);
    a->fsum = mem_aligned(ALIGN, n / KERNEL_BLOCK * sizeof *a->fsum);
    if (!a->x || !a->q || !a->scale || !a->sum16 || !a->fsum) {
        acts_free(a);
        return err_nomem(err, errlen, "the activations");
    }
    return CAI_OK;
}

void acts_free(struct acts *a)
{
    mem_free(a->x);
    mem_free(a->q);
    mem_free(a->scale);
    mem_free(a->sum16);
    mem_free(a->fsum);
    memset(a, 0, sizeof *a);
}
