//! From options to what rustls takes.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use rustls::{
    ClientConfig, ConfigBuilder, ConfigSide, RootCertStore, ServerConfig, SupportedProtocolVersion,
    WantsVerifier,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};

use super::{
    Failure, Options, Role, Roots, cipher_list,
    kept::Kept,
    names, own,
    verifier::{OfClients, OfServers},
    versions,
};

/// Options that were understood. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) side: Side,
    /// Whether the program is shown the peer's certificates.
    pub(super) asks: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Side {
    Client(Arc<ClientConfig>),
    Server(Arc<ServerConfig>),
}

/// A program has few sets of options; one that makes up new ones all the time is not to fill the memory with them.
const KEPT: usize = 128;
/// A client may have sessions to resume with so many servers: rustls's own default.
const SERVERS: usize = 256;

/// What these options mean; the same for the same options, so that connections share sessions to resume.
///
/// # Errors
///
/// If a key, certificate or curve can't be used, or nothing is left of protocols or ciphers.
pub fn config(options: &Options) -> Result<Config, Failure> {
    static MADE: Mutex<Option<FxHashMap<Options, Config>>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let made = made.get_or_insert_default();
    if let Some(config) = made.get(options) {
        return Ok(config.clone());
    }
    let config = make(options)?;
    if made.len() >= KEPT {
        made.clear();
    }
    made.insert(options.clone(), config.clone());
    Ok(config)
}

fn make(options: &Options) -> Result<Config, Failure> {
    let (provider, versions) = crypto(options)?;
    let provider = Arc::new(provider);
    let side = match options.role {
        Role::Client => Side::Client(Arc::new(client(options, &provider, &versions)?)),
        Role::Server => Side::Server(Arc::new(server(options, &provider, &versions)?)),
    };
    Ok(Config {
        side,
        asks: options.verify_peer,
    })
}

/// Ciphers and curves, and the versions that are left with them.
fn crypto(
    options: &Options,
) -> Result<(CryptoProvider, Vec<&'static SupportedProtocolVersion>), Failure> {
    let mut provider = ring::default_provider();
    if let Some(list) = options
        .ecdh_curve
        .as_deref()
        .filter(|_| options.role == Role::Server)
    {
        provider.kx_groups = names::groups(list).map_err(Failure::InvalidPrivateKey)?;
    }
    let selection = cipher_list::select(options.cipher_list.as_deref());
    let mut allowed = Vec::new();
    provider.cipher_suites.clear();
    for (bit, version, ciphers) in [
        (versions::TLS13, &TLS13, &selection.tls13),
        (versions::TLS12, &TLS12, &selection.tls12),
    ] {
        if options.versions & bit != 0 && !ciphers.is_empty() {
            allowed.push(version);
            provider
                .cipher_suites
                .extend(ciphers.iter().filter_map(|cipher| cipher.supported()));
        }
    }
    if options.versions & (versions::TLS12 | versions::TLS13) == 0 {
        return Err(Failure::Invalid(
            "none of these TLS versions is spoken any more: allow TLSv1_2 or TLSv1_3 in ssl_version, or use \
             tls_backend: :openssl"
                .to_owned(),
        ));
    }
    if allowed.is_empty() {
        let list = options.cipher_list.as_deref().unwrap_or_default();
        return Err(Failure::Invalid(format!(
            "cipher_list {list:?} leaves no cipher: allow TLSv1_3, use some of {}, or use tls_backend: :openssl",
            cipher_list::names()
        )));
    }
    Ok((provider, allowed))
}

