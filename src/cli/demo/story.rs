//! The story of the product, as it is printed: links, and lines that make the whole round trip when they are pasted
//! into bash one after the other. `tests/it/cli.rs` does just that.
//!
//! The lines keep what the next ones need in shell variables: `T` transaction id, `C` conversion, `A` access token.

use secrecy::{ExposeSecret, SecretString};

use super::login::Login;

/// Where the lines that are to be pasted begin; the test looks for it.
const LINES_BEGIN: &str = "# --- paste from here ---";
/// And where they end.
const LINES_END: &str = "# --- to here ---";
/// Curl prints the status behind each body.
const CURL: &str = "curl -sS -w ' (%{http_code})\\n'";
const REASON: &str = "Order%20cancelled";

/// Everything that the story shows.
pub(super) struct Story {
    pub(super) base: String,
    pub(super) login: Login,
    pub(super) link: String,
    pub(super) postback: SecretString,
    pub(super) rejection: SecretString,
    /// Of an offer that was not clicked.
    pub(super) other_postback: SecretString,
    /// With its placeholders.
    pub(super) clickless: SecretString,
    /// With values.
    pub(super) clickless_filled: SecretString,
    pub(super) pixel_link: String,
    pub(super) pixel: SecretString,
    pub(super) pixel_tag: String,
}

impl Story {
    /// The whole text.
    pub(super) fn lines(&self) -> String {
        format!("{}\n{LINES_BEGIN}\n{}{LINES_END}\n", self.overview(), self.commands())
    }

    fn overview(&self) -> String {
        format!(
            "Roundtrip demo on {base}  (Ctrl-C ends it; a second start finds its data again)\n\n\
             sign in        {email} / {password}   (POST {base}/api/session, GraphQL at {base}/graphql)\n\
             tracking link  {link}\n\
             postback       {postback}\n\
             of one offer   {other}\n\
             clickless      {clickless}\n\
             pixel tag      {tag}\n\
             rejection      {rejection}\n",
            base = self.base,
            email = self.login.email,
            password = self.login.password.expose_secret(),
            link = self.link,
            postback = self.postback.expose_secret(),
            other = self.other_postback.expose_secret(),
            clickless = self.clickless.expose_secret(),
            tag = self.pixel_tag,
            rejection = self.rejection.expose_secret(),
        )
    }

    fn commands(&self) -> String {
        let steps = [
            (
                "Follow the tracking link: 302, and a transaction id of 40 characters in its Location.",
                self.follow("T", &self.link),
            ),
            ("The advertiser reports the conversion: recorded.", self.fire(&self.postback, "T")),
            ("The same again: duplicate, the same conversion.", self.fire_and_keep()),
            ("Sign in.", self.sign_in()),
            ("Ask for the conversion: APPROVED.", self.ask("T")),
            ("The advertiser takes it back: rejected.", self.reject()),
            ("Ask again: REJECTED, with the reason, and who sent it.", self.ask("T")),
            ("An operator reinstates it.", self.reinstate()),
            ("The token of another offer: token_offer_mismatch.", self.fire(&self.other_postback, "T")),
            ("A placeholder that was never replaced: unreplaced_macro, with the cure.", self.fire_literal()),
            ("A conversion without a click, with all fifteen parameters.", self.fire_clickless()),
            ("All of them can be read; address and e-mail in their private forms.", self.ask_all("L")),
            ("An image pixel on the tracking domain: a click, then a GIF of 43 bytes.", self.fire_pixel()),
            (
                "The same pixel on the default host: the same GIF, and a receipt that says why not.",
                self.fire_pixel_elsewhere(),
            ),
        ];
        let numbered =
            steps.iter().enumerate().map(|(index, (title, line))| format!("# {}. {title}\n{line}\n", index + 1));
        numbered.collect::<Vec<_>>().join("\n")
    }

    fn follow(&self, name: &str, link: &str) -> String {
        format!(
            "{name}=$(curl -sS -o /dev/null -D - '{link}' | grep -i '^location:' | grep -oE '[0-9a-hjkmnp-tv-z]{{40}}' | head -n 1); echo \"${name}\""
        )
    }

    fn fire(&self, url: &SecretString, name: &str) -> String {
        format!("{CURL} \"{}\"", filled(url, name))
    }

