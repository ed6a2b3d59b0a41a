/* The BOMP runtime for C: packed models of bomp-export on a microcontroller, in integers, in place from flash.
 *
 * Made by cbindgen from runtime/c; do not edit. Link with libbomp.a (bomp-sim library).
 *
 *     static bomp_model model;                                 // once
 *     if (bomp_model_check(&model, digits, DIGITS_BYTES) != BOMP_STATUS_OK) ...
 *     bomp_run(&model, image, DIGITS_INPUT_LEN, arena, sizeof arena, logits, DIGITS_CLASSES);
 *     size_t class = bomp_argmax(logits, DIGITS_CLASSES);
 *
 * where `bomp-export header MODEL -o digits` has written digits.h and digits.c. The library allocates nothing, uses no
 * floating point and no global variables. The only floats are in the inline functions at the end of this file.
 */

#ifndef BOMP_H
#define BOMP_H

#include <stddef.h>
#include <stdint.h>

// How a call ended. 0 is success; from 16 on the model itself is refused. Values never change their meaning.
enum bomp_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Done.
  BOMP_STATUS_OK = 0,
  // A pointer is null.
  BOMP_STATUS_NULL_POINTER = 1,
  // A pointer is not aligned as its argument needs.
  BOMP_STATUS_MISALIGNED = 2,
  // A buffer that is written overlaps another one.
  BOMP_STATUS_OVERLAP = 3,
  // A buffer reaches past the end of the address space.
  BOMP_STATUS_ADDRESS_RANGE = 4,
  // The `bomp_model` was not filled by a successful `bomp_model_check`, or has been altered since.
  BOMP_STATUS_NOT_CHECKED = 5,
  // The input has another number of elements than `bomp_input_len`.
  BOMP_STATUS_INPUT_LENGTH = 6,
  // The arena has fewer bytes than `bomp_arena_size`.
  BOMP_STATUS_ARENA_TOO_SMALL = 7,
  // The logits have another number of elements than `bomp_classes`.
  BOMP_STATUS_LOGITS_LENGTH = 8,
  // The runtime refused the call for a reason that this header does not know.
  BOMP_STATUS_RUN_REFUSED = 9,
  // Shorter than a header and a checksum.
  BOMP_STATUS_MODEL_TOO_SHORT = 16,
  // The first four bytes are not `BOMP`.
  BOMP_STATUS_MODEL_MAGIC = 17,
  // A version of the format that this library does not know.
  BOMP_STATUS_MODEL_VERSION = 18,
  // The header's length is not the number of bytes given.
  BOMP_STATUS_MODEL_LENGTH = 19,
  // The checksum does not match: the model is corrupt.
  BOMP_STATUS_MODEL_CHECKSUM = 20,
  // A header field is outside its range.
  BOMP_STATUS_MODEL_HEADER = 21,
  // A field of a layer is outside its range.
  BOMP_STATUS_MODEL_LAYER = 22,
  // The layers' data end too early or too late.
  BOMP_STATUS_MODEL_DATA = 23,
  // The placement of the tensors in the arena is unsound.
  BOMP_STATUS_MODEL_ARENA = 24,
  // The model is refused for a reason that this header does not know.
  BOMP_STATUS_MODEL_REFUSED = 25,
  // There is no signature.
  BOMP_STATUS_NOT_SIGNED = 32,
  // A version of the signature's trailer that this library does not know.
  BOMP_STATUS_SIGNED_VERSION = 33,
  // The key is no Ed25519 public key.
  BOMP_STATUS_SIGNED_KEY = 34,
  // The signature does not match: the file was altered, or signed with another key.
  BOMP_STATUS_SIGNED_SIGNATURE = 35,
  // The file's counter is below the minimum.
  BOMP_STATUS_SIGNED_DOWNGRADE = 36,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum bomp_status bomp_status;
#else
typedef int32_t bomp_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A checked model: filled by `bomp_model_check`, read by everything else. Its words are nobody else's business; it may be
// copied, and needs no release. It refers to the model's bytes, which must stay where they are, unchanged.
typedef struct {
  const void *words[12];
} bomp_model;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Checks `blob` completely, once, and fills `model`. Everything else takes that `model`.
//
// Cost: one pass over the bytes for the checksum and one over the layers. On an error `model` is left as it was.
//
// @param model     where the checked model goes
// @param blob      the packed model, at any address, in flash or RAM; it must stay there, unchanged, while `model` is used
// @param blob_len  its length in bytes
// @return BOMP_STATUS_OK, what is wrong with the pointers, or from BOMP_STATUS_MODEL_TOO_SHORT on with the model
//
// # Safety
// `model` points to writable memory for one `bomp_model`, `blob` to `blob_len` readable bytes.
bomp_status bomp_model_check(bomp_model *model,
                             const uint8_t *blob,
                             size_t blob_len);

#if defined(BOMP_SIGNED)
// As `bomp_model_check`, for a signed file: checks its Ed25519 signature and its version counter, then the model in it.
//
// In libraries built with `bomp-sim library --signed`; define BOMP_SIGNED before including this header.
//
// @param model     where the checked model goes
// @param file      the signed file, as `bomp-export sign` wrote it; it must stay there, unchanged, while `model` is used
// @param file_len  its length in bytes
// @param key       the 32 bytes of the public key
// @param minimum   smallest counter that is accepted: what this device has run
// @param counter   where the file's counter goes, for the next minimum; may be null
// @return BOMP_STATUS_OK, what is wrong with the pointers, the signature (BOMP_STATUS_NOT_SIGNED and on) or the model
//
// # Safety
// `model` points to writable memory for one `bomp_model`, `file` to `file_len` and `key` to 32 readable bytes, `counter` is
// null or points to a writable `uint64_t`.
bomp_status bomp_model_check_signed(bomp_model *model,
                                    const uint8_t *file,
                                    size_t file_len,
                                    const uint8_t *key,
                                    uint64_t minimum,
                                    uint64_t *counter);
