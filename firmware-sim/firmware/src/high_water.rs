//! How much of the arena and of the stack was really used: painted before, inspected after.

unsafe extern "C" {
    // Placed by the linker script of cortex-m-rt.
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Two paints that no byte equals both: a byte that was written differs from at least one of them.
const PAINTS: [i8; 2] = [0x55, -0x56];

/// Bytes of `arena` up to the last one that `run` writes; `run` must write the same values each time.
pub fn arena(arena: &mut [i8], mut run: impl FnMut(&mut [i8])) -> usize {
    let mut used = 0;
    for paint in PAINTS {
        arena.fill(paint);
        run(arena);
        let last = arena.iter().rposition(|&byte| byte != paint);
        used = used.max(last.map_or(0, |last| last + 1));
    }
    used
}

/// Bytes of the stack that were ever used, and how many there are. cortex-m-rt has painted it before `main`.
pub fn stack() -> (usize, usize) {
    let (top, bottom) = (&raw const _stack_start, &raw const _stack_end);
    let mut word = bottom;
    // SAFETY: [bottom, top) is RAM that holds nothing but the stack; what is live of it is only read.
    while word < top && unsafe { word.read_volatile() } == cortex_m_rt::STACK_PAINT_VALUE {
        word = word.wrapping_add(1);
    }
    (top as usize - word as usize, top as usize - bottom as usize)
}
