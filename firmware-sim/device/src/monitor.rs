//! The command language of the MLPerf Tiny runner (EEMBC's, as mlcommons/tiny documents it), for any device.
//!
//! A command ends with `%`, an answer with the line `m-ready`. Lines that begin with `m-` are results, with `e-` errors.
//! The firmware answers with this module, and the host tests it without a device. Any bytes whatever are answered; none can
//! panic or write outside the image.
//!
//! | command | answer |
//! | --- | --- |
//! | `name` | `m-name-dut-[bomp]` |
//! | `profile` | `m-profile-[...]`, the name of the command set, and `m-model-[NAME]` |
//! | `timestamp` | `m-lap-us-N`, microseconds |
//! | `db load N` | expects an image of N bytes, pixels 0..=255 [H, W, C] |
//! | `db HEX...` | the next bytes of it, two digits each; `m-load-done` after the last |
//! | `db print` | the bytes loaded |
//! | `infer N [W]` | W inferences to warm up (10 if not given), N that are timed, then the results |
//! | `results` | `m-results-[...]`, the int32 logits of the last inference |
//! | `help` | the commands |

use heapless::Vec;

/// What a device must be able to do.
pub trait Device {
    /// Sends text to the host.
    fn send(&mut self, text: &[u8]);
    /// Time since the start.
    fn microseconds(&mut self) -> u64;
    /// Name of the model.
    fn model(&self) -> &str;
    /// The input, [H, W, C].
    fn image(&mut self) -> &mut [i8];
    /// One inference of the input; false if it is refused.
    fn infer(&mut self) -> bool;
    /// Logits of the last inference.
    fn logits(&self) -> &[i32];
}

/// Longest command; the runner's are shorter.
const LINE_BYTES: usize = 80;
/// Bytes of an answer that are sent together, at most.
const REPLY_BYTES: usize = 64;
/// Digits of the largest number.
const DIGITS: usize = u64::MAX.ilog10() as usize + 1;
/// The command set, by the name that runners look for.
const PROFILE: &[u8] = b"ULPMark for tinyML Firmware V0.0.1";
/// Most inferences of one command: no command can take the device for days.
const MOST_INFERENCES: u32 = 1_000_000;
/// Bytes on a line of `db print`.
const PRINTED: usize = 8;

/// The state between two bytes.
pub struct Monitor<D> {
    device: D,
    /// The command so far.
    line: Vec<u8, LINE_BYTES>,
    /// Whether bytes of the command did not fit.
    is_too_long: bool,
    /// What has not been sent of the line that is being answered.
    reply: Vec<u8, REPLY_BYTES>,
    /// Bytes that the host announced, 0 before.
    expected: usize,
    /// Bytes that have come.
    loaded: usize,
}

impl<D: Device> Monitor<D> {
    /// Nothing is loaded, nothing said.
    pub const fn new(device: D) -> Self {
        Self { device, line: Vec::new(), is_too_long: false, reply: Vec::new(), expected: 0, loaded: 0 }
    }

    /// The device.
    pub const fn device(&self) -> &D {
        &self.device
    }

    /// Tells the host that commands are taken from now on.
    pub fn start(&mut self) {
        self.say(b"m-init-done\r\nm-ready\r\n");
    }

    /// Takes the next byte; the one that ends a command is answered.
    pub fn receive(&mut self, byte: u8) {
        if byte == b'%' {
            let command = core::mem::take(&mut self.line);
            if core::mem::take(&mut self.is_too_long) {
                self.say(b"e-[Command too long]\r\n");
            } else {
                self.answer(&command);
            }
            self.say(b"m-ready\r\n");
        } else if self.line.push(byte).is_err() {
            self.is_too_long = true;
        }
    }

    fn answer(&mut self, command: &[u8]) {
        let mut words = command.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let (name, first, second) = (words.next().unwrap_or(b""), words.next(), words.next());
        match name {
            b"name" => self.say(b"m-name-dut-[bomp]\r\n"),
            b"profile" => self.profile(),
            b"timestamp" => self.timestamp(),
            b"db" => match first {
                None => self.say(b"e-[Command 'db' requires a subcommand]\r\n"),
                Some(b"load") => self.load(second),
                Some(b"print") => self.print(),
                Some(digits) => self.fill(digits),
            },
            b"infer" => self.infer(first, second),
            b"results" => self.results(),
            b"help" => self.say(
                b"name\r\nprofile\r\ntimestamp\r\ndb load N\r\ndb HH[HH]*\r\ndb print\r\ninfer N [W=10]\r\nresults\r\n",
            ),
            _ => {
                self.say(b"e-[Unknown command: ");
                self.say(name);
                self.say(b"]\r\n");
            }
        }
    }

    fn profile(&mut self) {
        self.say(b"m-profile-[");
        self.say(PROFILE);
        self.say(b"]\r\nm-model-[");
        // In pieces, because the name is borrowed from the device that sends it.
        for index in 0..self.device.model().len() {
            if let Some(&byte) = self.device.model().as_bytes().get(index) {
                self.say(&[byte]);
            }
        }
        self.say(b"]\r\n");
    }

