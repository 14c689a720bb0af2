//! Who is trusted.
//!
//! A peer proves in its handshake that it has its certificate's key; that is always checked. Beyond it, EventMachine
//! leaves everything to the program: with `verify_peer` each certificate is shown to it, else all are good. With
//! [`super::Roots`] rustls checks the chain as well, before the program is asked.
//!
//! rustls asks in the middle of reading, and one configuration serves many connections. So whom to ask stands in a
//! thread-local while one of them reads ([`asking`]). The answer is made by arbitrary code, which may have other
//! connections read meanwhile: nothing is borrowed while it runs.
#![forbid(unsafe_code)]

use std::{cell::RefCell, rc::Rc, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::WebPkiSupportedAlgorithms,
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::certificate::{Certificate, order_of_asking, pem};
use super::session::Ask;

thread_local! {
    static WHOM: RefCell<Option<Rc<Ask>>> = const { RefCell::new(None) };
}

/// Reads, and has questions about certificates go to `ask`.
pub(super) fn asking<T>(ask: &Rc<Ask>, read: impl FnOnce() -> T) -> T {
    WHOM.set(Some(Rc::clone(ask)));
    let result = read();
    WHOM.set(None);
    result
}

/// Shows the certificates to the program. One that it refuses ends the handshake.
fn ask(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<(), Error> {
    let whom = WHOM.with_borrow(Option::clone);
    let refused = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
    let Some(whom) = whom else {
        return Err(refused);
    };
    let accepted = order_of_asking(leaf, others)
        .into_iter()
        .all(|certificate| whom(&pem(certificate)));
    if accepted { Ok(()) } else { Err(refused) }
}

/// Checks that the peer has the key of its certificate.
fn check_signature(
    algorithms: &WebPkiSupportedAlgorithms,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let certificate = Certificate::read(certificate)
        .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let (_, candidates) = algorithms
        .mapping
        .iter()
        .find(|(scheme, _)| *scheme == signed.scheme)
        .ok_or_else(|| Error::General("a signature of a kind that was not offered".into()))?;
    let fits = candidates.iter().any(|algorithm| {
        *algorithm.public_key_alg_id() == *certificate.key_algorithm
            && algorithm
                .verify_signature(certificate.key, message, signed.signature())
                .is_ok()
    });
    if fits {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(Error::InvalidCertificate(CertificateError::BadSignature))
    }
}

/// What a client thinks of a server's certificates.
#[derive(Debug)]
pub(super) struct OfServers {
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) ask: bool,
    pub(super) roots: Option<Arc<dyn ServerCertVerifier>>,
}

impl ServerCertVerifier for OfServers {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            roots.verify_server_cert(leaf, others, name, ocsp, now)?;
        }
        if self.ask {
            ask(leaf, others)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        check_signature(&self.algorithms, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        check_signature(&self.algorithms, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What a server thinks of a client's certificates.
#[derive(Debug)]
pub(super) struct OfClients {
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) ask: bool,
    /// Whether a client has to have one.
    pub(super) mandatory: bool,
    pub(super) roots: Option<Arc<dyn ClientCertVerifier>>,
}

impl ClientCertVerifier for OfClients {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.roots
            .as_ref()
            .map_or(&[], |roots| roots.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(roots) = &self.roots {
            roots.verify_client_cert(leaf, others, now)?;
        }
        if self.ask {
            ask(leaf, others)?;
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        check_signature(&self.algorithms, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        check_signature(&self.algorithms, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
