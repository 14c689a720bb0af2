//! OpenSSL's cipher strings: `ECDHE+AESGCM:!aRSA:@STRENGTH`.
//!
//! Its rules for its order are kept, for the suites that rustls has. Words that name none of them select nothing.
#![forbid(unsafe_code)]

use super::names::{CIPHERS, Cipher, WORDS_FOR_ALL};

/// What a cipher string leaves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// Suites of TLS 1.2, in order; may be empty.
    pub(super) tls12: Vec<&'static Cipher>,
    /// Suites of TLS 1.3: all, unless the string names some of them.
    pub(super) tls13: Vec<&'static Cipher>,
}

impl PartialEq for Cipher {
    fn eq(&self, other: &Self) -> bool {
        self.suite == other.suite
    }
}

impl Eq for Cipher {}

/// What this string, or EventMachine's own without one, selects.
pub(super) fn select(list: Option<&str>) -> Selection {
    let mut selected: Vec<&'static Cipher> = Vec::new();
    let mut killed: Vec<&'static Cipher> = Vec::new();
    let mut tls13: Vec<&'static Cipher> = Vec::new();
    for rule in list.unwrap_or("ALL").split([':', ',', ' ', ';']) {
        if rule.starts_with("@STRENGTH") {
            selected.sort_by_key(|cipher| std::cmp::Reverse(cipher.bits));
            continue;
        }
        let (operator, words) = match rule.split_at_checked(1) {
            Some((operator @ ("!" | "-" | "+"), words)) => (operator, words),
            _ => ("", rule),
        };
        let matching = || CIPHERS.iter().filter(|cipher| matches(cipher, words));
        match operator {
            "!" => {
                killed.extend(matching());
                selected.retain(|cipher| !killed.contains(cipher));
            }
            "-" => selected.retain(|cipher| !matches(cipher, words)),
            "+" => {
                let moved: Vec<_> = selected
                    .iter()
                    .copied()
                    .filter(|cipher| matches(cipher, words))
                    .collect();
                selected.retain(|cipher| !moved.contains(cipher));
                selected.extend(moved);
            }
            _ => {
                for cipher in matching().filter(|cipher| !killed.contains(cipher)) {
                    let list = if cipher.is_tls13() {
                        &mut tls13
                    } else {
                        &mut selected
                    };
                    if !list.contains(&cipher) {
                        list.push(cipher);
                    }
                }
            }
        }
    }
    tls13.retain(|cipher| !killed.contains(cipher));
    if tls13.is_empty() {
        let all = CIPHERS.iter().filter(|cipher| cipher.is_tls13());
        tls13.extend(all.filter(|cipher| !killed.contains(cipher)));
    }
    Selection {
        tls12: selected,
        tls13,
    }
}

/// Whether all of the words, with `+` between them, are for this cipher.
fn matches(cipher: &Cipher, words: &str) -> bool {
    let one = |word: &str| {
        word == cipher.name
            || word == cipher.standard_name
            || cipher.words.contains(&word)
            || (!cipher.is_tls13() && WORDS_FOR_ALL.contains(&word))
    };
    !words.is_empty() && words.split('+').all(one)
}

/// What could have been asked for.
pub(super) fn names() -> String {
    let all = CIPHERS.iter().filter(|cipher| !cipher.is_tls13());
    all.map(|cipher| cipher.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(list: &str) -> Vec<&'static str> {
        select(Some(list))
            .tls12
            .iter()
            .map(|cipher| cipher.name)
            .collect()
    }

    fn selected13(list: &str) -> Vec<&'static str> {
        select(Some(list))
            .tls13
            .iter()
            .map(|cipher| cipher.name)
            .collect()
    }

    #[test]
    fn without_a_list_there_are_all() {
        assert_eq!(select(None).tls12.len(), 6);
        assert_eq!(select(None).tls13.len(), 3);
        assert_eq!(select(None).tls13[0].name, "TLS_AES_256_GCM_SHA384");
    }

    #[test]
    fn eventmachines_own_string_selects_all_of_them() {
        assert_eq!(
            selected("ALL:!ADH:!LOW:!EXP:!DES-CBC3-SHA:@STRENGTH").len(),
            6
        );
    }

    #[test]
    fn names_of_both_styles_select_one_in_their_order() {
        assert_eq!(
            selected("ECDHE-RSA-AES128-GCM-SHA256:TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
            [
                "ECDHE-RSA-AES128-GCM-SHA256",
                "ECDHE-ECDSA-AES256-GCM-SHA384"
            ]
        );
    }

    #[test]
    fn separators_may_be_mixed_and_empty_rules_are_none() {
        assert_eq!(
            selected("ECDHE-RSA-AES128-GCM-SHA256, :ECDHE-RSA-AES256-GCM-SHA384 ").len(),
            2
        );
    }

    #[test]
    fn words_are_anded_with_plus() {
        assert_eq!(
            selected("ECDHE+aRSA+CHACHA20"),
            ["ECDHE-RSA-CHACHA20-POLY1305"]
        );
        assert_eq!(selected("EECDH+AESGCM+AES128").len(), 2);
        assert!(selected("aRSA+aECDSA").is_empty());
    }

    #[test]
    fn an_exclamation_mark_is_for_good_and_a_minus_is_not() {
        assert_eq!(selected("!aRSA:ALL").len(), 3);
        assert_eq!(selected("ALL:-aRSA").len(), 3);
        let back = selected("ALL:-aRSA:aRSA");
        assert_eq!(back.len(), 6);
        assert!(back[3].starts_with("ECDHE-RSA"));
    }

    #[test]
    fn a_plus_moves_to_the_end_and_adds_nothing() {
        let moved = selected("ALL:+AES256");
        assert_eq!(moved.len(), 6);
        assert!(moved[4].contains("AES256") && moved[5].contains("AES256"));
        assert!(selected("+AES256").is_empty());
    }

    #[test]
    fn strength_sorts_and_keeps_the_order_among_equals() {
        assert_eq!(
            selected("ECDHE-RSA-AES128-GCM-SHA256:CHACHA20:@STRENGTH"),
            [
                "ECDHE-ECDSA-CHACHA20-POLY1305",
                "ECDHE-RSA-CHACHA20-POLY1305",
                "ECDHE-RSA-AES128-GCM-SHA256"
            ]
        );
    }

    #[test]
    fn what_rustls_lacks_selects_nothing() {
        for list in [
            "DHE-RSA-AES256-GCM-SHA384",
            "RC4",
            "aNULL",
            "AES256-SHA",
            "RSA",
            "TLSv1",
            "",
            "?",
        ] {
            assert!(selected(list).is_empty(), "{list}");
            assert_eq!(selected13(list).len(), 3, "{list}");
        }
    }

    #[test]
    fn suites_of_tls_1_3_are_all_there_unless_some_are_named() {
        assert_eq!(selected13("ECDHE-RSA-AES128-GCM-SHA256").len(), 3);
        assert_eq!(
            selected13("TLS_CHACHA20_POLY1305_SHA256:ALL"),
            ["TLS_CHACHA20_POLY1305_SHA256"]
        );
        assert_eq!(selected13("ALL:!TLS_AES_128_GCM_SHA256").len(), 2);
    }
}
