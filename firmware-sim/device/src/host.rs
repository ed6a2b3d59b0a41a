//! The host behind semihosting: files, the console and the exit code. Nothing here formats: texts are constants, so that no
//! firmware contains the formatting machinery or its panics.

use core::ffi::CStr;

use cortex_m_semihosting::{nr, syscall, syscall1};

use crate::protocol::EXIT_FILE;

/// `SYS_EXIT_EXTENDED` takes a reason and a code; this reason means that the program ended by itself.
const APPLICATION_EXIT: usize = 0x20026;
const SYS_EXIT_EXTENDED: usize = 0x20;

/// How a file is opened, by the numbers of the C library's modes.
#[derive(Clone, Copy)]
pub enum Mode {
    /// "rb".
    Read = 1,
    /// "wb".
    Write = 5,
}

/// An open file of the host.
pub struct File(usize);

impl File {
    /// Opens `name` in the emulator's working folder; ends the program where that fails.
    pub fn open(name: &CStr, mode: Mode) -> Self {
        // SAFETY: OPEN takes the address of a zero-terminated name, a mode and the length of the name without the zero;
        // the name lives through the call.
        let handle =
            unsafe { syscall(nr::OPEN, &[name.as_ptr() as usize, mode as usize, name.count_bytes()]) };
        if handle == usize::MAX {
            fail(EXIT_FILE, c"a file of the run cannot be opened\n");
        }
        Self(handle)
    }

    /// Fills `bytes`, or returns false at the end of the file. A part of `bytes` ends the program.
    pub fn read(&self, bytes: &mut [i8]) -> bool {
        // SAFETY: READ writes at most `bytes.len()` bytes to `bytes`, which is borrowed mutably.
        let missing = unsafe { syscall(nr::READ, &[self.0, bytes.as_mut_ptr() as usize, bytes.len()]) };
        if missing != 0 && missing != bytes.len() {
            fail(EXIT_FILE, c"the last image is not whole\n");
        }
        missing == 0
    }

    /// Appends `bytes`; ends the program where that fails.
    pub fn write(&self, bytes: &[u8]) {
        // SAFETY: WRITE reads `bytes.len()` bytes from `bytes`.
        let missing = unsafe { syscall(nr::WRITE, &[self.0, bytes.as_ptr() as usize, bytes.len()]) };
        if missing != 0 {
            fail(EXIT_FILE, c"the host did not take all bytes of a result (is its disk full?)\n");
        }
    }
}

/// Bytes to and from the host: the emulator's own standard input and output. (The emulator's semihosting console is no way
/// in: where it has to wait for a byte, QEMU 7.2 answers `READC` with the byte before.)
pub struct Console {
    from_host: File,
    to_host: File,
}

impl Console {
    /// Opens both directions; ends the program where that fails.
    pub fn open() -> Self {
        let (from_host, to_host) = (c"/dev/stdin", c"/dev/stdout");
        Self { from_host: File::open(from_host, Mode::Read), to_host: File::open(to_host, Mode::Write) }
    }

    /// Waits for the next byte that the host sends; `None` when it has closed its side.
    pub fn read(&self) -> Option<u8> {
        let mut byte = [0];
        self.from_host.read(&mut byte).then_some(byte[0] as u8)
    }

    /// Sends `bytes`.
    pub fn write(&self, bytes: &[u8]) {
        self.to_host.write(bytes);
    }
}

/// Says why on the host's console and exits with `code`.
#[cold]
pub fn fail(code: u32, why: &CStr) -> ! {
    say(why);
    exit(code)
}

/// Writes a text to the host's console.
pub fn say(text: &CStr) {
    // SAFETY: WRITE0 takes the address of a zero-terminated text, which lives through the call.
    unsafe { syscall1(nr::WRITE0, text.as_ptr() as usize) };
}

/// Ends the program with an exit code of 0..=255.
pub fn exit(code: u32) -> ! {
    loop {
        // SAFETY: EXIT_EXTENDED takes a reason and a code.
        unsafe { syscall(SYS_EXIT_EXTENDED, &[APPLICATION_EXIT, code as usize]) };
    }
}
