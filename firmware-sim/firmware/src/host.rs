//! The host behind semihosting: files, messages and the exit code.

use core::fmt::Write;

use cortex_m_semihosting::{nr, syscall};
use heapless::String;

use crate::protocol::{EXIT_FILE, REPORT};

/// Longest name of a file, with its final zero.
const NAME_BYTES: usize = 32;
/// Longest message; a longer one is cut.
const MESSAGE_BYTES: usize = 256;
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
    pub fn open(name: &str, mode: Mode) -> Self {
        let mut terminated = String::<NAME_BYTES>::new();
        let fits = terminated.push_str(name).and_then(|()| terminated.push('\0'));
        // SAFETY: OPEN takes the address of a zero-terminated name, a mode and the length of the name without the zero;
        // the name lives through the call.
        let handle = unsafe { syscall(nr::OPEN, &[terminated.as_ptr() as usize, mode as usize, name.len()]) };
        if fits.is_err() || handle == usize::MAX {
            fail(EXIT_FILE, format_args!("{name} cannot be opened"));
        }
        Self(handle)
    }

    /// Fills `bytes`, or returns false at the end of the file. A part of `bytes` ends the program.
    pub fn read(&self, bytes: &mut [i8]) -> bool {
        // SAFETY: READ writes at most `bytes.len()` bytes to `bytes`, which is borrowed mutably.
        let missing = unsafe { syscall(nr::READ, &[self.0, bytes.as_mut_ptr() as usize, bytes.len()]) };
        if missing != 0 && missing != bytes.len() {
            fail(EXIT_FILE, format_args!("the last image is not whole"));
        }
        missing == 0
    }

    /// Appends `bytes`; ends the program where that fails.
    pub fn write(&self, bytes: &[u8]) {
        // SAFETY: WRITE reads `bytes.len()` bytes from `bytes`.
        let missing = unsafe { syscall(nr::WRITE, &[self.0, bytes.as_ptr() as usize, bytes.len()]) };
        if missing != 0 {
            fail(
                EXIT_FILE,
                format_args!("the host did not take {missing} bytes of a result (is its disk full?)"),
            );
        }
    }
}

/// Writes the report, whole, in one call.
pub fn report(line: core::fmt::Arguments<'_>) {
    let mut text = String::<MESSAGE_BYTES>::new();
    if writeln!(text, "{line}").is_err() {
        fail(EXIT_FILE, format_args!("the report is longer than {MESSAGE_BYTES} bytes"));
    }
    File::open(REPORT, Mode::Write).write(text.as_bytes());
}

/// Says why on the host's console and exits with `code`.
pub fn fail(code: u32, why: core::fmt::Arguments<'_>) -> ! {
    let mut text = String::<MESSAGE_BYTES>::new();
    // What does not fit is cut: the beginning of the message is worth more than none.
    let _ = write!(text, "{why}");
    let _ = text.push('\n');
    cortex_m_semihosting::hio::hstderr().map(|mut console| console.write_all(text.as_bytes())).ok();
    exit(code)
}

/// Ends the program with an exit code of 0..=255.
pub fn exit(code: u32) -> ! {
    loop {
        // SAFETY: EXIT_EXTENDED takes a reason and a code.
        unsafe { syscall(SYS_EXIT_EXTENDED, &[APPLICATION_EXIT, code as usize]) };
    }
}
