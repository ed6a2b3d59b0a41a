/* The computer behind the debugger or emulator, by Arm semihosting. */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>
#include <stdint.h>

/* Opens a file of the host for reading; ends the program if there is none. */
int host_open(const char *name);
/* Fills `bytes`; 0 at the end of the file. A part of `bytes` ends the program. */
int host_read(int file, void *bytes, size_t count);
void host_print(const char *text);
void host_print_int(int32_t number);
_Noreturn void host_exit(int code);

#endif
