//! Mistakes with `bomp-export`.

use super::{Row, hold, understood};

#[test]
fn files_of_other_kinds() {
    const ROWS: &[Row] = &[
        ("inspect {candidate}", &["candidate", "is a folder"], &["bomp-export pack"]),
        ("inspect {absent.bomp}", &["absent.bomp", "no such file"], &["bomp-export pack"]),
        ("inspect {candidate/network.json}", &["network.json", "JSON"], &["bomp-export size"]),
        ("inspect {signed.bomp}", &["signed.bomp", "signed model"], &["bomp-export verify"]),
        ("inspect {key}", &["key"], &["--public-key"]),
        ("inspect {noise.bomp}", &["noise.bomp"], &["bomp-export pack"]),
        ("inspect {data.npz}", &["data.npz", "NumPy"], &["--data"]),
        ("validate {signed.bomp}", &["signed.bomp", "signed model"], &["bomp-export verify"]),
        ("validate {candidate}", &["candidate", "is a folder"], &["bomp-export pack"]),
        ("diff {model.bomp} {candidate}", &["candidate", "is a folder"], &["bomp-export pack"]),
        ("header {network.tflite} -o {out/m}", &["network.tflite", "TensorFlow Lite"], &["from-onnx"]),
        ("size {model.bomp}", &["model.bomp", "packed model"], &["bomp-export inspect"]),
        ("size {absent}", &["absent", "no such file"], &["bomp-search finalise"]),
        ("pack {model.bomp}", &["model.bomp", "packed model"], &["bomp-export inspect"]),
        ("pack {finished}", &["finished", "2 finished networks"], &["trial-0003"]),
        ("pack {study}", &["study", "without finished networks"], &["bomp-search finalise"]),
        ("pack {absent}", &["absent"], &["bomp-search finalise"]),
        ("onnx {pictures}", &["pictures"], &["bomp-search finalise"]),
        ("pack {candidate} -o {notes.txt}/m.bomp", &["notes.txt"], &["name another place"]),
        ("pack {candidate} -o {full}", &["full"], &["name a file"]),
        ("header {model.bomp} -o {out/m.h}", &["m.h"], &["-o", "out/m"]),
        ("header {model.bomp} -o {full/}", &["is a folder"], &["-o", "full/network"]),
        ("verify {signed.bomp} --key {key}", &["--key"], &["--public-key"]),
        ("header {model.bomp} -o {out/2nd}", &["2nd"], &["a letter first"]),
        (
            "sign {signed.bomp} --key {key} --counter 2",
            &["signed.bomp", "signed already"],
            &["bomp-export pack"],
        ),
        ("sign {candidate} --key {key} --counter 2", &["candidate", "is a folder"], &["bomp-export pack"]),
        ("sign {model.bomp} --key {key.pub} --counter 2", &["key.pub"], &["private"]),
        ("verify {signed.bomp} --public-key {key}", &["key"], &["public"]),
        ("keygen -o {key}", &["key"], &["name another"]),
    ];
    hold("bomp-export", ROWS);
}

#[test]
fn networks_of_other_tools() {
    const ROWS: &[Row] = &[
        ("from-onnx {pointer.onnx}", &["pointer.onnx", "Git LFS pointer"], &["git lfs pull"]),
        ("from-onnx {page.onnx}", &["page.onnx", "web page"], &["download"]),
        ("from-onnx {network.tflite}", &["network.tflite", "TensorFlow Lite"], &["tf2onnx.convert --tflite"]),
        ("from-onnx {network.h5}", &["network.h5", "HDF5"], &["export the network to ONNX"]),
        ("from-onnx {network.pt}", &["network.pt", "PyTorch"], &["export the network to ONNX"]),
        ("from-onnx {network.keras}", &["network.keras", "Keras"], &["export the network to ONNX"]),
        ("from-onnx {network.zip}", &["network.zip", "zip"], &["unpack it"]),
        ("from-onnx {empty.onnx}", &["empty.onnx", "empty"], &["again"]),
        ("from-onnx {model.bomp}", &["model.bomp", "packed model"], &["bomp-export inspect"]),
        ("from-onnx {absent.onnx}", &["absent.onnx", "no such file"], &["bomp-export onnx"]),
        ("from-onnx {pictures}", &["pictures", "is a folder"], &["name the file"]),
        ("from-onnx {notes.txt}", &["notes.txt", "not an ONNX file"], &["again"]),
    ];
    hold("bomp-export", ROWS);
}

#[test]
fn options_and_values() {
    const ROWS: &[Row] = &[
        ("sise {candidate}", &["sise"], &["size"]),
        ("run {model.bomp}", &["run"], &["bomp-search"]),
        ("monitor {model.bomp}", &["monitor"], &["bomp-sim"]),
        ("validate", &["MODEL"], &["bomp-export validate"]),
        ("pack {candidate} --data {data.npz}", &["--data"], &["validate"]),
        ("validate {model.bomp} --min-agreement 99.9", &["--min-agreement", "99.9"], &["write 0.999"]),
        ("validate {model.bomp} --min-agreement -1", &["--min-agreement", "-1"], &["from 0 to 1"]),
        ("validate {model.bomp} --against keras", &["keras"], &["onnxruntime"]),
        ("validate {model.bomp} --against float", &["model.bomp", "--against float"], &["--candidate"]),
        (
            "validate {model.bomp} --against float --candidate {absent}",
            &["--candidate", "absent"],
            &["bomp-search finalise"],
        ),
        ("validate {model.bomp} --against tract", &["model.onnx"], &["bomp-export onnx"]),
        ("validate {model.bomp} --threads 0", &["--threads", "0"], &["from 1 to 1024"]),
        ("validate {model.bomp} --format jpeg", &["jpeg"], &["folder:HxWxC"]),
        ("sign {model.bomp} --key {key}", &["--counter"], &["bomp-export sign"]),
        ("sign {model.bomp} --key {key} --counter -1", &["--counter", "-1"], &["from 0 to"]),
        ("completions powershell", &["powershell"], &["bash, zsh, fish"]),
    ];
    hold("bomp-export", ROWS);
}

#[test]
fn what_is_meant_is_done() {
    understood(
        "bomp-export",
        &[
            ("pack {finished/trial-0003} -o {third.bomp}", "third.bomp"),
            ("size {finished/trial-0003}", "flash"),
            ("pack {candidate/network.json} -o {named.bomp}", "named.bomp"),
            ("validate {model.bomp} --data {data.npz} --quiet", "images"),
            (
                "validate {model.bomp} --data {data.npz} --against float --candidate {finished/trial-0003}",
                "float",
            ),
            ("completions bash", "bomp-export"),
        ],
    );
}
