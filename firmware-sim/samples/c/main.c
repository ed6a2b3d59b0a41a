/* Classifies images with a packed model: check it once, then quantise, run, take the largest logit.
 *
 * Inputs come from the host's file images.bin, one after the other: raw pixels [H, W, C] of a byte each for a network of pixels,
 * float32 in the units of the data for a network of features. For each one a line goes to the host's console: the class, its
 * name, and all logits. Replace the two by a camera or a sensor and whatever acts on the class. */

#include "bomp.h"
#include "host.h"
#include "network.h"

/* RAM for activations. The macro is the model's own figure; a smaller arena is refused by bomp_run. */
_Alignas(4) static int8_t arena[NETWORK_ARENA_BYTES];
#if NETWORK_INPUT_IS_PIXEL
static uint8_t values[NETWORK_INPUT_LEN];
#else
static float values[NETWORK_INPUT_LEN];
#endif
static int8_t input[NETWORK_INPUT_LEN];
static int32_t logits[NETWORK_CLASSES];

static int8_t element(size_t at) {
#if NETWORK_INPUT_IS_PIXEL
  return bomp_quantise_pixel(values[at]);
#else
  /* Whole numbers need no floating point: network_quantise_input of network.h. */
  return bomp_quantise(values[at], NETWORK_INPUT_SCALE, NETWORK_INPUT_ZERO_POINT);
#endif
}

static void must(bomp_status status) {
  if (status != BOMP_STATUS_OK) {
    host_print(bomp_status_text(status));
    host_print("\n");
    host_exit(1);
  }
}

int main(void) {
  static bomp_model model;
  must(bomp_model_check(&model, network, NETWORK_BYTES));
  int file = host_open("images.bin");
  while (host_read(file, values, sizeof values)) {
    for (size_t at = 0; at < NETWORK_INPUT_LEN; at++) input[at] = element(at);
    must(bomp_run(&model, input, NETWORK_INPUT_LEN, arena, sizeof arena, logits, NETWORK_CLASSES));
    size_t class = bomp_argmax(logits, NETWORK_CLASSES);
    host_print_int((int32_t)class);
    host_print(" ");
    host_print(network_class_names[class]);
    host_print(":");
    for (size_t at = 0; at < NETWORK_CLASSES; at++) {
      host_print(" ");
      host_print_int(logits[at]);
    }
    host_print("\n");
  }
  return 0;
}
