/* What runs before main: vector table, variables, floating-point unit. A vendor's start-up code does the same. */

#include "host.h"

extern uint32_t stack_top, data_load, data_start, data_end, bss_start, bss_end;
int main(void);

_Noreturn void reset(void) {
  for (volatile uint32_t *from = &data_load, *to = &data_start; to < &data_end;) *to++ = *from++;
  for (volatile uint32_t *to = &bss_start; to < &bss_end;) *to++ = 0;
#ifdef __ARM_FP
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: full access to the floating-point unit */
  __asm__ volatile("dsb\nisb");
#endif
  host_exit(main());
}

static void fault(void) {
  host_print("fault\n");
  host_exit(2);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault, 0, 0, 0, 0,
    (void *)fault, 0, 0, (void *)fault, (void *)fault,
};
