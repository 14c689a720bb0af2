//! What a connection shows of itself: its certificates, and the key to them.
#![forbid(unsafe_code)]

use std::sync::{Arc, OnceLock};

use rustls::{crypto::ring::sign::any_supported_type, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};

use super::{Failure, certificate::Certificate};

/// Reads both, and sees whether they belong together.
pub(super) fn read(chain: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, Failure> {
    let chain = certificates(chain)?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| invalid("the private key can't be read", &error))?;
    let key = any_supported_type(&key)
        .map_err(|error| invalid("the private key can't be used", &error))?;
    let first = chain.first().and_then(|first| Certificate::read(first));
    let certificate = first
        .ok_or_else(|| Failure::InvalidPrivateKey("the certificate can't be read".to_owned()))?;
    // What kind of key a certificate is for stands in it in more than one way; its bits say all.
    let public = key.public_key();
    let fits = public.is_none_or(|public| {
        public.as_ref() == certificate.key_info || public.as_ref().ends_with(certificate.key)
    });
    if !fits {
        let text = "the private key does not belong to the certificate: give the certificate of this key first";
        return Err(Failure::InvalidPrivateKey(text.to_owned()));
    }
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

/// The certificates in a PEM.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| invalid("the certificate can't be read", &error))?;
    if all.is_empty() {
        let text = "the certificate can't be read: there is none in this PEM";
        return Err(Failure::InvalidPrivateKey(text.to_owned()));
    }
    Ok(all)
}

/// For a server that has none: a self-signed one, made once a process. Who takes it does not care who it is.
pub(super) fn for_nobody() -> Result<Arc<CertifiedKey>, Failure> {
    static MADE: OnceLock<Result<Arc<CertifiedKey>, Failure>> = OnceLock::new();
    MADE.get_or_init(make).clone()
}

fn make() -> Result<Arc<CertifiedKey>, Failure> {
    let failed = |error: rcgen::Error| {
        Failure::Invalid(format!(
            "no certificate could be made ({error}): give cert_chain_file and private_key_file"
        ))
    };
    let names = vec!["localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(failed)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let key =
        any_supported_type(&key.into()).map_err(|error| Failure::Invalid(error.to_string()))?;
    Ok(Arc::new(CertifiedKey::new(vec![made.cert.into()], key)))
}

fn invalid(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::InvalidPrivateKey(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Made, KeyPair};

    use super::*;

    fn made() -> Made<KeyPair> {
        rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap()
    }

    fn failure(chain: &str, key: &str) -> String {
        match read(chain.as_bytes(), key.as_bytes()) {
            Err(Failure::InvalidPrivateKey(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_and_its_certificate_are_taken_in_one_pem_too() {
        let made = made();
        let both = format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem());
        assert_eq!(
            read(both.as_bytes(), both.as_bytes()).unwrap().cert.len(),
            1
        );
    }

    #[test]
    fn the_key_of_another_certificate_is_refused() {
        let text = failure(&made().cert.pem(), &made().signing_key.serialize_pem());
        assert!(text.contains("does not belong"), "{text}");
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        let made = made();
        let key = made.signing_key.serialize_pem();
        assert!(failure("", &key).contains("certificate"));
        assert!(
            failure(
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                &key
            )
            .contains("certificate")
        );
        assert!(failure(&made.cert.pem(), "").contains("private key"));
        assert!(
            failure(
                &made.cert.pem(),
                "-----BEGIN PRIVATE KEY-----\n%%\n-----END PRIVATE KEY-----\n"
            )
            .contains("private key")
        );
    }

    #[test]
    fn nobodys_is_made_once() {
        assert!(Arc::ptr_eq(&for_nobody().unwrap(), &for_nobody().unwrap()));
    }
}
