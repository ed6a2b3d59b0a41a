//! The CUDA half of libtorch: what `--device cuda` loads on top of the libtorch that every machine gets.
//!
//! It is of the very same build, so nothing is compiled again: `bomp-search` loads it when it runs, from this folder.
//! What libtorch loads from it is kept in one folder, where each library looks first for the others. No driver is needed
//! to load it. libtorch's linear algebra on GPUs (libtorch_cuda_linalg, cuSOLVER) is left out: training does without.

use crate::setup::wheels::{Library, Wheel};

/// In a folder of its own, beside libtorch.
pub(in crate::setup) const LIBTORCH_CUDA: Library = Library {
    name: "libtorch-cuda",
    version: "2.13.0",
    wheels: &[
        Wheel {
            project: "torch",
            version: "2.13.0",
            bytes: 526_574_961,
            sha256: "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
            parts: &[
                ("torch/lib/libc10_cuda.so", "lib/libc10_cuda.so"),
                ("torch/lib/libcaffe2_nvrtc.so", "lib/libcaffe2_nvrtc.so"),
                ("torch/lib/libtorch_cuda.so", "lib/libtorch_cuda.so"),
                ("torch/lib/libtorch_nvshmem.so", "lib/libtorch_nvshmem.so"),
            ],
        },
        Wheel {
            project: "nvidia-cublas",
            version: "13.1.1.3",
            bytes: 423_138_758,
            sha256: "37936a16db8fe4ac1f065c2139360608a543a09275cb1a1af612e08cfa065436",
            parts: &[CU13],
        },
        Wheel {
            project: "nvidia-cuda-nvrtc",
            version: "13.0.88",
            bytes: 90_215_200,
            sha256: "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
            parts: &[CU13],
        },
        Wheel {
            project: "nvidia-cuda-runtime",
            version: "13.0.96",
            bytes: 2_243_632,
            sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
            parts: &[("nvidia/cu13/lib/libcudart.so.13", "lib/libcudart.so.13")],
        },
        Wheel {
            project: "nvidia-cudnn-cu13",
            version: "9.20.0.48",
            bytes: 366_173_588,
            sha256: "0c45dd8eeb50b603f07995b1b300c62ffe6a1980482b82b3bcf94a4ca9d49304",
            parts: &[("nvidia/cudnn/lib/", "lib/")],
        },
        Wheel {
            project: "nvidia-cufft",
            version: "12.0.0.61",
            bytes: 214_085_489,
            sha256: "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
            parts: &[CU13],
        },
        Wheel {
            project: "nvidia-cufile",
            version: "1.15.1.6",
            bytes: 1_223_672,
            sha256: "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
            parts: &[CU13],
        },
        Wheel {
            project: "nvidia-curand",
            version: "10.4.0.35",
            bytes: 59_544_258,
            sha256: "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
            parts: &[CU13],
        },
        Wheel {
            project: "nvidia-cusparse",
            version: "12.6.3.3",
            bytes: 145_942_937,
            sha256: "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
            parts: &[CU13],
        },
        Wheel {
            project: "nvidia-cusparselt-cu13",
            version: "0.8.1",
            bytes: 170_148_586,
            sha256: "786ce87568c303fadb5afcc7102d454cd3040d75f6f8626f5db460d1871f4dd0",
            parts: &[("nvidia/cusparselt/lib/", "lib/")],
        },
        Wheel {
            project: "nvidia-nccl-cu13",
            version: "2.29.7",
            bytes: 205_976_000,
            sha256: "edd81538446786ec3b73972543e53bb43bcaf0bfc8ef76cb679fcc390ffe136d",
            parts: &[("nvidia/nccl/lib/", "lib/")],
        },
        Wheel {
            project: "nvidia-nvjitlink",
            version: "13.5.37",
            bytes: 46_642_491,
            sha256: "280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb",
            parts: &[CU13],
        },
        Wheel {
            project: "nvidia-nvshmem-cu13",
            version: "3.4.5",
            bytes: 60_412_546,
            sha256: "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
            parts: &[("nvidia/nvshmem/lib/libnvshmem_host.so.3", "lib/libnvshmem_host.so.3")],
        },
    ],
};

/// Where most of CUDA's wheels have their libraries, and where these go.
const CU13: (&str, &str) = ("nvidia/cu13/lib/", "lib/");
