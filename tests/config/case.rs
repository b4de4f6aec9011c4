//! A case of the configuration.
//!
//! A case is a document, a line `---`, and the first line of each problem that is expected, in order (`warning: ` in
//! front of warnings); none = it loads without either. Files beside the document are in a folder of the case's name.
//! Lines `#! …` at the top of a document say what cannot be written into a file:
//!
//! ```text
//! #! env NAME=VALUE       a variable of the environment
//! #! pad BYTES            the document is filled up to so many bytes, with a comment
//! #! fill FILE BYTES      a file of so many bytes
//! #! key FILE ALGORITHM   a file with a new private key
//! #! certificate FILE KEY FROM UNTIL   a certificate for the key in the file KEY, valid between these years; added to FILE
//! #! link FILE TARGET     a symbolic link
//! #! pipe FILE            a FIFO that nobody writes to
//! #! mode OCTAL FILE      the file's mode; 600 if nothing is said
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use doorward::config::{self, Loaded, Problems};
use doorward::keys::{Algorithm, pem};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tempfile::TempDir;

/// One file of `tests/cases/config/`.
pub(crate) struct Case {
    document: Vec<u8>,
    /// First lines of what is expected.
    pub(crate) expected: Vec<String>,
    files: Option<PathBuf>,
    directives: Vec<String>,
}

impl Case {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let separator = b"\n---\n";
        let end = bytes.windows(separator.len()).rposition(|window| window == separator).expect("a line `---`");
        let (document, rest) = bytes.split_at(end + 1);
        let expected = std::str::from_utf8(&rest["---\n".len()..]).unwrap().lines().map(str::to_owned).collect();
        let directive = |line: &str| line.strip_prefix("#! ").map(str::to_owned);
        let directives = String::from_utf8_lossy(document).lines().map_while(directive).collect();
        let files = Some(path.with_extension("")).filter(|folder| folder.exists());
        Self { document: document.to_vec(), expected, files, directives }
    }

    /// First lines of what is found, with paths as seen from the case's folder.
    pub(crate) fn run(&self) -> Vec<String> {
        let (folder, loaded) = self.load_in_folder();
        let prefix = format!("{}/", folder.path().display());
        let first_line = |text: String| text.lines().next().unwrap_or_default().replace(&prefix, "");
        match loaded {
            Ok(loaded) => {
                loaded.warnings.iter().map(|warning| format!("warning: {}", first_line(warning.to_string()))).collect()
            }
            Err(problems) => problems.iter().map(|problem| first_line(problem.to_string())).collect(),
        }
    }

    pub(crate) fn load(&self) -> Result<Loaded, Problems> {
        self.load_in_folder().1
    }

    pub(crate) fn load_in_folder(&self) -> (TempDir, Result<Loaded, Problems>) {
        let folder = TempDir::new().unwrap();
        if let Some(files) = &self.files {
            copy(files, folder.path());
        }
        let mut document = self.document.clone();
        let mut environment = BTreeMap::new();
        for directive in &self.directives {
            match *directive.splitn(3, ' ').collect::<Vec<_>>() {
                ["env", pair] => {
                    let (name, value) = pair.split_once('=').unwrap();
                    environment.insert(name.to_owned(), value.to_owned());
                }
                ["pad", bytes] => document.resize(bytes.parse().unwrap(), b'#'),
                ["fill", file, bytes] => write_private(&folder.path().join(file), &vec![b'x'; bytes.parse().unwrap()]),
                ["key", file, algorithm] => {
                    let key = pem::generate(Algorithm::from_name(algorithm).unwrap()).unwrap();
                    write_private(&folder.path().join(file), key.expose());
                }
                ["certificate", file, rest] => {
                    let [key, from, until] = rest.split(' ').collect::<Vec<_>>()[..] else { panic!("{directive}") };
                    let key = fs::read(folder.path().join(key)).unwrap();
                    add_certificate(&folder.path().join(file), &key, [from, until].map(|year| year.parse().unwrap()));
                }
                ["link", file, target] => symlink(target, folder.path().join(file)).unwrap(),
                ["pipe", file] => {
                    let made = Command::new("mkfifo").args(["-m", "600"]).arg(folder.path().join(file)).status();
                    assert!(made.unwrap().success());
                }
                ["mode", mode, file] => set_mode(&folder.path().join(file), u32::from_str_radix(mode, 8).unwrap()),
                _ => panic!("unknown directive `{directive}`"),
            }
        }
        let path = folder.path().join("doorward.yaml");
        fs::write(&path, document).unwrap();
        let loaded = config::load(&path, &|name| environment.get(name).cloned());
        (folder, loaded)
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&from, &to);
        } else {
            write_private(&to, &fs::read(from).unwrap());
        }
    }
}

fn add_certificate(path: &Path, key: &[u8], [from, until]: [i32; 2]) {
    let der = PrivatePkcs8KeyDer::from(pem::private_key(key).unwrap().expose().to_vec());
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut wanted = rcgen::CertificateParams::new(["api.example.com".to_owned()]).unwrap();
    wanted.not_before = rcgen::date_time_ymd(from, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(until, 1, 1);
    let before = fs::read(path).unwrap_or_default();
    let certificate = wanted.self_signed(&key).unwrap();
    let written = ::pem::encode(&::pem::Pem::new("CERTIFICATE", certificate.der().to_vec()));
    write_private(path, &[before, written.into_bytes()].concat());
}

fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    set_mode(path, 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
