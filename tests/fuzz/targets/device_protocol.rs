//! The commands of the device: any bytes are answered, and none writes outside the image.
#![no_main]

use bomp_device::monitor::{Device, Monitor};
use libfuzzer_sys::fuzz_target;

/// A device of 6 elements whose inference is a sum.
#[derive(Default)]
struct Small {
    image: [i8; 6],
    guard: u64,
    logits: [i32; 2],
    sent: usize,
}

impl Device for Small {
    fn send(&mut self, text: &[u8]) {
        self.sent += text.len();
    }

    fn microseconds(&mut self) -> u64 {
        self.sent as u64
    }

    fn model(&self) -> &str {
        "small"
    }

    fn image(&mut self) -> &mut [i8] {
        &mut self.image
    }

    fn infer(&mut self) -> bool {
        let sum: i32 = self.image.iter().map(|&element| i32::from(element)).sum();
        self.logits = [sum, -sum];
        sum != 13
    }

    fn logits(&self) -> &[i32] {
        &self.logits
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut monitor = Monitor::new(Small::default());
    monitor.start();
    for &byte in bytes {
        let before = monitor.device().sent;
        monitor.receive(byte);
        assert_eq!(
            monitor.device().sent > before,
            byte == b'%',
            "each command is answered, and nothing else"
        );
    }
    assert_eq!(monitor.device().guard, 0);
});
