//! Certificates, read just as far as is needed: who issued whom, and with which key.
//!
//! OpenSSL without roots takes certificates that a strict reader refuses, of X.509 version 1 or with extensions that
//! nobody knows, and so does EventMachine. What is checked strictly is checked by rustls against roots.
#![forbid(unsafe_code)]

use rustls_pki_types::CertificateDer;

/// The parts of a certificate, as DER.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate<'a> {
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// The whole of SubjectPublicKeyInfo.
    pub(super) key_info: &'a [u8],
    /// The contents of its AlgorithmIdentifier.
    pub(super) key_algorithm: &'a [u8],
    /// The bits of the key itself.
    pub(super) key: &'a [u8],
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xa0;

impl<'a> Certificate<'a> {
    /// Reads one; `None` if it is none.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Reader(Reader(der).expect(SEQUENCE)?.contents);
        let mut parts = Reader(certificate.expect(SEQUENCE)?.contents);
        let first = parts.next()?;
        if first.tag == VERSION {
            parts.next()?; // the serial number
        }
        parts.expect(SEQUENCE)?; // the algorithm of its signature
        let issuer = parts.expect(SEQUENCE)?.whole;
        parts.expect(SEQUENCE)?; // its time
        let subject = parts.expect(SEQUENCE)?.whole;
        let key_info = parts.expect(SEQUENCE)?;
        let mut key_parts = Reader(key_info.contents);
        let key_algorithm = key_parts.expect(SEQUENCE)?.contents;
        let (unused, key) = key_parts.expect(BIT_STRING)?.contents.split_first()?;
        (*unused == 0).then_some(Self {
            issuer,
            subject,
            key_info: key_info.whole,
            key_algorithm,
            key,
        })
    }

    /// Whether it says of itself that it has no other issuer.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }
}

struct Reader<'a>(&'a [u8]);

struct Element<'a> {
    tag: u8,
    contents: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // 0x80 is for streams; and no certificate is longer than four bytes can say.
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let len = digits
                    .iter()
                    .fold(0usize, |len, &digit| len << 8 | usize::from(digit));
                (len, rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(len)?;
        let whole = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Some(Element {
            tag,
            contents,
            whole,
        })
    }

    fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }
}

/// The certificates in the order in which OpenSSL, which trusts none of them, asks about them: issuers first, the leaf
/// last. It asks again about the first of them if that is its own issuer, and thrice about a leaf that is alone.
pub(super) fn order_of_asking<'a>(
    leaf: &'a CertificateDer<'a>,
    others: &'a [CertificateDer<'a>],
) -> Vec<&'a [u8]> {
    let mut chain: Vec<&[u8]> = vec![leaf.as_ref()];
    let mut rest: Vec<&[u8]> = others.iter().map(AsRef::as_ref).collect();
    let mut last = Certificate::read(leaf);
    while let Some(certificate) = last.filter(|last| !last.is_self_issued()) {
        let issuer = rest.iter().position(|der| {
            Certificate::read(der).is_some_and(|other| other.subject == certificate.issuer)
        });
        let Some(index) = issuer else { break };
        let der = rest.remove(index);
        chain.push(der);
        last = Certificate::read(der);
    }
    let ends_in_itself = last.is_some_and(|last| last.is_self_issued());
    let again = match chain.len() {
        _ if ends_in_itself => 1,
        1 => 2,
        _ => 0,
    };
    let top = chain[chain.len() - 1];
    let mut order = vec![top; again];
    order.extend(chain.into_iter().rev());
    order
}

/// A certificate as PEM, exactly as OpenSSL writes it.
pub(super) fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut pem = String::with_capacity(der.len() / 3 * 4 + der.len() / 48 + 64);
    pem.push_str("-----BEGIN CERTIFICATE-----\n");
    // 48 bytes make a line.
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let bits = (0..3).fold(0, |bits, at| {
                bits << 8 | usize::from(three.get(at).copied().unwrap_or(0))
            });
            for digit in 0..4 {
                let known = digit <= three.len();
                let index = bits >> (18 - 6 * digit) & 63;
                pem.push(if known {
                    char::from(DIGITS[index])
                } else {
                    '='
                });
            }
        }
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls_pki_types::pem::PemObject;

    use super::*;

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    /// A root, an intermediate, and a leaf.
    fn chain() -> [CertificateDer<'static>; 3] {
        let keys = [0; 3].map(|_| KeyPair::generate().unwrap());
        let root = params("root").self_signed(&keys[0]).unwrap();
        let root_issuer = Issuer::new(params("root"), &keys[0]);
        let middle = params("middle").signed_by(&keys[1], &root_issuer).unwrap();
        let middle_issuer = Issuer::new(params("middle"), &keys[1]);
        let leaf = params("leaf").signed_by(&keys[2], &middle_issuer).unwrap();
        [root.into(), middle.into(), leaf.into()]
    }

    #[test]
    fn a_chain_to_its_root_is_asked_about_from_above_and_the_root_twice() {
        let [root, middle, leaf] = chain();
        let sent = [middle.clone(), root.clone()];
        assert_eq!(
            order_of_asking(&leaf, &sent),
            [&*root, &*root, &*middle, &*leaf]
        );
    }

    #[test]
    fn a_chain_without_its_root_is_asked_about_once() {
        let [_, middle, leaf] = chain();
        let sent = [middle.clone()];
        assert_eq!(order_of_asking(&leaf, &sent), [&*middle, &*leaf]);
    }

    #[test]
    fn a_leaf_alone_is_asked_about_thrice_and_a_self_signed_one_twice() {
        let [root, _, leaf] = chain();
        assert_eq!(order_of_asking(&leaf, &[]), [&*leaf, &*leaf, &*leaf]);
        assert_eq!(order_of_asking(&root, &[]), [&*root, &*root]);
    }

    #[test]
    fn certificates_come_in_any_order_and_strangers_are_left_out() {
        let [root, middle, leaf] = chain();
        let [stranger, ..] = chain();
        let sent = [root.clone(), stranger, middle.clone()];
        assert_eq!(order_of_asking(&leaf, &sent).len(), 4);
    }

    #[test]
    fn the_key_is_found() {
        let key = KeyPair::generate().unwrap();
        let certificate = params("x").self_signed(&key).unwrap();
        let certificate = certificate.der();
        let read = Certificate::read(certificate).unwrap();
        assert_eq!(
            read.key_info,
            rcgen::PublicKeyData::subject_public_key_info(&key)
        );
        assert!(read.is_self_issued());
    }

    proptest! {
        #[test]
        fn garbage_is_no_certificate_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Certificate::read(&bytes);
            let leaf = CertificateDer::from(bytes);
            prop_assert!(!order_of_asking(&leaf, &[]).is_empty());
        }

        #[test]
        fn a_certificate_that_is_cut_is_none(cut in 0.0..1.0f64) {
            let [root, ..] = chain();
            let len = (root.len() as f64 * cut) as usize;
            prop_assert!(Certificate::read(&root[..len]).is_none());
        }

        #[test]
        fn pem_is_read_back(bytes in proptest::collection::vec(any::<u8>(), 1..300)) {
            let text = pem(&bytes);
            prop_assert!(text.lines().all(|line| line.len() <= 64));
            let read = CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
            prop_assert_eq!(read.as_ref(), &bytes[..]);
        }
    }
}
