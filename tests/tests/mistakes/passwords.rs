//! Passwords in addresses: whatever the slip, no program shows them, and they do not stay in the list of processes.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bomp_tests::{program, run};

const PASSWORD: &str = "s3cret-of-tests";

#[test]
fn no_slip_prints_a_password() {
    let address = |rest: &str| format!("postgres://nas:{PASSWORD}{rest}");
    for study in [
        address("@127.0.0.1:1/db?sslmode=verify-fully&study=a"),
        address("@127.0.0.1:1/db?study=my study"),
        address("@127.0.0.1:1/db?study=.."),
        address("@127.0.0.1:1/db?application_name=x&foo=1"),
        address("@127.0.0.1:port/db"),
        address("/with?special@#@127.0.0.1/db"),
        address(""),
        address("@"),
        address("/p@rt/s3cret@127.0.0.1/db"),
        format!("nas:{PASSWORD}@db/nas"),
        format!("//nas:{PASSWORD}@db:5432/nas?study=a"),
        format!("postgresql:/nas:{PASSWORD}@db/nas"),
        format!("Postgres://nas:{PASSWORD}@db/nas"),
        format!("mysql://nas:{PASSWORD}@db/nas"),
        format!("host=db user=nas password={PASSWORD} dbname=nas"),
        format!("postgres://db/nas?user=nas&password={PASSWORD}&colour=red"),
    ] {
        for arguments in [
            &["status", &study][..],
            &["status", "--study", &study],
            &["status", "--studdy", &study],
            &[&study],
            &["status", "a", &study],
            &["run", "--study", &study, "--trials", "0"],
            &["run", "--trials", &study],
            &["report", &study],
            &["salvage", "x", "--into", &study],
            &["finalise", "x", "--data", &study],
        ] {
            let output = run("bomp-search", arguments);
            let printed = [output.stdout, output.stderr].concat();
            let printed = String::from_utf8_lossy(&printed);
            assert!(!printed.contains("s3cret"), "{arguments:?}: {printed}");
            assert!(!output.status.success() && printed.contains("error: "), "{arguments:?}: {printed}");
        }
    }
}

/// Nothing answers there, so the program tries for some seconds: time to look at its arguments.
#[test]
fn no_list_of_processes_shows_a_password() {
    let mut process = Command::new(program("bomp-search"))
        .args(["status", "--study", &format!("postgres://nas:{PASSWORD}@127.0.0.1:1/db?study=a")])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let shown = || fs::read(format!("/proc/{}/cmdline", process.id())).unwrap_or_default();
    let is_hidden = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        line.contains("postgres://nas@127.0.0.1:1/db?study=a") && !line.contains(PASSWORD)
    };
    while !is_hidden(&shown()) && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let seen = shown();
    // It is hidden before the server is given up, not because the process has ended.
    assert!(is_hidden(&seen), "{}", String::from_utf8_lossy(&seen));
    process.kill().unwrap();
    process.wait().unwrap();
}

/// PGPASSFILE is read, and refused where others can read it.
#[test]
fn a_file_of_passwords_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwords");
    fs::write(&file, format!("*:*:*:nas:{PASSWORD}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let call = || {
        let output = Command::new(program("bomp-search"))
            .args(["status", "postgres://nas@127.0.0.1:1/db?study=a"])
            .env_remove("PGPASSWORD")
            .env("PGPASSFILE", &file)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let refused = call();
    assert!(refused.contains("chmod 600") && !refused.contains(PASSWORD), "{refused}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let tried = call();
    assert!(!tried.contains("chmod") && tried.contains("127.0.0.1:1"), "{tried}");
}
