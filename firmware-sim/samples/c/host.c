#include "host.h"

enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

static uintptr_t call(uintptr_t operation, const void *argument) {
  register uintptr_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

int host_open(const char *name) {
  size_t length = 0;
  while (name[length]) length++;
  const uintptr_t arguments[] = {(uintptr_t)name, 1 /* "rb" */, length};
  int file = (int)call(SYS_OPEN, arguments);
  if (file == -1) {
    host_print(name);
    host_print(" cannot be opened\n");
    host_exit(1);
  }
  return file;
}

int host_read(int file, void *bytes, size_t count) {
  const uintptr_t arguments[] = {(uintptr_t)file, (uintptr_t)bytes, count};
  size_t missing = call(SYS_READ, arguments);
  if (missing != 0 && missing != count) {
    host_print("the last image is not whole\n");
    host_exit(1);
  }
  return missing == 0;
}

void host_print(const char *text) { call(SYS_WRITE0, text); }

void host_print_int(int32_t number) {
  char text[12];
  char *digit = &text[sizeof text - 1];
  uint32_t rest = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;
  *digit = 0;
  do {
    *--digit = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest);
  if (number < 0) *--digit = '-';
  host_print(digit);
}

_Noreturn void host_exit(int code) {
  const uintptr_t arguments[] = {APPLICATION_EXIT, (uintptr_t)code};
  for (;;) call(SYS_EXIT_EXTENDED, arguments);
}