#endif

// Bytes of RAM that `bomp_run` needs as its arena; 0 if `model` was not checked.
//
// # Safety
// `model` is null or points to a `bomp_model`.
size_t bomp_arena_size(const bomp_model *model);

// Elements of an input, height * width * channels; 0 if `model` was not checked.
//
// # Safety
// `model` is null or points to a `bomp_model`.
size_t bomp_input_len(const bomp_model *model);

// Rows of an input; 0 if `model` was not checked.
//
// # Safety
// `model` is null or points to a `bomp_model`.
size_t bomp_input_height(const bomp_model *model);

// Columns of an input; 0 if `model` was not checked.
//
// # Safety
// `model` is null or points to a `bomp_model`.
size_t bomp_input_width(const bomp_model *model);

// Channels of an input; 0 if `model` was not checked.
//
// # Safety
// `model` is null or points to a `bomp_model`.
size_t bomp_input_channels(const bomp_model *model);

// Input element that stands for the real number 0; 0 if `model` was not checked.
//
// # Safety
// `model` is null or points to a `bomp_model`.
int8_t bomp_input_zero_point(const bomp_model *model);

// IEEE 754 bits of the real step of one input unit; 0 if `model` was not checked. `bomp_input_scale` makes a float of them.
//
// # Safety
// `model` is null or points to a `bomp_model`.
uint32_t bomp_input_scale_bits(const bomp_model *model);

// IEEE 754 bits of the real step of one logit unit; 0 if `model` was not checked. `bomp_output_scale` makes a float of them.
//
// # Safety
// `model` is null or points to a `bomp_model`.
uint32_t bomp_output_scale_bits(const bomp_model *model);

// Number of classes, which is the number of logits; 0 if `model` was not checked.
//
// # Safety
// `model` is null or points to a `bomp_model`.
size_t bomp_classes(const bomp_model *model);

// Classifies one input.
//
// Nothing is read or written unless all arguments are right. The same arena may serve any number of models in turn.
//
// @param model       a checked model
// @param input       elements [height, width, channels], channel innermost; a pixel 0..255 is the element pixel - 128 for
//                    models of this project, else see `bomp_quantise`
// @param input_len   `bomp_input_len`
// @param arena       RAM for activations at a multiple of 4, whatever is in it; no other buffer overlaps it
// @param arena_len   its bytes, at least `bomp_arena_size`
// @param logits      where the logits go, aligned for int32_t; `bomp_argmax` gives the class
// @param logits_len  `bomp_classes`
// @return BOMP_STATUS_OK, what is wrong with the pointers, BOMP_STATUS_NOT_CHECKED, BOMP_STATUS_INPUT_LENGTH,
//         BOMP_STATUS_ARENA_TOO_SMALL or BOMP_STATUS_LOGITS_LENGTH
//
// # Safety
// `model` points to a `bomp_model`; `input` to `input_len` readable elements; `arena` to `arena_len` and `logits` to
// `logits_len` writable elements that nothing else uses during the call.
bomp_status bomp_run(const bomp_model *model,
                     const int8_t *input,
                     size_t input_len,
                     int8_t *arena,
                     size_t arena_len,
                     int32_t *logits,
                     size_t logits_len);

// Index of the largest logit, the first of equals; 0 for a null or misaligned pointer or no logits.
//
// # Safety
// `logits` is null or points to `logits_len` readable elements.
size_t bomp_argmax(const int32_t *logits, size_t logits_len);

// A status in words, for a log: a constant string without a final full stop. Any number is allowed.
const char *bomp_status_text(int32_t status);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BOMP_H */

#ifdef __cplusplus
extern "C" {
#endif

/// Real step of one input unit: real value = (element - bomp_input_zero_point) * bomp_input_scale.
static inline float bomp_input_scale(const bomp_model *model) {
  union { uint32_t bits; float scale; } number;
  number.bits = bomp_input_scale_bits(model);
  return number.scale;
}

/// Real step of one logit unit: real logit = logit * bomp_output_scale. Not needed for the class.
static inline float bomp_output_scale(const bomp_model *model) {
  union { uint32_t bits; float scale; } number;
  number.bits = bomp_output_scale_bits(model);
  return number.scale;
}

/// The element that stands for a real number: value / scale rounded to the nearest integer, ties to even as in ONNX's
/// QuantizeLinear, plus the zero point, saturated to -128..127. A NaN becomes -128.
static inline int8_t bomp_quantise(float value, float scale, int8_t zero_point) {
  float steps = value / scale;
  if (!(steps > -256.0f)) return -128;
  if (steps > 256.0f) return 127;
  int32_t whole = (int32_t)steps;
  float rest = steps - (float)whole;
  if (rest > 0.5f || (rest == 0.5f && (whole & 1))) whole++;
  if (rest < -0.5f || (rest == -0.5f && (whole & 1))) whole--;
  whole += zero_point;
  return (int8_t)(whole < -128 ? -128 : whole > 127 ? 127 : whole);
}

/// The element of a pixel, for models whose input is an image with zero point -128 and step 1/255.
static inline int8_t bomp_quantise_pixel(uint8_t pixel) { return (int8_t)((int32_t)pixel - 128); }

/// The real number that an element or a logit stands for. Logits have zero point 0.
static inline float bomp_dequantise(int32_t element, float scale, int32_t zero_point) {
  return (float)(element - zero_point) * scale;
}

#ifdef __cplusplus
}
#endif
