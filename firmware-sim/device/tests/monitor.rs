//! The device's side of the protocol without a device: every command, every mistake, and any bytes whatever.

use bomp_device::monitor::{Device, Monitor};

/// Two classes: the sum of the pixels, and minus that.
struct Fake {
    said: Vec<u8>,
    image: Vec<i8>,
    logits: [i32; 2],
    time: u64,
    inferences: usize,
}

impl Device for Fake {
    fn send(&mut self, text: &[u8]) {
        self.said.extend_from_slice(text);
    }

    fn microseconds(&mut self) -> u64 {
        self.time += 7;
        self.time
    }

    fn model(&self) -> &str {
        "fake"
    }

    fn image(&mut self) -> &mut [i8] {
        &mut self.image
    }

    fn infer(&mut self) -> bool {
        let sum: i32 = self.image.iter().map(|&element| i32::from(element) + 128).sum();
        self.logits = [sum, -sum];
        self.inferences += 1;
        true
    }

    fn logits(&self) -> &[i32] {
        &self.logits
    }
}

fn fake() -> Monitor<Fake> {
    Monitor::new(Fake { said: Vec::new(), image: vec![0; 6], logits: [0; 2], time: 0, inferences: 0 })
}

/// What `monitor` says to `commands`.
fn said(monitor: &mut Monitor<Fake>, commands: &str) -> String {
    let before = monitor.device().said.len();
    commands.bytes().for_each(|byte| monitor.receive(byte));
    String::from_utf8(monitor.device().said[before..].to_vec()).unwrap()
}

#[test]
fn a_session_as_the_runner_has_it() {
    let mut monitor = fake();
    monitor.start();
    assert_eq!(monitor.device().said, b"m-init-done\r\nm-ready\r\n");
    assert_eq!(said(&mut monitor, "name%"), "m-name-dut-[bomp]\r\nm-ready\r\n");
    let profile = "m-profile-[ULPMark for tinyML Firmware V0.0.1]\r\nm-model-[fake]\r\nm-ready\r\n";
    assert_eq!(said(&mut monitor, "profile%"), profile);
    assert_eq!(said(&mut monitor, "timestamp%"), "m-lap-us-7\r\nm-ready\r\n");
    assert_eq!(said(&mut monitor, "db load 6%"), "m-[Expecting 6 bytes]\r\nm-ready\r\n");
    assert_eq!(said(&mut monitor, "db 00fF8001%"), "m-ready\r\n");
    assert_eq!(said(&mut monitor, "db 0203ee%"), "m-load-done\r\nm-ready\r\n");
    assert_eq!(said(&mut monitor, "db print%"), "m-buffer-00-ff-80-01-02-03\r\nm-ready\r\n");
    assert_eq!(monitor.device().said.last(), Some(&b'\n'));
    assert_eq!(
        said(&mut monitor, "infer 3 2%"),
        "m-warmup-start-2\r\nm-warmup-done\r\nm-infer-start-3\r\nm-lap-us-14\r\nm-lap-us-21\r\nm-infer-done\r\n\
         m-results-[389,-389]\r\nm-ready\r\n"
    );
    assert_eq!(monitor.device().inferences, 5);
    assert_eq!(said(&mut monitor, "results%"), "m-results-[389,-389]\r\nm-ready\r\n");
    said(&mut monitor, "infer%");
    assert_eq!(monitor.device().inferences, 5 + 1 + 10);
    assert!(said(&mut monitor, "help%").contains("db load N\r\n"));
}

#[test]
fn every_mistake_is_answered_with_an_error() {
    let mut monitor = fake();
    let long = "x".repeat(81);
    for command in [
        "",
        "nonsense",
        "db",
        "db load",
        "db load 0",
        "db load 7",
        "db load 4294967302",
        "db load -1",
        "db 00",
        "infer 1",
        long.as_str(),
    ] {
        let answer = said(&mut monitor, &format!("{command}%"));
        assert!(answer.starts_with("e-[") && answer.ends_with("\r\nm-ready\r\n"), "`{command}`: {answer}");
    }
    said(&mut monitor, "db load 4%");
    for command in ["db 0", "db zz", "db 0g", "infer 0", "infer 1 x", "infer", "infer 1 0"] {
        let answer = said(&mut monitor, &format!("{command}%"));
        assert!(answer.starts_with("e-["), "`{command}`: {answer}");
    }
    assert_eq!(monitor.device().inferences, 0);
    // The longest command that fits is taken.
    assert!(said(&mut monitor, &format!("{}%", "x".repeat(80))).starts_with("e-[Unknown command: xxx"));
}

#[test]
fn any_bytes_are_answered() {
    let mut state = 1u64;
    let mut monitor = fake();
    let words: [&[u8]; 8] = [b"db ", b"load ", b"infer 1 0", b"%", b"6", b"ff00", b"\0\xff", b"print"];
    let mut answers = 0;
    for _ in 0..200_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = state >> 33;
        let single = [(number >> 8) as u8];
        let word =
            if number.is_multiple_of(3) { &single[..] } else { words[(number >> 8) as usize % words.len()] };
        answers += word.iter().filter(|&&byte| byte == b'%').count();
        word.iter().for_each(|&byte| monitor.receive(byte));
        assert_eq!(monitor.device().image.len(), 6);
    }
    let ready = monitor.device().said.windows(8).filter(|line| line == b"m-ready\r").count();
    assert!(answers > 10_000 && ready >= answers, "{ready} of {answers}");
}

#[test]
fn an_answer_is_sent_by_lines() {
    struct Count(usize);
    impl Device for Count {
        fn send(&mut self, text: &[u8]) {
            assert!(text.len() <= 64, "{} bytes at once", text.len());
            self.0 += 1;
        }
        fn microseconds(&mut self) -> u64 {
            u64::MAX
        }
        fn model(&self) -> &str {
            "a name that is a little longer than what a device sends at once, as names of models may be"
        }
        fn image(&mut self) -> &mut [i8] {
            &mut []
        }
        fn infer(&mut self) -> bool {
            false
        }
        fn logits(&self) -> &[i32] {
            &[]
        }
    }
    let mut monitor = Monitor::new(Count(0));
    "timestamp%".bytes().for_each(|byte| monitor.receive(byte));
    assert_eq!(monitor.device().0, 2);
    "profile%".bytes().for_each(|byte| monitor.receive(byte));
    assert_eq!(monitor.device().0, 2 + 4);
}
