//! Signed models through the C interface: the right one runs, any other has its status.
#![allow(unsafe_code, reason = "calls through the C interface")]

use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use bomp::{BompModel, BompStatus, bomp_arena_size, bomp_model_check_signed};
use bomp_export::testing::{self, Limits};
use bomp_export::{lower, sign, write};
use bomp_runtime::Model;

#[test]
fn the_right_model_is_accepted_and_any_other_has_its_status() {
    let folder = std::env::temp_dir().join(format!("bomp-c-signed-{}", std::process::id()));
    let (private, public) = (folder.join("key"), folder.join("key.pub"));
    let key = sign::generate(&private, &public).unwrap().to_bytes();
    let private = sign::private_key(&private).unwrap();
    std::fs::remove_dir_all(folder).unwrap();

    let lowered = lower::lower(&testing::candidate(1, &Limits::SMALL)).unwrap();
    let blob = write::blob(&lowered).unwrap();
    let file = sign::sign(&blob, &private, 7);
    let mut model = MaybeUninit::<BompModel>::zeroed();
    let place = model.as_mut_ptr();
    let mut counter = 0;
    let mut check = |file: &[u8], key: &[u8; 32], minimum: u64| {
        // SAFETY: all buffers are as long as stated, and there is room for a model and a counter.
        unsafe {
            bomp_model_check_signed(place, file.as_ptr(), file.len(), key.as_ptr(), minimum, &mut counter)
        }
    };
    assert_eq!(check(&file, &key, 8), BompStatus::SignedDowngrade);
    // Not every 32 bytes are a point of the curve; those that are belong to nobody.
    for byte in 0..20 {
        let status = check(&file, &[byte; 32], 0);
        assert!([BompStatus::SignedKey, BompStatus::SignedSignature].contains(&status), "{byte}: {status:?}");
    }
    assert_eq!(check(&blob, &key, 0), BompStatus::NotSigned);
    let other = ed25519_of_another_maker(&blob);
    assert_eq!(check(&other, &key, 0), BompStatus::SignedSignature);
    let mut altered = file.clone();
    altered[blob.len() / 2] ^= 1;
    assert_eq!(check(&altered, &key, 0), BompStatus::SignedSignature);
    assert_eq!(check(&sign::sign(&blob[1..], &private, 7), &key, 0), BompStatus::ModelMagic);
    assert_eq!(check(&file, &key, 7), BompStatus::Ok);
    assert_eq!(counter, 7);
    // SAFETY: the call has filled the model; pointers are null or lead to as much as stated.
    unsafe {
        assert_eq!(bomp_arena_size(place), Model::new(&blob).unwrap().arena_size());
        let (file_at, length, key_at) = (file.as_ptr(), file.len(), key.as_ptr());
        let check = |model, file, key| bomp_model_check_signed(model, file, length, key, 0, null_mut());
        assert_eq!(check(place, file_at, key_at), BompStatus::Ok);
        assert_eq!(check(null_mut(), file_at, key_at), BompStatus::NullPointer);
        assert_eq!(check(place, null(), key_at), BompStatus::NullPointer);
        assert_eq!(check(place, file_at, null()), BompStatus::NullPointer);
        let inside = place.cast_const().cast();
        assert_eq!(check(place, inside, key_at), BompStatus::Overlap);
    }
}

/// `blob` signed with a key that the device does not know.
fn ed25519_of_another_maker(blob: &[u8]) -> Vec<u8> {
    let folder = std::env::temp_dir().join(format!("bomp-c-other-{}", std::process::id()));
    sign::generate(&folder.join("key"), &folder.join("key.pub")).unwrap();
    let key = sign::private_key(&folder.join("key")).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    sign::sign(blob, &key, 7)
}
