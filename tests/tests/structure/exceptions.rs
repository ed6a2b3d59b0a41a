//! What the measures find and is left for now, with the reason. The aim is that these lists are empty.

/// Folders whose files import each other in a circle.
pub(crate) const CIRCLES: &[(&str, &str)] = &[
    (
        "bomp_export::commands, bomp_export::commands::validate",
        "mod.rs lists the commands and has what they share, which the report of validate uses, too",
    ),
    (
        "bomp_export::import, bomp_export::import::walk",
        "order.rs names nodes as walk.rs does, which walks the graph that order.rs has put in order",
    ),
    (
        "bomp_runtime::kernels, bomp_runtime::kernels::dsp, bomp_runtime::kernels::dsp::machine, bomp_runtime::kernels::dsp::machine::arm, bomp_runtime::kernels::dsp::machine::thumb2",
        "needs.rs asks the plans of the kernels, whose sets say in turn which needs they cover",
    ),
    (
        "bomp_sim, bomp_sim::certificate",
        "elf.rs puts a Certificate together, whose image is found by elf.rs's name of the section",
    ),
];

/// Names of types, and the packages that they meet in.
pub(crate) const TYPES: &[(&str, &str)] = &[
    (
        "Header in bomp_export, bomp_runtime",
        "of a blob, of a C header, of a picture and of an array: each the name that its format gives it",
    ),
    ("Kernels in bomp_firmware, bomp_runtime", "the firmware names the kernel set that it was built with"),
    ("Layer in bomp_export", "of the import's draft, which becomes one of the IR"),
    ("Memory in bomp_kernels", "of two programs of one folder that share a path"),
    ("Model in bomp_firmware, bomp_runtime", "the firmware names the model type that it was built with"),
    ("Options in xtask", "each command of xtask has its options in its own file"),
    ("Plan in bomp_runtime", "of two kernels, exported under different names"),
    ("Report in bomp_sim", "of a run in the emulator, and of the kernels that were compared in one"),
    ("Size in bomp_export", "a command, and a field of a message as prost calls it"),
    ("Values in bomp_export, bomp_runtime", "of packed weights, and of an array's labels"),
];

/// Functions, by their folder.
pub(crate) const FUNCTIONS: &[(&str, &str)] = &[
    ("bomp: bomp_model_check_signed", "C's convention: each buffer with its length"),
    ("bomp: bomp_run", "C's convention: each buffer with its length"),
    ("bomp: check_signed", "C's convention: each buffer with its length"),
    ("bomp: run", "C's convention: each buffer with its length"),
    ("bomp_export::commands::validate: new", "takes every figure of the report once"),
    ("bomp_export::engines: logits", "what an engine is asked, in one call of one command"),
    ("bomp_export::evaluate::lanes: convolve", "a kernel: a layer, its weights and the buffers of one pass"),
    ("bomp_export::evaluate::lanes: depthwise", "a kernel: a layer, its weights and the buffers of one pass"),
    ("bomp_export::import::walk: pending", "all that a pending node is made of"),
    ("bomp_export::validate: compare_layers", "what is compared, over which images, and who is told"),
    (
        "bomp_runtime::kernels::dsp: multiply",
        "a kernel: a tile's inputs, weights and outputs, kept in registers",
    ),
    (
        "bomp_search::train::host: add",
        "a kernel: the vector level and the buffers of one pass, inlined into its one caller",
    ),
    (
        "bomp_search::train::host: average",
        "a kernel: the vector level and the buffers of one pass, inlined into its one caller",
    ),
    (
        "bomp_search::train::host: backward",
        "a kernel: the vector level and the buffers of one pass, inlined into its one caller",
    ),
    (
        "bomp_search::train::host: by_input",
        "a kernel: the vector level and the buffers of one pass, inlined into its one caller",
    ),
    (
        "bomp_search::train::host: by_weights",
        "a kernel: the vector level and the buffers of one pass, inlined into its one caller",
    ),
    (
        "bomp_search::train::host: forward",
        "a kernel: the vector level and the buffers of one pass, inlined into its one caller",
    ),
    (
        "bomp_search::train::host: hand_back",
        "a kernel: the vector level and the buffers of one pass, inlined into its one caller",
    ),
    (
        "bomp_search::train::host: read",
        "a kernel: the vector level and the buffers of one pass, inlined into its one caller",
    ),
];
