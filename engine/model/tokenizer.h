/*
 * tokenizer.h: text to token ids and back, by the vocabulary of a GGUF file.
 *
 * Byte-level BPE (`gpt2`) with the pre-tokenizers smollm, starcoder, refact, gpt-2,
 * llama-bpe, qwen2 and default, and SPM (`llama`) with scores and byte fallback. What is
 * not on the list is refused by name with the list.
 *
 * Text is ordinary text: no string in it ever becomes a control token, and the only
 * user-defined tokens it can become are runs of whitespace (some vocabularies keep those
 * there). Control tokens are reached through tokenizer_control() alone, which is for
 * template code. When encoding succeeds, the pieces of the ids are the text byte for byte
 * (after one space where tokenizer_adds_space()), valid UTF-8 or not; a byte that the
 * vocabulary cannot express is refused with its offset, never dropped.
 *
 * A tokenizer is immutable and independent of the gguf it came from; any thread may use
 * it. Encoding is O(n log n).
 *
 * Tests: tests/unit_tokenizer.c (published vectors, round trips), tests/fuzz_tokenizer.c;
 * oracle: tests/oracle/tokenizer.py (the `tokenizers` package).
 */
#ifndef MODEL_TOKENIZER_H
#define MODEL_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "cai.h"
#include "model/gguf.h"

enum { TOKENIZER_TEXT_MAX = 16 << 20 }; /* bytes of one text */

struct tokenizer;

/* CAI_UNSUPPORTED: unknown model or pre-tokenizer; CAI_CORRUPT: arrays that are missing,
 * of the wrong type or length, or a merge that names no token. err starts with the path.
 */
enum cai_status tokenizer_new(struct tokenizer **dst, const struct gguf *g, char *err,
                              size_t errlen);
void tokenizer_free(struct tokenizer *t);

/* Plain text to ids, no BOS. *ids (n) is the caller's (mem_free).
 *
 * CAI_LIMIT: more than TOKENIZER_TEXT_MAX bytes. CAI_UNSUPPORTED: a byte without a token
 * (err names byte and offset). */
enum cai_status tokenizer_encode(const struct tokenizer *t, const char *text, size_t len,
                                 int32_t **ids, size_t *n, char *err, size_t errlen);
/* The same for text that stands behind something: never a space in front. */
enum cai_status tokenizer_encode_rest(const struct tokenizer *t, const char *text,
                                      size_t len, int32_t **ids, size_t *n, char *err,
                                      size_t errlen);

/* The bytes of a token (not NUL-terminated); a control token's are its name. NULL and 0
 * for an id outside the vocabulary. Borrowed. */
const char *tokenizer_piece(const struct tokenizer *t, int32_t id, size_t *len);

/* Id of the control (or user-defined) token of exactly this name, -1 when there is none.
 */
int32_t tokenizer_control(const struct tokenizer *t, const char *name, size_t len);

const char *tokenizer_name(const struct tokenizer *t); /* "gpt2/smollm", "llama" */
size_t tokenizer_n_vocab(const struct tokenizer *t);
int32_t tokenizer_bos(const struct tokenizer *t); /* -1: none; also below */
int32_t tokenizer_eos(const struct tokenizer *t);
int32_t tokenizer_eot(const struct tokenizer *t); /* ends a turn; eos when not named */
/* Whether a prompt starts with BOS: as the file says, else the custom of its kind. */
int tokenizer_adds_bos(const struct tokenizer *t);
/* Whether encoding puts a space in front of the text (SPM). */
int tokenizer_adds_space(const struct tokenizer *t);
/* Ends a generation: eos, eot, and control tokens known to end a turn or a text. */
int tokenizer_is_eog(const struct tokenizer *t, int32_t id);
/* Control tokens and the unknown-token: their pieces are names, not text. */
int tokenizer_is_control(const struct tokenizer *t, int32_t id);

#endif
