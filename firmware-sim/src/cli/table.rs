//! Boards and verdicts as text for people.

use std::fmt::Write;

use bomp_export::board::BOARDS;
use bomp_export::data;
use bomp_sim::Verdict;
use bomp_sim::monitor::Session;
use bomp_sim::verdict::Certificate;

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

/// A session over the device protocol, one fact a line.
pub(super) fn session(session: &Session) -> String {
    let Session { images, device_correct, host_correct, different_images, .. } = session;
    let rows = [
        ("device", format!("{} ({}), {}", session.name, session.board, session.profile)),
        ("model", session.model.clone()),
        ("logits", format!("{} of {images} images as on the host", images - different_images)),
        (
            "correct",
            format!(
                "{device_correct} of {images} on the device, {host_correct} on the host; {}",
                data::describe(*images, session.of_images)
            ),
        ),
        (
            "inference",
            format!(
                "{:.1} us by the device's clock, a nanosecond for each instruction",
                session.microseconds
            ),
        ),
    ];
    lines(&rows)
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
    let [proven, stack] = certificate(verdict);
    let rows = [
        ("model", format!("{}, {} bytes", verdict.model.display(), grouped(verdict.file_bytes))),
        ("board", format!("{} ({}), {}", verdict.board, verdict.cpu, verdict.compiler)),
        ("logits", equal),
        (
            "correct",
            format!(
                "{device_correct} of {images} on the device ({:.2} %), {host_correct} on the host; {} of {}",
                percent(device_correct),
                data::describe(*images, verdict.of_images),
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
        ("kernels", kernels_built(verdict)),
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
        proven,
        stack,
        ("time", format!("{:.1} s to build, {:.1} s to emulate", verdict.build_seconds, verdict.run_seconds)),
    ];
    lines(&rows)
}

/// Which kernels the firmware has, and what the others would take.
fn kernels_built(verdict: &Verdict) -> String {
    if verdict.kernels_left_out.is_empty() {
        return "all".to_owned();
    }
    let saved = match verdict.flash_of_all_kernels.map(|all| all.saturating_sub(verdict.flash.used)) {
        Some(saved) => format!("{} bytes less than with all", grouped(saved)),
        None => "--compare says what that saves".to_owned(),
    };
    format!("only those that the model needs, {saved}; without {}", verdict.kernels_left_out.join("; "))
}

fn lines(rows: &[(&str, String)]) -> String {
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<13} {}", bomp_export::text::line(value));
        text
    })
}

/// What the image proves of itself, and what bounds the stack.
fn certificate(verdict: &Verdict) -> [(&'static str, String); 2] {
    let Certificate { panic_symbols, heap_symbols, float_symbols, stack, stack_problem } =
        &verdict.certificate;
    let linked = [("panic", panic_symbols), ("allocation", heap_symbols), ("floating point", float_symbols)];
    let found: Vec<String> = linked
        .iter()
        .filter(|(_, symbols)| !symbols.is_empty())
        .map(|(what, symbols)| format!("{what} ({})", symbols.join(", ")))
        .collect();
    let proven = if found.is_empty() {
        "no panic, no allocation, no floating point is linked".to_owned()
    } else {
        format!("NOT FREE of {}", found.join(", "))
    };
    let bound = match stack {
        Some(bound) => {
            let chain: Vec<String> =
                bound.chain.iter().map(|call| format!("{} {}", call.function, call.bytes)).collect();
            format!(
                "at most {} bytes, of them {} for an exception; {} used; deepest: {}",
                grouped(bound.bytes),
                grouped(bound.exception),
                grouped(verdict.ram.stack_used),
                chain.join(" > ")
            )
        }
        None => format!("NO BOUND: {}", stack_problem.as_deref().unwrap_or("unknown")),
    };
    [("certificate", proven), ("stack", bound)]
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

/// Instructions per multiply-accumulate, a layer or network a line, then the comparisons with the reference.
pub(super) fn kernels(report: &bomp_sim::kernels::Report) -> String {
    let mut text = format!(
        "{}: {} instructions per tick by calibration; {} bytes of kernels\n\n{:<24} {:>12}   instructions per MAC\n",
        report.board,
        report.instructions_per_tick,
        grouped(report.kernel_bytes),
        "layer",
        "MACs"
    );
    for count in &report.counts {
        let width = if count.bits == 0 { String::new() } else { format!(" w{}", count.bits) };
        let per_mac = count.instructions / count.macs.max(1) as f64;
        let name = format!("{}{width}", count.layer.trim_end_matches(&format!("-w{}", count.bits)));
        let _ = writeln!(text, "{name:<24} {:>12}   {per_mac:.3}", grouped(count.macs));
    }
    text.push('\n');
    for check in &report.checks {
        let _ = writeln!(
            text,
            "{:<24} {} of {} cases differ from the reference",
            check.kernel, check.different, check.cases
        );
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
