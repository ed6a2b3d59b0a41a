/* Opens signed models on the device: the right one, and every one that must be refused. Then the model that was accepted
 * classifies the host's images. material.h is written by the test; without SIGNED only the model is checked, to see what
 * the check of the signature costs. */

#ifdef SIGNED
#define BOMP_SIGNED
#endif
#include "bomp.h"
#include "host.h"
#include "material.h"

_Alignas(4) static int8_t arena[ARENA_BYTES];
static uint8_t pixels[INPUT_LEN];
static int8_t input[INPUT_LEN];
static int32_t logits[CLASSES];

#ifdef SIGNED
static void try(const char *what, const uint8_t *file, size_t length, const uint8_t *key, uint64_t minimum) {
  static const bomp_model blank;
  bomp_model model = blank;
  uint64_t counter = 0;
  bomp_status status = bomp_model_check_signed(&model, file, length, key, minimum, &counter);
  host_print(what);
  host_print(": ");
  host_print(bomp_status_text(status));
  host_print(", counter ");
  host_print_int((int32_t)counter);
  /* A model that was refused cannot be run. */
  host_print(bomp_arena_size(&model) == 0 ? ", nothing to run\n" : ", ready\n");
}
#endif

int main(void) {
  static bomp_model model;
#ifdef SIGNED
  uint64_t counter;
  try("right", file_good, FILE_BYTES, key_right, COUNTER);
  try("wrong key", file_good, FILE_BYTES, key_wrong, 0);
  try("no key", file_good, FILE_BYTES, key_none, 0);
  try("altered model", file_altered_model, FILE_BYTES, key_right, 0);
  try("altered counter", file_altered_counter, FILE_BYTES, key_right, 0);
  try("altered signature", file_altered_signature, FILE_BYTES, key_right, 0);
  try("downgrade", file_good, FILE_BYTES, key_right, COUNTER + 1);
  try("not signed", file_good, FILE_BYTES - 80, key_right, 0);
  if (bomp_model_check_signed(&model, file_good, FILE_BYTES, key_right, COUNTER, &counter) != BOMP_STATUS_OK) host_exit(1);
#else
  if (bomp_model_check(&model, file_good, FILE_BYTES - 80) != BOMP_STATUS_OK) host_exit(1);
#endif
  int file = host_open("images.bin");
  while (host_read(file, pixels, sizeof pixels)) {
    for (size_t at = 0; at < sizeof pixels; at++) input[at] = bomp_quantise_pixel(pixels[at]);
    if (bomp_run(&model, input, INPUT_LEN, arena, sizeof arena, logits, CLASSES) != BOMP_STATUS_OK) host_exit(2);
    host_print("logits:");
    for (size_t at = 0; at < CLASSES; at++) {
      host_print(" ");
      host_print_int(logits[at]);
    }
    host_print("\n");
  }
  return 0;
}
