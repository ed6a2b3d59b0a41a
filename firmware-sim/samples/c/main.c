/* Classifies images with a packed model: check it once, then quantise, run, take the largest logit.
 *
 * Images come from the host's file images.bin, raw pixels [H, W, C], one after the other; for each one a line goes to the
 * host's console: the class, its name, and all logits. Replace the two by a camera and whatever acts on the class. */

#include "bomp.h"
#include "host.h"
#include "network.h"

/* RAM for activations. The macro is the model's own figure; a smaller arena is refused by bomp_run. */
_Alignas(4) static int8_t arena[NETWORK_ARENA_BYTES];
static uint8_t pixels[NETWORK_INPUT_LEN];
static int8_t input[NETWORK_INPUT_LEN];
static int32_t logits[NETWORK_CLASSES];

static int8_t element(uint8_t pixel) {
#if NETWORK_INPUT_IS_PIXEL
  return bomp_quantise_pixel(pixel);
#else
  return bomp_quantise((float)pixel / 255.0f, NETWORK_INPUT_SCALE, NETWORK_INPUT_ZERO_POINT);
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
  while (host_read(file, pixels, sizeof pixels)) {
    for (size_t at = 0; at < sizeof pixels; at++) input[at] = element(pixels[at]);
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