    fn fire_and_keep(&self) -> String {
        format!(
            "R=$({}); echo \"$R\"; C=$(echo \"$R\" | grep -oE 'cnv_[0-9a-f]{{32}}' | head -n 1)",
            self.fire(&self.postback, "T")
        )
    }

    fn sign_in(&self) -> String {
        let body =
            format!(r#"{{"email":"{}","password":"{}"}}"#, self.login.email, self.login.password.expose_secret());
        format!(
            "A=$(curl -sS {}/api/session -H 'Content-Type: application/json' -d '{body}' | grep -oE '\"access_token\": ?\"[^\"]+\"' | cut -d'\"' -f4); echo \"${{#A}} characters of access token\"",
            self.base
        )
    }

    fn graphql(&self, body: &str) -> String {
        format!(
            "{CURL} {}/graphql -H \"Authorization: Bearer $A\" -H 'Content-Type: application/json' -d '{body}'",
            self.base
        )
    }

    fn ask(&self, name: &str) -> String {
        self.conversion(name, "id status rejectionReason rejectedBy timeline(first: 20) { nodes { type fromStatus toStatus reason actor { kind label } } }")
    }

    fn ask_all(&self, name: &str) -> String {
        self.conversion(
            name,
            "id status source publisher { number } subId sessionTime conversionIp userAgent revenue { amount currency } payout { amount } \
             reportedRevenue { amount } reportedPayout { amount } advSubId advSubId2 advSubId3 advSubId4 purchaseValue { amount } \
             externalTransactionId userEmailMasked deviceId",
        )
    }

    fn conversion(&self, name: &str, fields: &str) -> String {
        let query = format!("query Find($id: String!) {{ conversion(by: {{ transactionId: $id }}) {{ {fields} }} }}");
        self.graphql(&format!(r#"{{"query":"{query}","variables":{{"id":"'"${name}"'"}}}}"#))
    }

    fn reject(&self) -> String {
        let url = filled(&self.rejection, "T").replace("{new_rejected_reason}", REASON);
        format!("{CURL} \"{url}\"")
    }

    fn reinstate(&self) -> String {
        let query = "mutation Reinstate($id: ID!) { conversionReinstate(id: $id, note: \\\"Paid after all\\\") { conversion { id status } userErrors { code message } } }";
        self.graphql(&format!(r#"{{"query":"{query}","variables":{{"id":"'"$C"'"}}}}"#))
    }

    /// Globbing off, or curl itself would take the braces away.
    fn fire_literal(&self) -> String {
        format!("{CURL} -g '{}'", self.postback.expose_secret())
    }

    fn fire_clickless(&self) -> String {
        format!(
            "R=$({CURL} '{}'); echo \"$R\"; L=$(echo \"$R\" | grep -oE '\"transaction_id\":\"[^\"]+\"' | cut -d'\"' -f4)",
            self.clickless_filled.expose_secret()
        )
    }

    fn fire_pixel(&self) -> String {
        format!("{}\n{}", self.follow("P", &self.pixel_link), self.look(&filled(&self.pixel, "P")))
    }

    fn fire_pixel_elsewhere(&self) -> String {
        let url = filled(&self.pixel, "P");
        let query = url.split_once("/pixel.gif").map_or("", |(_, query)| query);
        let receipts =
            r#"{"query":"{ receipts(first: 5) { nodes { kind code httpStatus explanation suggestedFix } } }"}"#;
        // The receipt of a request without a token is kept a moment after its answer.
        format!("{}\nsleep 1\n{}", self.look(&format!("{}/pixel.gif{query}", self.base)), self.graphql(receipts))
    }

    /// Not every resolver knows that what ends in .localhost is this machine.
    fn look(&self, url: &str) -> String {
        let port = self.base.rsplit(':').next().unwrap_or_default();
        format!(
            "curl -sS -o /dev/null --resolve pixel.localhost:{port}:127.0.0.1 -w '%{{http_code}} %{{content_type}} %{{size_download}} bytes\\n' \"{url}\""
        )
    }
}

/// The URL with the shell's variable where the transaction id belongs.
fn filled(url: &SecretString, name: &str) -> String {
    url.expose_secret().replace("{transaction_id}", &format!("${name}"))
}