    fn timestamp(&mut self) {
        let now = self.device.microseconds();
        self.number_line(b"m-lap-us-", now);
    }

    fn load(&mut self, count: Option<&[u8]>) {
        let available = self.device.image().len();
        match count.and_then(number).map(|count| count as usize) {
            Some(count) if (1..=available).contains(&count) => {
                (self.expected, self.loaded) = (count, 0);
                self.say(b"m-[Expecting ");
                self.number(count as u64);
                self.say(b" bytes]\r\n");
            }
            _ => self.number_line(b"e-[Command 'db load' takes 1 to this many bytes]-", available as u64),
        }
    }

    fn fill(&mut self, digits: &[u8]) {
        let (pairs, rest) = digits.as_chunks::<2>();
        if !rest.is_empty() {
            return self.say(b"e-[Insufficient number of hex digits]\r\n");
        }
        for &[high, low] in pairs {
            if self.loaded >= self.expected {
                // What comes after the last byte is ignored, but never before `db load`.
                return if self.expected == 0 {
                    self.say(b"e-[Nothing is expected]\r\n")
                };
            }
            let (Some(high), Some(low)) = (digit(high), digit(low)) else {
                return self.say(b"e-[Invalid hex digit]\r\n");
            };
            if let Some(place) = self.device.image().get_mut(self.loaded) {
                *place = ((high << 4 | low) ^ 0x80) as i8;
            }
            self.loaded += 1;
            if self.loaded == self.expected {
                self.say(b"m-load-done\r\n");
            }
        }
    }

    fn print(&mut self) {
        const HEXADECIMAL: [u8; 16] = *b"0123456789abcdef";
        for index in 0..self.loaded {
            let byte = self.device.image().get(index).map_or(0, |&element| element as u8 ^ 0x80);
            let digits =
                [byte >> 4, byte & 15].map(|digit| HEXADECIMAL.get(usize::from(digit)).map_or(b'?', |&d| d));
            let starts = index % PRINTED == 0;
            self.say(if starts { b"m-buffer-" } else { b"-" });
            self.say(&digits);
            if index % PRINTED == PRINTED - 1 || index + 1 == self.loaded {
                self.say(b"\r\n");
            }
        }
    }

    fn infer(&mut self, count: Option<&[u8]>, warm_ups: Option<&[u8]>) {
        let few = |word: &[u8]| number(word).filter(|&count| count <= MOST_INFERENCES);
        let count = count.map_or(Some(1), few).filter(|&count| count > 0);
        let (Some(count), Some(warm_ups)) = (count, warm_ups.map_or(Some(10), few)) else {
            return self.say(b"e-[Inferences must be 1 to 1000000, warm-ups at most as many]\r\n");
        };
        if self.expected == 0 || self.loaded < self.expected {
            return self.say(b"e-[The input is not loaded]\r\n");
        }
        self.number_line(b"m-warmup-start-", warm_ups.into());
        let mut fine = (0..warm_ups).all(|_| self.device.infer());
        self.say(b"m-warmup-done\r\n");
        self.number_line(b"m-infer-start-", count.into());
        self.timestamp();
        fine = fine && (0..count).all(|_| self.device.infer());
        self.timestamp();
        self.say(b"m-infer-done\r\n");
        if fine { self.results() } else { self.say(b"e-[An inference was refused]\r\n") }
    }

    fn results(&mut self) {
        self.say(b"m-results-[");
        for index in 0..self.device.logits().len() {
            let logit = self.device.logits().get(index).copied().unwrap_or(0);
            if index > 0 {
                self.say(b",");
            }
            if logit < 0 {
                self.say(b"-");
            }
            self.number(logit.unsigned_abs().into());
        }
        self.say(b"]\r\n");
    }

    fn number_line(&mut self, name: &[u8], value: u64) {
        self.say(name);
        self.number(value);
        self.say(b"\r\n");
    }

    /// In decimal.
    fn number(&mut self, mut value: u64) {
        // From the last digit on; there is room for all.
        let mut digits = Vec::<u8, DIGITS>::new();
        while digits.push(b'0' + (value % 10) as u8).is_ok() && value >= 10 {
            value /= 10;
        }
        for &digit in digits.iter().rev() {
            self.say(&[digit]);
        }
    }

    /// Puts `text` behind what has been said, and sends whole lines and whatever fills [`REPLY_BYTES`].
    fn say(&mut self, text: &[u8]) {
        for &byte in text {
            let _ = self.reply.push(byte);
            if byte == b'\n' || self.reply.is_full() {
                self.device.send(&self.reply);
                self.reply.clear();
            }
        }
    }
}

/// A decimal number.
fn number(word: &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for &byte in word {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value = value.checked_mul(10)?.checked_add(digit.into())?;
    }
    (!word.is_empty()).then_some(value)
}

/// A hexadecimal digit.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
