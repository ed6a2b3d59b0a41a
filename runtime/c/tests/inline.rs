//! The header with the host's compilers: as C and as C++, without a warning; its inline functions compute what ONNX says.

use std::fs;
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = r#"
#include <stdio.h>
#include "bomp.h"
int main(void) {
  float value, scale;
  int zero_point;
  while (scanf("%f %f %d", &value, &scale, &zero_point) == 3)
    printf("%d %.9g\n", bomp_quantise(value, scale, (int8_t)zero_point), bomp_dequantise(zero_point * 7, scale, zero_point));
  for (int pixel = 0; pixel < 256; pixel++) if (bomp_quantise_pixel((uint8_t)pixel) != pixel - 128) return 1;
  return 0;
}
"#;

#[test]
fn quantise_and_dequantise_are_onnxs() {
    let folder = std::env::temp_dir().join(format!("bomp-c-inline-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let warnings = ["-Wall", "-Wextra", "-pedantic", "-Wredundant-decls", "-Werror"];
    let mut input = String::new();
    let mut expected = String::new();
    let values =
        [-1e30f32, -3.0, -0.5, -0.125, -0.0, 0.0, 0.3, 0.5, 1.0, 1.5, 2.5, 31.75, 1e9, f32::INFINITY];
    for value in values {
        for scale in [0.25f32, 1.0, 1.0 / 255.0, 3.7] {
            for zero_point in [-128i8, -3, 0, 127] {
                input.push_str(&format!("{value} {scale} {zero_point}\n"));
                let element = ((value / scale).round_ties_even() + f32::from(zero_point)) as i8;
                let real = (i32::from(zero_point) * 6) as f32 * scale;
                expected.push_str(&format!("{element} {real}\n"));
            }
        }
    }
    fs::write(folder.join("input"), input).unwrap();
    for (compiler, standard, name) in
        [("cc", "-std=c99", "inline.c"), ("cc", "-std=c11", "inline.c"), ("c++", "-std=c++11", "inline.cc")]
    {
        let (source, program) = (folder.join(name), folder.join("inline"));
        fs::write(&source, PROGRAM).unwrap();
        let mut compile = Command::new(compiler);
        // The functions of the library are declared, not used.
        compile
            .arg(standard)
            .args(warnings)
            .arg("-I")
            .arg(&include)
            .arg(&source)
            .arg("-O1")
            .arg("-o")
            .arg(&program);
        // The two scale functions call the library: stand-ins, so that the linker is content.
        let stand_in = folder.join("stand_in.c");
        fs::write(
            &stand_in,
            "#include \"bomp.h\"\nuint32_t bomp_input_scale_bits(const bomp_model *m) { (void)m; return 0; }\n\
             uint32_t bomp_output_scale_bits(const bomp_model *m) { (void)m; return 0; }\n",
        )
        .unwrap();
        compile.arg(&stand_in);
        let output = compile.output().unwrap();
        assert!(
            output.status.success(),
            "{compiler} {standard}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let answer =
            Command::new(&program).stdin(fs::File::open(folder.join("input")).unwrap()).output().unwrap();
        assert!(answer.status.success());
        let numbers = |text: &str| -> Vec<(i32, f32)> {
            let line = |line: &str| {
                let (element, real) = line.split_once(' ').unwrap();
                (element.parse().unwrap(), real.parse().unwrap())
            };
            text.lines().map(line).collect()
        };
        assert_eq!(
            numbers(&String::from_utf8(answer.stdout).unwrap()),
            numbers(&expected),
            "{compiler} {standard}"
        );
    }
    fs::remove_dir_all(folder).unwrap();
}
