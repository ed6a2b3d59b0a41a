//! Boards and verdicts as text for people.

use std::fmt::Write;

use bomp_sim::Verdict;
use bomp_sim::board::BOARDS;

/// The boards, one a line.
pub(super) fn boards() -> String {
    let mut text =
        format!("{:<16} {:<12} {:>14} {:>14}\n", "board", "processor", "flash (bytes)", "RAM (bytes)");
    for board in &BOARDS {
        let (flash, ram) = (grouped(board.flash.length.into()), grouped(board.ram.length.into()));
        let _ = writeln!(text, "{:<16} {:<12} {flash:>14} {ram:>14}", board.name, board.cpu);
    }
    text
}

/// The verdict, one fact a line.
pub(super) fn verdict(verdict: &Verdict) -> String {
    let Verdict { images, device_correct, host_correct, instructions, flash, ram, .. } = verdict;
    let percent = |correct: &usize| 100.0 * *correct as f64 / *images as f64;
    let equal = if verdict.logits_equal {
        format!("bit-identical to the host's on all {images} images")
    } else {
        format!("DIFFERENT from the host's on {} of {images} images", verdict.different_images)
    };
    let section = if verdict.section_equals_file { "equals the file" } else { "IS NOT the file" };
    let rows = [
        ("model", format!("{}, {} bytes", verdict.model.display(), grouped(verdict.file_bytes))),
        ("board", format!("{} ({}), {}", verdict.board, verdict.cpu, verdict.compiler)),
        ("logits", equal),
        (
            "correct",
            format!(
                "{device_correct} of {images} on the device ({:.2} %), {host_correct} on the host; first test images of {}",
                percent(device_correct),
                verdict.dataset
            ),
        ),
        (
            "instructions",
            format!(
                "{} per inference ({} to {}), {:.2} per MAC of {}",
                grouped(instructions.mean.round() as u64),
                grouped(instructions.min),
                grouped(instructions.max),
                instructions.per_mac,
                grouped(verdict.macs)
            ),
        ),
        (
            "flash",
            format!(
                "{} of {} bytes: code {}, constants {}, model {} (section {section})",
                grouped(flash.used),
                grouped(flash.available),
                grouped(flash.text),
                grouped(flash.rodata),
                grouped(flash.model)
            ),
        ),
        (
            "RAM",
            format!(
                "{} of {} bytes: arena {} (predicted {}), stack {}, image, logits and driver {}",
                grouped(ram.used),
                grouped(ram.available),
                grouped(ram.arena_used),
                grouped(ram.arena_predicted),
                grouped(ram.stack_used),
                grouped(ram.other_static)
            ),
        ),
        ("time", format!("{:.1} s to build, {:.1} s to emulate", verdict.build_seconds, verdict.run_seconds)),
    ];
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<13} {value}");
        text
    })
}

/// A number with its thousands set apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (4_194_304, "4,194,304")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn boards_state_both_memories() {
        assert_eq!(boards().lines().count(), 1 + BOARDS.len());
        assert!(boards().contains("mps2-an386       cortex-m4         4,194,304      4,194,304"));
    }
}