fn versions<S: ConfigSide>(
    builder: ConfigBuilder<S, rustls::WantsVersions>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ConfigBuilder<S, WantsVerifier>, Failure> {
    builder
        .with_protocol_versions(versions)
        .map_err(|error| Failure::Invalid(error.to_string()))
}

fn client(
    options: &Options,
    provider: &Arc<CryptoProvider>,
    allowed: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig, Failure> {
    let roots: Option<Arc<dyn ServerCertVerifier>> = match &options.roots {
        None => None,
        Some(roots) => Some(
            WebPkiServerVerifier::builder_with_provider(store(roots)?, Arc::clone(provider))
                .build()
                .map_err(|error| Failure::Invalid(error.to_string()))?,
        ),
    };
    let verifier = Arc::new(OfServers {
        algorithms: provider.signature_verification_algorithms,
        ask: options.verify_peer,
        roots,
    });
    let builder = versions(
        ClientConfig::builder_with_provider(Arc::clone(provider)),
        allowed,
    )?
    .dangerous()
    .with_custom_certificate_verifier(verifier);
    let mut config = match own_certificate(options)? {
        None => builder.with_no_client_auth(),
        Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
    };
    config.enable_sni = options.send_name;
    config.alpn_protocols.clone_from(&options.alpn_protocols);
    config.resumption = if options.verify_peer {
        // Who resumes shows no certificate, and the program wants to see one.
        Resumption::disabled()
    } else {
        Resumption::store(Arc::new(Kept::new(SERVERS)))
    };
    Ok(config)
}

fn server(
    options: &Options,
    provider: &Arc<CryptoProvider>,
    allowed: &[&'static SupportedProtocolVersion],
) -> Result<ServerConfig, Failure> {
    let builder = versions(
        ServerConfig::builder_with_provider(Arc::clone(provider)),
        allowed,
    )?;
    let asks_client = options.verify_peer || options.roots.is_some();
    let builder = if asks_client {
        let mandatory = options.fail_if_no_peer_cert;
        let roots: Option<Arc<dyn ClientCertVerifier>> = match &options.roots {
            None => None,
            Some(roots) => Some(
                WebPkiClientVerifier::builder_with_provider(store(roots)?, Arc::clone(provider))
                    .build()
                    .map_err(|error| Failure::Invalid(error.to_string()))?,
            ),
        };
        builder.with_client_cert_verifier(Arc::new(OfClients {
            algorithms: provider.signature_verification_algorithms,
            ask: options.verify_peer,
            mandatory,
            roots,
        }))
    } else {
        builder.with_no_client_auth()
    };
    let own = match own_certificate(options)? {
        Some(own) => own,
        None => own::for_nobody()?,
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.alpn_protocols.clone_from(&options.alpn_protocols);
    if options.verify_peer {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        config.ticketer =
            ring::Ticketer::new().map_err(|error| Failure::Invalid(error.to_string()))?;
    }
    Ok(config)
}

fn own_certificate(options: &Options) -> Result<Option<Arc<rustls::sign::CertifiedKey>>, Failure> {
    match (&options.cert_chain, &options.private_key) {
        (None, None) => Ok(None),
        (Some(chain), Some(key)) => own::read(chain, key).map(Some),
        (Some(chain), None) => {
            own::certificates(chain)?;
            let text = "there is a certificate without its key: give private_key or private_key_file as well";
            Err(Failure::InvalidPrivateKey(text.to_owned()))
        }
        (None, Some(_)) => {
            let text = "there is a private key without its certificate: give cert or cert_chain_file as well";
            Err(Failure::InvalidPrivateKey(text.to_owned()))
        }
    }
}

fn store(roots: &Roots) -> Result<Arc<RootCertStore>, Failure> {
    let (certificates, whose) = match roots {
        Roots::Given(pem) => (own::certificates(pem)?, "that were given"),
        Roots::System => (
            rustls_native_certs::load_native_certs().certs,
            "of this system",
        ),
    };
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        return Err(Failure::Invalid(format!(
            "there is no usable root among the certificates {whose}: install some (package ca-certificates), or give ca_file"
        )));
    }
    Ok(Arc::new(store))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(role: Role) -> Options {
        Options::new(role)
    }

    #[test]
    fn the_same_options_share_a_configuration() {
        let alpn = Options {
            alpn_protocols: vec![b"h2".to_vec()],
            ..options(Role::Server)
        };
        let server = |options: &Options| match config(options).unwrap().side {
            Side::Server(config) => config,
            Side::Client(_) => panic!("a server was asked for"),
        };
        assert!(Arc::ptr_eq(&server(&alpn), &server(&alpn.clone())));
        assert!(!Arc::ptr_eq(
            &server(&alpn),
            &server(&options(Role::Server))
        ));
    }

    #[test]
    fn old_versions_may_be_allowed_but_not_be_all() {
        let old = Options {
            versions: 4 | 8 | 16,
            ..options(Role::Client)
        };
        let text = config(&old).unwrap_err().to_string();
        assert!(
            text.contains("TLSv1_2") && text.contains(":openssl"),
            "{text}"
        );
        assert!(
            config(&Options {
                versions: 4 | 8 | 16 | 32,
                ..old
            })
            .is_ok()
        );
    }

    #[test]
    fn a_list_without_any_cipher_leaves_tls_1_3_or_nothing() {
        let list = Options {
            cipher_list: Some("RC4".to_owned()),
            ..options(Role::Client)
        };
        assert!(config(&list).is_ok());
        let text = config(&Options {
            versions: versions::TLS12,
            ..list
        })
        .unwrap_err()
        .to_string();
        assert!(text.contains("ECDHE-RSA-AES128-GCM-SHA256"), "{text}");
    }

    #[test]
    fn a_curve_is_the_servers_business() {
        let curve = |role| Options {
            ecdh_curve: Some("nosuch".to_owned()),
            ..options(role)
        };
        assert!(config(&curve(Role::Client)).is_ok());
        assert_eq!(
            config(&curve(Role::Server)).unwrap_err(),
            Failure::InvalidPrivateKey("ecdh_curve: Unknown curve name: nosuch".to_owned())
        );
    }

    #[test]
    fn key_and_certificate_come_together() {
        let key = Options {
            private_key: Some(Vec::new()),
            ..options(Role::Client)
        };
        assert!(
            config(&key)
                .unwrap_err()
                .to_string()
                .contains("without its certificate")
        );
        let roots = Options {
            roots: Some(Roots::Given(b"no PEM".to_vec())),
            ..options(Role::Client)
        };
        assert!(config(&roots).is_err());
    }

    #[test]
    fn a_key_is_not_printed() {
        let key = Options {
            private_key: Some(b"secret".to_vec()),
            ..options(Role::Client)
        };
        assert!(!format!("{key:?}").contains("115, 101"));
    }
}
