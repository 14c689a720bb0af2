//! OpenSSL's names for what rustls has: programs print and compare them.
#![forbid(unsafe_code)]

use rustls::{
    CipherSuite, ProtocolVersion, SupportedCipherSuite, crypto::SupportedKxGroup,
    crypto::ring::kx_group,
};

/// A cipher suite, as OpenSSL speaks of it.
#[derive(Debug)]
pub(super) struct Cipher {
    pub(super) suite: CipherSuite,
    /// OpenSSL's name, and that of the standards; the same for TLS 1.3.
    pub(super) name: &'static str,
    pub(super) standard_name: &'static str,
    pub(super) bits: u32,
    /// What a cipher string may call it; empty for TLS 1.3, which cipher strings don't select.
    pub(super) words: &'static [&'static str],
}

macro_rules! ciphers {
    ($($suite:ident $name:literal $standard:literal $bits:literal [$($word:literal)*];)*) => {
        &[$(Cipher {
            suite: CipherSuite::$suite,
            name: $name,
            standard_name: $standard,
            bits: $bits,
            words: &[$($word),*],
        }),*]
    };
}

/// All there are, in OpenSSL's order of preference.
pub(super) const CIPHERS: &[Cipher] = ciphers! {
    TLS13_AES_256_GCM_SHA384 "TLS_AES_256_GCM_SHA384" "TLS_AES_256_GCM_SHA384" 256 [];
    TLS13_CHACHA20_POLY1305_SHA256 "TLS_CHACHA20_POLY1305_SHA256" "TLS_CHACHA20_POLY1305_SHA256" 256 [];
    TLS13_AES_128_GCM_SHA256 "TLS_AES_128_GCM_SHA256" "TLS_AES_128_GCM_SHA256" 128 [];
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        "ECDHE-ECDSA-AES256-GCM-SHA384" "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" 256
        ["aECDSA" "ECDSA" "AES" "AESGCM" "AES256" "FIPS"];
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        "ECDHE-RSA-AES256-GCM-SHA384" "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" 256
        ["aRSA" "AES" "AESGCM" "AES256" "FIPS"];
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        "ECDHE-ECDSA-CHACHA20-POLY1305" "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" 256
        ["aECDSA" "ECDSA" "CHACHA20"];
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        "ECDHE-RSA-CHACHA20-POLY1305" "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" 256
        ["aRSA" "CHACHA20"];
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        "ECDHE-ECDSA-AES128-GCM-SHA256" "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" 128
        ["aECDSA" "ECDSA" "AES" "AESGCM" "AES128" "FIPS"];
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        "ECDHE-RSA-AES128-GCM-SHA256" "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" 128
        ["aRSA" "AES" "AESGCM" "AES128" "FIPS"];
};

/// What every cipher of TLS 1.2 here is called too.
pub(super) const WORDS_FOR_ALL: &[&str] = &[
    "ALL", "HIGH", "DEFAULT", "TLSv1.2", "AEAD", "ECDHE", "EECDH", "kECDHE", "kEECDH", "ECDH",
];

impl Cipher {
    /// Whether it is of TLS 1.3.
    pub(super) const fn is_tls13(&self) -> bool {
        self.words.is_empty()
    }

    /// What rustls has for it.
    pub(super) fn supported(&self) -> Option<SupportedCipherSuite> {
        let all = rustls::crypto::ring::ALL_CIPHER_SUITES.iter();
        all.copied().find(|other| other.suite() == self.suite)
    }
}

/// What OpenSSL calls a suite.
pub(super) fn cipher(suite: CipherSuite) -> Option<&'static Cipher> {
    CIPHERS.iter().find(|cipher| cipher.suite == suite)
}

/// What OpenSSL calls a version.
pub(super) const fn protocol(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}

/// Curves that OpenSSL has and rustls has not: in a list they are passed over.
const OTHER_CURVES: &[&str] = &[
    "secp521r1",
    "p-521",
    "x448",
    "secp256k1",
    "brainpoolp256r1",
    "brainpoolp384r1",
    "brainpoolp512r1",
    "secp224r1",
    "p-224",
    "prime192v1",
    "ffdhe2048",
    "ffdhe3072",
    "ffdhe4096",
];

/// The groups that a list of curves names, or an explanation.
pub(super) fn groups(list: &str) -> Result<Vec<&'static dyn SupportedKxGroup>, String> {
    let mut groups: Vec<&'static dyn SupportedKxGroup> = Vec::new();
    for name in list.split([':', ',']).filter(|name| !name.is_empty()) {
        let group = match name.to_ascii_lowercase().as_str() {
            "prime256v1" | "secp256r1" | "p-256" => kx_group::SECP256R1,
            "secp384r1" | "p-384" => kx_group::SECP384R1,
            "x25519" => kx_group::X25519,
            other if OTHER_CURVES.contains(&other) => continue,
            _ => return Err(format!("ecdh_curve: Unknown curve name: {name}")),
        };
        if groups.iter().all(|other| other.name() != group.name()) {
            groups.push(group);
        }
    }
    if groups.is_empty() {
        return Err(format!(
            "ecdh_curve: there is no curve in {list:?} that is supported: use X25519, prime256v1 or secp384r1"
        ));
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    use super::*;

    #[test]
    fn every_suite_of_the_provider_has_a_name() {
        for suite in rustls::crypto::ring::ALL_CIPHER_SUITES {
            let cipher = cipher(suite.suite()).expect("a name");
            assert_eq!(cipher.is_tls13(), suite.tls13().is_some());
            assert_eq!(
                cipher.supported().map(|suite| suite.suite()),
                Some(cipher.suite)
            );
        }
        assert_eq!(CIPHERS.len(), rustls::crypto::ring::ALL_CIPHER_SUITES.len());
    }

    #[test]
    fn curves_go_by_all_their_names_and_in_their_order() {
        let names = |list| -> Vec<NamedGroup> {
            groups(list)
                .unwrap()
                .iter()
                .map(|group| group.name())
                .collect()
        };
        assert_eq!(names("prime256v1"), [NamedGroup::secp256r1]);
        assert_eq!(
            names("P-384:x25519"),
            [NamedGroup::secp384r1, NamedGroup::X25519]
        );
        assert_eq!(names("secp521r1:secp256r1:P-256"), [NamedGroup::secp256r1]);
    }

    #[test]
    fn curves_that_nobody_knows_are_named_and_those_that_are_missing_too() {
        assert_eq!(
            groups("nosuch").unwrap_err(),
            "ecdh_curve: Unknown curve name: nosuch"
        );
        assert!(groups("X25519:nosuch").unwrap_err().ends_with("nosuch"));
        assert!(groups("secp521r1").unwrap_err().contains("use X25519"));
        assert!(groups("").is_err());
    }
}
